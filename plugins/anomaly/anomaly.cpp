// Scores for what is unusual: an isolation forest and Holt-Winters forecasts, each over a sliding
// window per key.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <list>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <twinmq/plugin.hpp>

using twinmq::plugin::Arguments;
using twinmq::plugin::Value;

namespace {

using Point = std::vector<double>;

/// What is known of each key; when there are too many, the one that was used longest ago goes.
template <typename State>
class ByKey {
 public:
  explicit ByKey(std::size_t keys_max) : keys_max_(keys_max) {}

  State& at(std::string_view key) {
    const auto found = places_.find(std::string(key));
    if (found != places_.end()) {
      states_.splice(states_.begin(), states_, found->second);
      return found->second->second;
    }
    if (states_.size() >= keys_max_) {
      places_.erase(states_.back().first);
      states_.pop_back();
    }
    states_.emplace_front(std::string(key), State());
    places_.emplace(states_.front().first, states_.begin());
    return states_.front().second;
  }

 private:
  std::size_t keys_max_;
  std::list<std::pair<std::string, State>> states_;  // the one used last first
  std::unordered_map<std::string, typename std::list<std::pair<std::string, State>>::iterator>
      places_;
};

// --- Isolation forest (Liu, Ting, Zhou: Isolation Forest, ICDM 2008)

/// The mean length of a search without success in a binary tree of n points.
double mean_path(std::size_t n) {
  if (n < 2) return 0;
  const auto size = static_cast<double>(n);
  return 2 * (std::log(size - 1) + 0.5772156649) - 2 * (size - 1) / size;
}

class IsolationTree {
 public:
  IsolationTree(std::vector<const Point*> sample, std::mt19937_64& chance) {
    const auto depth = static_cast<int>(
        std::ceil(std::log2(std::max<double>(2, static_cast<double>(sample.size())))));
    grow(sample.data(), sample.size(), depth, chance);
  }

  /// How many cuts it takes to have the point alone.
  double path(const Point& point) const {
    std::size_t at = 0;
    double cuts = 0;
    while (nodes_[at].right != 0) {
      at = point[nodes_[at].dimension] < nodes_[at].cut ? at + 1 : nodes_[at].right;
      ++cuts;
    }
    return cuts + mean_path(nodes_[at].points);
  }

 private:
  struct Node {
    std::size_t dimension = 0;
    std::size_t right = 0;  // 0: a leaf; the left child follows its parent
    std::size_t points = 0;
    double cut = 0;
  };

  std::size_t grow(const Point** points, std::size_t count, int depth, std::mt19937_64& chance) {
    const std::size_t here = nodes_.size();
    nodes_.push_back({0, 0, count, 0});
    if (count < 2 || depth == 0) return here;
    const std::size_t dimension = chance() % points[0]->size();
    const auto [low, high] = std::minmax_element(
        points, points + count,
        [&](const Point* a, const Point* b) { return (*a)[dimension] < (*b)[dimension]; });
    const double least = (**low)[dimension];
    const double most = (**high)[dimension];
    if (!(least < most)) return here;
    const double cut =
        std::uniform_real_distribution<double>(std::nextafter(least, most), most)(chance);
    const Point** middle = std::partition(points, points + count,
                                          [&](const Point* p) { return (*p)[dimension] < cut; });
    const auto left = static_cast<std::size_t>(middle - points);
    grow(points, left, depth - 1, chance);
    const std::size_t right = grow(middle, count - left, depth - 1, chance);
    nodes_[here].dimension = dimension;
    nodes_[here].right = right;
    nodes_[here].cut = cut;
    return here;
  }

  std::vector<Node> nodes_;
};

struct ForestOptions {
  std::size_t window;
  std::size_t trees;
};

class Forest {
 public:
  static constexpr std::size_t kPointsMin = 32;
  static constexpr std::size_t kSample = 64;

  /// 0 to 1 for the point among those before it: about 0.5 is usual, above 0.6 to 0.7 is not.
  /// Undefined while too few points are known.
  Value score(Point point, const ForestOptions& options) {
    if (!points_.empty() && points_.front().size() != point.size())
      throw std::invalid_argument("a key has always as many values");
    Value score;
    if (points_.size() >= kPointsMin) {
      if (trees_.empty() || fresh_ >= points_.size() / 4) grow(options);
      double sum = 0;
      for (const IsolationTree& tree : trees_) sum += tree.path(point);
      const double mean = sum / static_cast<double>(trees_.size());
      score = std::exp2(-mean / mean_path(std::min(kSample, points_.size())));
    }
    points_.push_back(std::move(point));
    if (points_.size() > options.window) points_.pop_front();
    ++fresh_;
    return score;
  }

 private:
  void grow(const ForestOptions& options) {
    trees_.clear();
    for (std::size_t i = 0; i < options.trees; ++i) {
      std::vector<const Point*> sample;
      for (const Point& point : points_) sample.push_back(&point);
      std::shuffle(sample.begin(), sample.end(), chance_);
      sample.resize(std::min(kSample, sample.size()));
      trees_.emplace_back(std::move(sample), chance_);
    }
    fresh_ = 0;
  }

