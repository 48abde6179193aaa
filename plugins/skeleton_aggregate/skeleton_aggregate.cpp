// An aggregate to begin with: the geometric mean of the values of a window.

#include <cmath>
#include <memory>
#include <stdexcept>

#include <twinmq/plugin.hpp>

using namespace twinmq::plugin;

namespace {

/// One object per group and window.
class GeometricMean final : public Aggregate {
 public:
  void add(View value) override {
    if (value.number() <= 0) throw std::domain_error("geometric_mean() is of positive numbers");
    logarithms_ += std::log(value.number());
    ++count_;
  }

  Value finish() override { return count_ == 0 ? Value() : Value(std::exp(logarithms_ / count_)); }

 private:
  double logarithms_ = 0;
  double count_ = 0;
};

}  // namespace

TWINMQ_PLUGIN(host) {
  host.aggregate("geometric_mean", [] { return std::make_unique<GeometricMean>(); });
}
