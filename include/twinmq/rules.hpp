#pragma once
// The host's door to rules: those of the configuration, and those made at run time, which are
// stored.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <twinmq/config.hpp>
#include <twinmq/result.hpp>
#include <twinmq/sink.hpp>
#include <twinmq/time.hpp>

namespace twinmq {

struct RuleStatus {
  RuleConfig config;
  bool stored = false;  ///< made at run time; otherwise the configuration's, and read-only
  WallTime created{};   ///< of a stored one
  WallTime changed{};   ///< of a stored one
  std::vector<std::string> warnings;  ///< of what surely is a mistake, though it runs
  std::string fault;  ///< why a stored one does not run, though it is enabled; empty: it does
};

/// What became of the messages a rule saw since it came into force, summed over the shards.
struct RuleStatistics {
  std::uint64_t matched = 0;
  std::uint64_t unmatched = 0;       ///< WHERE was not true
  std::uint64_t lookups_failed = 0;  ///< a function that asks outside had no answer
  std::uint64_t steps_spent = 0;     ///< more work than rules.steps_max
  std::uint64_t memory_spent = 0;    ///< more than rules.memory_bytes_max
  std::uint64_t held_back = 0;       ///< too many messages waited for functions of plugins
  std::uint64_t refused = 0;         ///< messages that rule:<name> may not receive
  std::uint64_t undecodable = 0;     ///< times decode() could not read what it was given
  std::uint64_t late = 0;            ///< messages whose window had closed
  std::uint64_t groups_dropped = 0;  ///< messages of groups beyond the limit
  std::uint64_t actions_done = 0;
  std::uint64_t actions_failed = 0;
  std::vector<SinkStatistics> sinks;  ///< the queues of its actions
};

/// What changes is checked, stored and in force on every shard when the call returns; on an error
/// nothing changed, but StorageFailed, after which it may be there or not. All block; from any
/// thread, but not inside a turn.
class Rules {
 public:
  virtual ~Rules() = default;

  /// By name.
  virtual std::vector<RuleStatus> list() const = 0;
  virtual Result<RuleStatus> get(std::string_view name) const = 0;

  virtual Result<void> create(RuleConfig rule) = 0;
  /// One with the same statement goes on with what it remembers.
  virtual Result<void> replace(RuleConfig rule) = 0;
  virtual Result<void> enable(std::string_view name, bool enabled) = 0;
  /// With everything it remembers and what waits in its queues.
  virtual Result<void> erase(std::string_view name) = 0;

  virtual Result<RuleStatistics> statistics(std::string_view name) const = 0;

  /// The durable queues to the outside, by name.
  virtual std::vector<SinkStatistics> sinks() const = 0;
  /// Dead letters go back into their queue. How many.
  virtual Result<std::uint64_t> replay(std::string_view sink) = 0;
};

}  // namespace twinmq
