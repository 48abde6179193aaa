#include "app/rule_book.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

#include "app/house_parts.hpp"
#include "app/rule_definition.hpp"
#include "app/rule_sinks.hpp"
#include "base/escape.hpp"
#include "records/rule_record.hpp"

namespace twinmq::app {
namespace {

Error taken_twice(const std::string& name, std::size_t place) {
  return {ErrorCode::InvalidConfig, "the rule \"" + name + "\" stands in the configuration (rule[" +
                                        std::to_string(place) + "]) and in the store (key " +
                                        records::rule_key(name) +
                                        "); rename the one in the configuration, or take it out "
                                        "and then delete the stored one with: twinmq rule "
                                        "delete " +
                                        name};
}

}  // namespace

void log_warnings(
    const rules::CompiledRule& rule,
    const std::function<void(LogLevel, std::string_view event, const std::string& detail)>& log) {
  for (const std::string& each : rule.warnings())
    log(LogLevel::Warning, "rule warning", "rule=" + rule.name() + " warning=" + escaped(each));
}

Error RuleBook::not_found(std::string_view name) {
  return {ErrorCode::NotFound, "there is no rule \"" + std::string(name) + "\""};
}

// --- Start and end

Result<void> RuleBook::begin(const Config& config, Store& store,
                             std::shared_ptr<sinks::DurableQueues> queues) {
  const std::scoped_lock change(change_);
  Entries entries;
  reach_->set(config.rules);
  {
    const std::scoped_lock lock(mutex_);
    limits_ = config.rules;
    queues_ = queues;
    open_ = config.modules.rules;
    entries_.clear();
    if (!open_) return {};
  }
  for (std::size_t i = 0; i < config.rule.size(); ++i) {
    auto compiled = judge(config.rule[i], config.rules);
    if (!compiled) return Error{ErrorCode::InvalidConfig, compiled.error().detail};
    auto sinks = open_rule_sinks(config.rule[i], config.rules, *plugins_, reach_);
    if (!sinks) return sinks.error();
    for (RuleSink& each : *sinks)
      queues->add(std::move(each.name), std::move(each.sink), each.options);
    Entry entry;
    entry.status.config = config.rule[i];
    entry.status.warnings = (*compiled)->warnings();
    entry.compiled = std::move(*compiled);
    entry.place = i;
    entries.emplace(config.rule[i].name, std::move(entry));
  }
  if (const auto read = read_stored(store, entries); !read) return read;
  const std::scoped_lock lock(mutex_);
  entries_ = std::move(entries);
  return {};
}

Result<void> RuleBook::read_stored(Store& store, Entries& entries) {
  std::vector<Entry> found;
  const std::string from(1, records::kRulePrefix);
  const auto scanned =
      store.scan(from, std::string(1, records::kRulePrefix + 1),
                 [&](std::string_view key, std::string_view value) {
                   const auto record = records::decode_rule(key, value);
                   const std::string name(records::rule_of_key(key));
                   auto rule = record ? read_rule_definition(record->definition, name)
                                      : Result<RuleConfig>(record.error());
                   if (!rule) {
                     doors_.log(LogLevel::Error, "stored record left out",
                                "rule=" + name + " reason=" + escaped(rule.error().detail));
                     return true;
                   }
                   Entry entry;
                   entry.status.config = std::move(*rule);
                   entry.status.config.name = name;
                   entry.status.stored = true;
                   entry.status.created = record->created;
                   entry.status.changed = record->changed;
                   entry.place = kStoredPlace;
                   found.push_back(std::move(entry));
                   return true;
                 });
  if (!scanned) return scanned;
  for (Entry& entry : found) {
    const RuleConfig& config = entry.status.config;
    if (const auto other = entries.find(config.name); other != entries.end())
      return taken_twice(config.name, other->second.place);
    judge_again(entry, limits());
    entries.emplace(config.name, std::move(entry));
  }
  return {};
}

void RuleBook::judge_again(Entry& entry, const RulesConfig& limits) const {
  const RuleConfig& config = entry.status.config;
  const bool ran = entry.compiled != nullptr;
  auto compiled = judge(config, limits);
  auto sinks = compiled && !ran ? open_rule_sinks(config, limits, *plugins_, reach_)
                                : Result<std::vector<RuleSink>>(std::vector<RuleSink>());
  const std::string fault = !compiled ? compiled.error().detail
                            : !sinks  ? sinks.error().detail
                                      : std::string();
  if (fault.empty()) {
    if (const auto there = queues())
      for (RuleSink& each : *sinks)
        there->add(std::move(each.name), std::move(each.sink), each.options);
    entry.compiled = std::move(*compiled);
    entry.status.warnings = entry.compiled->warnings();
    if (!ran) log_warnings(*entry.compiled, doors_.log);
  } else {
    entry.compiled = nullptr;
    entry.status.warnings.clear();
    doors_.log(LogLevel::Error, "stored rule does not run",
               "rule=" + config.name + " reason=" + escaped(fault));
  }
  entry.status.fault = fault;
}

// --- Loading the configuration again

struct RuleBook::Reload {
  std::unique_lock<std::mutex> change;
  bool open = false;
  RulesConfig limits;
  Entries entries;                ///< those of the configuration
  std::vector<RuleSink> sinks;    ///< of actions that are new or changed
  std::vector<std::string> gone;  ///< queues that nobody needs any more
};

Result<std::shared_ptr<RuleBook::Reload>> RuleBook::prepare(const Config& config) {
  auto reload = std::make_shared<Reload>();
  reload->change = std::unique_lock(change_);
  reload->limits = config.rules;
  Entries before;
  {
    const std::scoped_lock lock(mutex_);
    reload->open = open_;
    before = entries_;
  }
  if (!reload->open) return reload;
  for (std::size_t i = 0; i < config.rule.size(); ++i) {
    const RuleConfig& rule = config.rule[i];
    const auto old = before.find(rule.name);
    if (old != before.end() && old->second.status.stored) return taken_twice(rule.name, i);
    auto compiled = judge(rule, config.rules);
    if (!compiled) return Error{ErrorCode::InvalidConfig, compiled.error().detail};
    Entry entry;
    entry.status.config = rule;
    entry.status.warnings = (*compiled)->warnings();
    entry.compiled = std::move(*compiled);
    entry.place = i;
    reload->entries.emplace(rule.name, std::move(entry));
    if (old != before.end() && old->second.status.config.actions == rule.actions &&
        old->second.status.config.error_actions == rule.error_actions)
      continue;
    auto sinks = open_rule_sinks(rule, config.rules, *plugins_, reach_);
    if (!sinks) return sinks.error();
    for (RuleSink& each : *sinks) reload->sinks.push_back(std::move(each));
  }
  for (const auto& [name, entry] : before) {
    if (entry.status.stored) continue;
    std::vector<std::string> needed;
    if (const auto next = reload->entries.find(name); next != reload->entries.end())
      needed = rule_sink_names(next->second.status.config);
    for (std::string& each : rule_sink_names(entry.status.config))
      if (std::find(needed.begin(), needed.end(), each) == needed.end())
        reload->gone.push_back(std::move(each));
  }
  return reload;
}

// What waits in queues that nobody needs any more stays in the store: the rule may come back.
void RuleBook::apply(Reload& reload) {
  if (!reload.open) return;
  reach_->set(reload.limits);
  const auto there = queues();
  for (RuleSink& each : reload.sinks)
    if (there) there->add(std::move(each.name), std::move(each.sink), each.options);
  Entries before;
  {
    const std::scoped_lock lock(mutex_);
    before = entries_;
    limits_ = reload.limits;
  }
  Entries next = std::move(reload.entries);
  std::vector<std::string> removed;
  for (auto& [name, entry] : before) {
    if (entry.status.stored) {
      judge_again(entry, reload.limits);
      if (!entry.compiled) removed.push_back(name);
      next.emplace(name, std::move(entry));
    } else if (!next.contains(name)) {
      removed.push_back(name);
    }
  }
  {
    const std::scoped_lock lock(mutex_);
    entries_ = std::move(next);
  }
  const auto put = std::make_shared<const std::vector<rules::PlacedRule>>(placed());
  for (const rules::PlacedRule& each : *put) {
    if (each.place == kStoredPlace) continue;
    const auto old = before.find(each.rule->name());
    if (old == before.end() || old->second.status.config != each.rule->config())
      log_warnings(*each.rule, doors_.log);
  }
  const bool all = doors_.on_every_shard(
      [put, removed, limits = reload.limits](rules::RulesService& service, std::uint32_t) {
        service.set_limits(limits);
        for (const std::string& each : removed) service.remove(each, false);
        for (const rules::PlacedRule& each : *put) service.put(each);
      });
  for (const std::string& each : reload.gone)
    if (there) there->remove(each);
  if (!all)
    doors_.log(LogLevel::Error, "rules reloaded in part", "reason=\"not every shard answered\"");
}

void RuleBook::end() {
  const std::scoped_lock lock(mutex_);
  open_ = false;
  queues_.reset();
}

std::shared_ptr<sinks::DurableQueues> RuleBook::queues() const {
  const std::scoped_lock lock(mutex_);
  return queues_;
}

std::vector<rules::PlacedRule> RuleBook::placed() const {
  const std::scoped_lock lock(mutex_);
  std::vector<rules::PlacedRule> all;
  for (const auto& [name, entry] : entries_)
    if (entry.compiled) all.push_back({entry.compiled, entry.place});
  return all;
}

// --- What is asked

std::vector<RuleStatus> RuleBook::list() const {
  const std::scoped_lock lock(mutex_);
  std::vector<RuleStatus> all;
  for (const auto& [name, entry] : entries_) all.push_back(entry.status);
  return all;
}

Result<RuleStatus> RuleBook::get(std::string_view name) const {
  const std::scoped_lock lock(mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end()) return not_found(name);
  return found->second.status;
}

Result<RuleStatistics> RuleBook::statistics(std::string_view name) const {
  if (const auto known = get(name); !known) return known.error();
  struct Sum {
    std::mutex mutex;
    rules::RuleCounters counters;
  };
  const auto sum = std::make_shared<Sum>();
  const bool all = doors_.on_every_shard(
      [sum, name = std::string(name)](rules::RulesService& service, std::uint32_t) {
        const auto counted = service.counters(name);
        const std::scoped_lock lock(sum->mutex);
        if (counted) sum->counters += *counted;
      });
  if (!all) return Error{ErrorCode::Unavailable, "not every shard answered"};
  const std::scoped_lock lock(sum->mutex);
  const rules::RuleCounters& from = sum->counters;
  RuleStatistics told;
  told.matched = from.matched;
  told.unmatched = from.unmatched;
  told.lookups_failed = from.lookups_failed;
  told.steps_spent = from.steps_spent;
  told.memory_spent = from.memory_spent;
  told.held_back = from.held_back;
  told.refused = from.refused;
  told.undecodable = from.undecodable;
  told.late = from.late;
  told.groups_dropped = from.groups_dropped;
  told.actions_done = from.actions_done;
  told.actions_failed = from.actions_failed;
  const std::string prefix = std::string(name) + "/";
  for (SinkStatistics& each : sinks())
    if (each.name.starts_with(prefix)) told.sinks.push_back(std::move(each));
  return told;
}

std::vector<SinkStatistics> RuleBook::sinks() const {
  const auto all = queues();
  return all ? all->statistics() : std::vector<SinkStatistics>();
}

Result<std::uint64_t> RuleBook::replay(std::string_view sink) {
  const auto all = sinks();
  if (std::none_of(all.begin(), all.end(),
                   [&](const SinkStatistics& each) { return each.name == sink; }))
    return Error{ErrorCode::NotFound, "there is no sink \"" + std::string(sink) + "\""};
  const auto there = queues();
  return std::uint64_t{there ? there->replay(sink) : 0};
}

}  // namespace twinmq::app
