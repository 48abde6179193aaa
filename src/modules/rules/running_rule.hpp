#pragma once
// A rule as one shard runs it: what was compiled, and what it remembers and counts there.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <twinmq/access.hpp>

#include "modules/rules/compiled_rule.hpp"
#include "sql/state.hpp"
#include "sql/windows.hpp"

namespace twinmq::rules {

/// What became of the messages a rule saw, on one shard.
struct RuleCounters {
  std::uint64_t matched = 0;
  std::uint64_t unmatched = 0;       ///< WHERE was not true
  std::uint64_t lookups_failed = 0;  ///< a function that asks outside had no answer
  std::uint64_t steps_spent = 0;     ///< more work than rules.steps_max
  std::uint64_t memory_spent = 0;    ///< more than rules.memory_bytes_max
  std::uint64_t held_back = 0;       ///< too many messages waited for functions of plugins
  std::uint64_t refused = 0;         ///< messages that its principal may not receive
  std::uint64_t undecodable = 0;     ///< times decode() could not read what it was given
  std::uint64_t late = 0;            ///< messages whose window had closed
  std::uint64_t groups_dropped = 0;  ///< messages of groups beyond the limit
  std::uint64_t actions_done = 0;
  std::uint64_t actions_failed = 0;

  std::uint64_t failed() const { return lookups_failed + steps_spent + memory_spent + held_back; }
  RuleCounters& operator+=(const RuleCounters& other);
};

/// A rule and where it stands among those that see the same message.
struct PlacedRule {
  std::shared_ptr<const CompiledRule> rule;
  std::size_t place = 0;
};

/// Those of a configuration, in its order; one that cannot be compiled is left out.
std::vector<PlacedRule> compile_all(const std::vector<RuleConfig>& rules,
                                    const sql::OutsideFunctions* outside = nullptr);

/// As whom a rule acts.
Identity identity_of(std::string_view rule);

struct RunningRule {
  RunningRule(const PlacedRule& from, std::size_t cells_max);

  const CompiledRule& compiled() const { return *rule; }
  /// In the place of the one there was, which remembers_like() it.
  void become(const PlacedRule& other);
  /// Whether what it remembers means the same to the other one.
  bool remembers_like(const CompiledRule& other) const;

  /// Something it remembered in an earlier run. False: the text cannot be read.
  bool restore_cell(std::string_view name, std::string_view text) {
    return windows ? windows->restore_cell(name, text) : state.restore_cell(name, text);
  }

  // What every message needs stands first, together.
  const sql::Program* program = nullptr;  ///< its statement's
  std::size_t place = 0;
  bool remembers = false;
  RuleCounters counters;
  std::shared_ptr<const CompiledRule> rule;
  Identity identity;   ///< as whom it acts
  std::string memory;  ///< memory_key() of it
  sql::State state;
  std::shared_ptr<const sql::Statement> windows_of;  ///< outlives the windows
  std::unique_ptr<sql::Windows> windows;             ///< of a rule with GROUP BY
};

/// Under it lies what any statement of the rule remembered: 'R', the rule, a zero byte.
std::string memory_prefix(std::string_view rule);
/// Under it lies what this one remembers; another statement never reads it.
std::string memory_key(const CompiledRule& rule);

}  // namespace twinmq::rules
