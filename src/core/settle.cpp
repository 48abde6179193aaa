#include "core/settle.hpp"

#include <utility>

namespace twinmq::core {

namespace {

// What they have to say takes a few rounds; owed messages may set off more.
constexpr int kRoundsMax = 100'000;

bool busy(std::span<ShardCore* const> shards, const Mail& mail) {
  for (const ShardCore* shard : shards) {
    if (mail.has_mail(shard->id()) || shard->wants_turn()) return true;
    for (ShardId to = 0; to < shards.size(); ++to)
      if (mail.backlog(shard->id(), to) > 0) return true;
  }
  return false;
}

}  // namespace

Result<void> settle(std::span<ShardCore* const> shards, const Mail& mail, Now now,
                    const std::function<Result<void>(const Batch&)>& commit) {
  for (int round = 0; round == 0 || (busy(shards, mail) && round < kRoundsMax); ++round) {
    for (ShardCore* shard : shards) {
      shard->begin_turn(now);
      shard->on_mail();
      shard->end_turn();
      while (shard->effects().commit) {
        const Commit written = *std::exchange(shard->effects().commit, std::nullopt);
        if (auto done = commit(written.batch); !done) return done;
        shard->begin_turn(now);
        shard->on_committed(written.id, true);
        shard->end_turn();
      }
    }
  }
  return {};
}

}  // namespace twinmq::core
