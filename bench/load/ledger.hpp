#pragma once
// Who received what: finds loss, duplicates and messages out of order.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace twinmq::load {

/// Counts over copies and streams. A *copy set* holds each sequence number of one publisher once (a
/// message to M receivers has M copy sets, a message to a share group one); a *stream* is one
/// publisher seen by one receiver, within which the order must hold [MQTT-4.6.0-6].
class Ledger {
 public:
  Ledger(std::size_t copy_sets, std::size_t streams, std::uint32_t sequences)
      : words_((std::size_t{sequences} + 63) / 64),
        sequences_(sequences),
        seen_(copy_sets * words_),
        next_(streams) {}

  /// A message arrived. Returns false for a duplicate or a number that was never sent.
  bool record(std::size_t copy_set, std::size_t stream, std::uint32_t sequence) {
    if (sequence >= sequences_) {
      ++unexpected_;
      return false;
    }
    std::uint64_t& word = seen_[copy_set * words_ + sequence / 64];
    const std::uint64_t bit = std::uint64_t{1} << (sequence % 64);
    if ((word & bit) != 0) {
      ++duplicates_;
      return false;
    }
    word |= bit;
    ++received_;
    std::uint32_t& next = next_[stream];
    if (sequence < next) {
      ++reorders_;
    } else {
      next = sequence + 1;
    }
    return true;
  }

  void record_unexpected() { ++unexpected_; }

  std::uint64_t received() const { return received_; }  ///< distinct
  std::uint64_t duplicates() const { return duplicates_ + unexpected_; }
  std::uint64_t reorders() const { return reorders_; }

 private:
  std::size_t words_;
  std::uint32_t sequences_;
  std::vector<std::uint64_t> seen_;
  std::vector<std::uint32_t> next_;
  std::uint64_t received_ = 0;
  std::uint64_t duplicates_ = 0;
  std::uint64_t unexpected_ = 0;
  std::uint64_t reorders_ = 0;
};

}  // namespace twinmq::load
