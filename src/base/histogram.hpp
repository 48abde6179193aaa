#pragma once
// How long things took: a histogram whose buckets are as wide as a 64th of what they count, over any range.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace twinmq::base {

/// Counts values of one unit of the caller's choice (nanoseconds, bytes). Recording costs a few instructions and
/// never allocates. Not thread-safe: keep one per thread and add() them up.
class Histogram {
 public:
  void record(std::uint64_t value, std::uint64_t times = 1) {
    counts_[bucket_of(value)] += times;
    count_ += times;
    sum_ += value * times;
    if (value < min_) min_ = value;
    if (value > max_) max_ = value;
  }

  /// Adds everything the other one recorded.
  void add(const Histogram& other);
  void clear() { *this = Histogram(); }

  std::uint64_t count() const { return count_; }
  std::uint64_t sum() const { return sum_; }
  std::uint64_t min() const { return count_ ? min_ : 0; }
  std::uint64_t max() const { return max_; }
  double mean() const { return count_ ? static_cast<double>(sum_) / static_cast<double>(count_) : 0; }

  /// The value that the given part (0 … 1) of all values do not exceed, at most 1/64 too high, never above max();
  /// 0 when nothing was recorded. percentile(0.99) is what is called p99.
  std::uint64_t percentile(double part) const;

 private:
  // Values below 64 have a bucket each; above, every power of two is cut into 64.
  static constexpr unsigned kBits = 6;
  static constexpr std::size_t kBuckets = (64 - kBits + 1) << kBits;

  static std::size_t bucket_of(std::uint64_t value) {
    if (value < (1u << kBits)) return static_cast<std::size_t>(value);
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - 1 - kBits;
    return (std::size_t{shift} << kBits) + static_cast<std::size_t>(value >> shift);
  }
  static std::uint64_t highest_in(std::size_t bucket);

  std::array<std::uint64_t, kBuckets> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t min_ = ~std::uint64_t{0};
  std::uint64_t max_ = 0;
};

}  // namespace twinmq::base
