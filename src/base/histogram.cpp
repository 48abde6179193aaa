#include "base/histogram.hpp"

#include <algorithm>
#include <cmath>

namespace twinmq::base {

void Histogram::add(const Histogram& other) {
  for (std::size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

std::uint64_t Histogram::percentile(double part) const {
  if (count_ == 0) return 0;
  const double wanted = std::ceil(std::clamp(part, 0.0, 1.0) * static_cast<double>(count_));
  const auto rank = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(wanted), 1, count_);
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    seen += counts_[bucket];
    if (seen >= rank) return std::clamp(highest_in(bucket), min_, max_);
  }
  return max_;
}

std::uint64_t Histogram::highest_in(std::size_t bucket) {
  if (bucket < (2u << kBits)) return bucket;
  const std::size_t shift = (bucket >> kBits) - 1;
  const std::uint64_t first = std::uint64_t{(bucket & ((1u << kBits) - 1)) + (1u << kBits)} << shift;
  return first + ((std::uint64_t{1} << shift) - 1);
}

}  // namespace twinmq::base
