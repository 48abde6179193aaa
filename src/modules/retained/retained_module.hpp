#pragma once
// The house's retained messages: in memory, with what is needed to have them again after a restart.

#include <cstddef>
#include <cstdint>
#include <string>

#include <twinmq/retained.hpp>

#include "modules/retained/retained_index.hpp"

namespace twinmq::retained {

/// Of one shard; beyond them set() answers Full.
struct RetainedLimits {
  std::uint64_t messages_max = 10'000'000;
  std::uint64_t bytes_max = 4'294'967'296;  ///< of the messages, as bytes() counts them
};

/// On disk: records/retained_record.hpp.
class RetainedModule final : public RetainedMessages {
 public:
  /// `seed` must be unpredictable in production.
  RetainedModule(const RetainedLimits& limits, std::uint64_t seed)
      : limits_(limits), index_(seed) {}

  Stored set(const MessageRef& message, Now now, Batch& batch) override;
  MessageRef find(std::string_view topic, Instant now) const override;
  std::unique_ptr<Replay> replay(std::string_view filter, Instant now) override;
  void expire(Now now, std::size_t budget, Batch& batch) override;
  Result<void> restore(Store& store, Now now,
                       const std::function<bool(std::string_view topic)>& mine) override;
  std::size_t corrupt_records() const override { return corrupt_records_; }
  std::size_t messages() const override { return index_.messages(); }
  std::size_t bytes() const override { return bytes_; }

  /// Bytes of the index over the messages.
  std::size_t index_bytes() const { return index_.footprint(); }

 private:
  bool fits(const Message& message) const;
  bool remove(std::string_view topic, Batch& batch);
  void keep(const MessageRef& message);
  std::string_view key_of(std::string_view topic);

  RetainedLimits limits_;
  RetainedIndex index_;
  std::size_t bytes_ = 0;
  std::size_t corrupt_records_ = 0;
  std::string key_;  ///< scratch
};

}  // namespace twinmq::retained