  std::deque<Point> points_;
  std::vector<IsolationTree> trees_;
  std::size_t fresh_ = 0;      // points since the trees were grown
  std::mt19937_64 chance_{1};  // the same scores for the same messages
};

// --- Holt-Winters, additive

struct HoltWintersOptions {
  double alpha;
  double beta;
  double gamma;
  std::size_t season;  ///< values that make one; 0: none
  std::size_t window;
};

class HoltWinters {
 public:
  /// What was expected, how far off it was, and that as a multiple of what is usual. Undefined
  /// while it learns.
  Value see(double value, const HoltWintersOptions& options) {
    const std::size_t learns = options.season == 0 ? 2 : 2 * options.season;
    if (first_.size() < learns) {
      first_.push_back(value);
      if (first_.size() == learns) begin(options.season);
      return {};
    }
    const double seasonal = options.season == 0 ? 0 : seasons_[at_ % options.season];
    const double forecast = level_ + trend_ + seasonal;
    const double error = value - forecast;
    Value score;
    if (errors_.size() >= 8) {
      const double usual = sum_ / static_cast<double>(errors_.size());
      score = std::abs(error) / std::max(usual, std::numeric_limits<double>::epsilon() *
                                                    std::max(1.0, std::abs(value)));
    }
    learn(value, seasonal, options);
    errors_.push_back(std::abs(error));
    sum_ += errors_.back();
    if (errors_.size() > options.window) {
      sum_ -= errors_.front();
      errors_.pop_front();
    }
    return Value::Object{{"forecast", forecast}, {"error", error}, {"score", score}};
  }

 private:
  void begin(std::size_t season) {
    if (season == 0) {
      level_ = first_[1];
      trend_ = first_[1] - first_[0];
      return;
    }
    const auto mean = [&](std::size_t from) {
      double sum = 0;
      for (std::size_t i = 0; i < season; ++i) sum += first_[from + i];
      return sum / static_cast<double>(season);
    };
    trend_ = (mean(season) - mean(0)) / static_cast<double>(season);
    level_ = mean(season) + trend_ * (static_cast<double>(season) - 1) / 2;
    for (std::size_t i = 0; i < season; ++i) {
      const double on_line =
          mean(season) + trend_ * (static_cast<double>(i) - (static_cast<double>(season) - 1) / 2);
      seasons_.push_back(first_[season + i] - on_line);
    }
  }

  void learn(double value, double seasonal, const HoltWintersOptions& options) {
    const double before = level_;
    level_ = options.alpha * (value - seasonal) + (1 - options.alpha) * (level_ + trend_);
    trend_ = options.beta * (level_ - before) + (1 - options.beta) * trend_;
    if (options.season > 0)
      seasons_[at_ % options.season] =
          options.gamma * (value - level_) + (1 - options.gamma) * seasonal;
    ++at_;
  }

  std::vector<double> first_;
  std::vector<double> seasons_;
  std::deque<double> errors_;
  double sum_ = 0;
  double level_ = 0;
  double trend_ = 0;
  std::size_t at_ = 0;
};

/// One kind of scores: rules ask on several threads.
template <typename State, typename Options>
struct Watch {
  Watch(std::size_t keys_max, Options with) : options(with), states(keys_max) {}
  const Options options;
  std::mutex mutex;
  ByKey<State> states;
};

std::size_t count_of(twinmq::plugin::View option, std::int64_t otherwise, std::int64_t least) {
  const std::int64_t value = option.integer_or(otherwise);
  if (value < least) throw std::invalid_argument("an option is below " + std::to_string(least));
  return static_cast<std::size_t>(value);
}

}  // namespace

TWINMQ_PLUGIN(host) {
  const auto options = host.options();
  const std::size_t keys = count_of(options["keys_max"], 10'000, 1);
  const std::size_t window = count_of(options["window"], 256, 32);

  using Forests = Watch<Forest, ForestOptions>;
  const auto forests =
      std::make_shared<Forests>(keys, ForestOptions{window, count_of(options["trees"], 50, 1)});
  host.function(
      "isolation_forest",
      [forests](Arguments arguments) -> Value {
        Point point;
        for (std::size_t i = 1; i < arguments.size(); ++i) point.push_back(arguments[i].number());
        if (point.empty()) throw std::invalid_argument("isolation_forest(key, value, …)");
        const std::scoped_lock lock(forests->mutex);
        return forests->states.at(arguments[0].text()).score(std::move(point), forests->options);
      },
      twinmq::plugin::kFast);

  using Forecasts = Watch<HoltWinters, HoltWintersOptions>;
  const auto forecasts = std::make_shared<Forecasts>(
      keys, HoltWintersOptions{options["alpha"].number_or(0.5), options["beta"].number_or(0.1),
                               options["gamma"].number_or(0.1), count_of(options["season"], 0, 0),
                               window});
  host.function(
      "holt_winters",
      [forecasts](Arguments arguments) -> Value {
        const double value = arguments[1].number();
        const std::scoped_lock lock(forecasts->mutex);
        return forecasts->states.at(arguments[0].text()).see(value, forecasts->options);
      },
      twinmq::plugin::kFast);
}
