#pragma once
// The storage thread and its disk, simulated: commits wait as long as the seed says, fail when it
// says, and a crash loses any suffix of what was not synced.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <twinmq/store.hpp>

#include "base/prng.hpp"

namespace twinmq::sim {

class SimStore final : public Store {
 public:
  struct Answer {
    unsigned shard = 0;
    std::uint64_t id = 0;
    bool durable = false;
  };

  // --- As the storage thread
  void submit(unsigned shard, std::uint64_t id, Batch batch);
  /// Syncs the oldest `count` of what waits, as one group commit. Answers in the order of
  /// submission.
  std::vector<Answer> sync(std::size_t count);
  /// What waits fails, and so does everything until reopen().
  std::vector<Answer> fail();
  std::size_t waiting() const { return unsynced_.size(); }
  /// The process or the machine ends: some prefix of what was not synced survives.
  void crash(base::Prng& random);

  /// Sees every batch before it is written; may change it. For planted faults.
  std::function<void(Batch&)> tamper;

  // --- The door
  Result<void> commit(const Batch& batch, Durability durability) override;
  Result<void> scan(std::string_view from, std::string_view to, const Visitor& visit) override;
  Result<void> reopen() override;
  Durability durability_max() const override { return Durability::Fsync; }

  std::size_t entries() const { return synced_.size(); }
  const std::map<std::string, std::string, std::less<>>& synced() const { return synced_; }

 private:
  struct Submitted {
    unsigned shard;
    std::uint64_t id;
    Batch batch;
  };
  void apply(const Batch& batch);

  std::map<std::string, std::string, std::less<>> synced_;
  std::deque<Submitted> unsynced_;
  bool failed_ = false;
};

}  // namespace twinmq::sim
