#include "modules/rules/running_rule.hpp"

#include <algorithm>
#include <utility>

namespace twinmq::rules {
namespace {

constexpr char kCell = 'R';

// FNV-1a: it lies in the store and must be the same on every machine.
std::uint64_t stable_hash(std::string_view text, std::uint64_t hash = 0xcbf29ce484222325) {
  for (const char each : text) hash = (hash ^ static_cast<unsigned char>(each)) * 0x100000001b3;
  return hash;
}

}  // namespace

RuleCounters& RuleCounters::operator+=(const RuleCounters& other) {
  matched += other.matched;
  unmatched += other.unmatched;
  lookups_failed += other.lookups_failed;
  steps_spent += other.steps_spent;
  memory_spent += other.memory_spent;
  held_back += other.held_back;
  refused += other.refused;
  undecodable += other.undecodable;
  late += other.late;
  groups_dropped += other.groups_dropped;
  actions_done += other.actions_done;
  actions_failed += other.actions_failed;
  return *this;
}

std::vector<PlacedRule> compile_all(const std::vector<RuleConfig>& rules,
                                    const sql::OutsideFunctions* outside) {
  std::vector<PlacedRule> all;
  for (const RuleConfig& each : rules) {
    auto compiled = CompiledRule::compile(each, outside);
    if (compiled)
      all.push_back({std::make_shared<const CompiledRule>(std::move(*compiled)), all.size()});
  }
  return all;
}

RunningRule::RunningRule(const PlacedRule& from, std::size_t cells_max)
    : identity(identity_of(from.rule->name())), memory(memory_key(*from.rule)), state(cells_max) {
  become(from);
  if (rule->config().persist) state.track();
  if (!rule->windowed()) return;
  windows_of = rule->shared_statement();
  windows = std::make_unique<sql::Windows>(*windows_of);
  if (rule->config().persist) windows->track();
  // One that listens to such events makes none: otherwise they would go on for ever.
  const auto& filters = rule->statement().filters();
  if (std::none_of(filters.begin(), filters.end(),
                   [](const std::string& filter) { return filter.starts_with("$twinmq/"); }))
    windows->note_closings();
}

void RunningRule::become(const PlacedRule& other) {
  rule = other.rule;
  place = other.place;
  program = &rule->statement().program();
  remembers = rule->remembers();
}

Identity identity_of(std::string_view rule) {
  const std::string principal = "rule:" + std::string(rule);
  return {principal, principal, {}, {}, {}};
}

bool RunningRule::remembers_like(const CompiledRule& other) const {
  return rule->config().persist == other.config().persist && memory == memory_key(other);
}

std::string memory_prefix(std::string_view rule) {
  std::string key(1, kCell);
  key += rule;
  key += '\0';
  return key;
}

std::string memory_key(const CompiledRule& rule) {
  std::string key = memory_prefix(rule.name());
  const std::uint64_t hash =
      stable_hash(rule.config().sql, stable_hash(sql::name_of(rule.statement().version())));
  for (int shift = 56; shift >= 0; shift -= 8) key += static_cast<char>(hash >> shift);
  return key;
}

}  // namespace twinmq::rules
