#pragma once
// The moment between restoring and serving.

#include <functional>
#include <span>

#include <twinmq/result.hpp>
#include <twinmq/store.hpp>
#include <twinmq/time.hpp>

#include "core/shard_core.hpp"

namespace twinmq::core {

/// Lets shards that were just restored tell each other what they have, on one thread and before
/// anybody connects: from then on no message misses a subscription that lives elsewhere. `commit`
/// must write its batch before it answers.
Result<void> settle(std::span<ShardCore* const> shards, const Mail& mail, Now now,
                    const std::function<Result<void>(const Batch&)>& commit);

}  // namespace twinmq::core
