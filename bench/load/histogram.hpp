#pragma once
// Latencies in logarithmic steps of at most 1.6 %, counted without allocation.

#include <array>
#include <bit>
#include <cstdint>

namespace twinmq::load {

class Histogram {
 public:
  void record(std::int64_t nanoseconds) {
    const auto value = static_cast<std::uint64_t>(nanoseconds < 0 ? 0 : nanoseconds);
    ++counts_[slot(value)];
    ++total_;
  }

  std::uint64_t total() const { return total_; }

  /// Microseconds below which `share` (0..1) of the values lie; 0 when nothing was recorded.
  double percentile_us(double share) const {
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(total_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (counts_[i] != 0 && seen > wanted) return upper(i) / 1000.0;
    }
    return max_us();
  }

  double max_us() const {
    for (std::size_t i = counts_.size(); i > 0; --i) {
      if (counts_[i - 1] != 0) return upper(i - 1) / 1000.0;
    }
    return 0;
  }

 private:
  static constexpr unsigned kBits = 6;  // 64 slots per doubling
  static constexpr std::size_t kPerDoubling = std::size_t{1} << kBits;

  static std::size_t slot(std::uint64_t value) {
    if (value < kPerDoubling) return value;
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - kBits - 1;
    return (shift + 1) * kPerDoubling + ((value >> shift) - kPerDoubling);
  }

  static double upper(std::size_t index) {
    if (index < kPerDoubling) return static_cast<double>(index);
    const std::size_t shift = index / kPerDoubling - 1;
    const std::uint64_t base = kPerDoubling + index % kPerDoubling;
    return static_cast<double>(((base + 1) << shift) - 1);
  }

  std::array<std::uint64_t, kPerDoubling*(65 - kBits)> counts_{};
  std::uint64_t total_ = 0;
};

}  // namespace twinmq::load
