// Rules that are created, replaced, switched and deleted while the broker runs.

#include <algorithm>
#include <atomic>
#include <utility>

#include "app/config_validate.hpp"
#include "app/house_parts.hpp"
#include "app/rule_book.hpp"
#include "app/rule_definition.hpp"
#include "app/rule_sinks.hpp"
#include "base/escape.hpp"
#include "records/rule_record.hpp"

namespace twinmq::app {
namespace {

constexpr std::size_t kStoredMax = 10'000;
constexpr std::size_t kDefinitionBytesMax = 2 * 1024 * 1024;

// Where an action publishes if that is known before any message; empty: it is not.
std::string fixed_target(const rules::CompiledAction& action) {
  if (!action.target.constant() || !action.shadow.constant()) return {};
  std::string topic = action.target.text();
  if (action.kind == RuleActionKind::Shadow) {
    const std::string& name = action.shadow.text();
    return "$aws/things/" + topic +
           (name.empty() ? "/shadow/update" : "/shadow/name/" + name + "/update");
  }
  if (action.kind != RuleActionKind::Republish) return {};
  return topic.starts_with("$$") ? topic.substr(1) : topic;
}

}  // namespace

Result<void> RuleBook::ready() const {
  const std::scoped_lock lock(mutex_);
  if (!open_)
    return Error{ErrorCode::Unavailable, "rules are switched off, or the broker is not running"};
  return {};
}

RulesConfig RuleBook::limits() const {
  const std::scoped_lock lock(mutex_);
  return limits_;
}

Result<RuleBook::Compiled> RuleBook::judge(const RuleConfig& rule,
                                           const RulesConfig& limits) const {
  Config probe;
  probe.rules = limits;
  probe.rule = {rule};
  for (const ConfigComplaint& each : config_complaints(probe))
    if (each.key.starts_with("rule[")) return Error{ErrorCode::InvalidArgument, each.text};
  if (const auto sound = check_rules(probe, *plugins_); !sound)
    return Error{ErrorCode::InvalidArgument, sound.error().detail};
  auto compiled = rules::CompiledRule::compile(rule, plugins_.get());
  if (!compiled) return Error{ErrorCode::InvalidArgument, compiled.error().detail};
  return Compiled(std::make_shared<const rules::CompiledRule>(std::move(*compiled)));
}

// What depends on a message is checked with it.
Result<void> RuleBook::check_rights(const rules::CompiledRule& rule) const {
  for (const std::string& filter : rule.statement().filters()) {
    const auto refused = std::make_shared<std::atomic<bool>>(false);
    const bool asked = doors_.on_every_shard(
        [refused, name = rule.name(), filter](rules::RulesService& service, std::uint32_t) {
          if (!service.may_subscribe(name, filter)) *refused = true;
        });
    if (!asked) return Error{ErrorCode::Unavailable, "not every shard answered"};
    if (*refused)
      return Error{ErrorCode::PermissionDenied, "the access rules do not let rule:" + rule.name() +
                                                    " subscribe to \"" + filter + "\""};
  }
  for (const auto* actions : {&rule.actions(), &rule.error_actions()}) {
    for (const rules::CompiledAction& action : *actions) {
      const std::string topic = fixed_target(action);
      if (topic.empty()) continue;
      if (const std::string_view fault = rules::fault_of_target(topic); !fault.empty())
        return Error{ErrorCode::InvalidArgument, "rule \"" + rule.name() + "\": topic \"" + topic +
                                                     "\": " + std::string(fault)};
      const auto refused = std::make_shared<std::atomic<bool>>(false);
      const bool asked = doors_.on_every_shard(
          [refused, name = rule.name(), topic, qos = action.qos, retain = action.retain](
              rules::RulesService& service, std::uint32_t) {
            if (!service.may_publish(name, topic, qos, retain)) *refused = true;
          });
      if (!asked) return Error{ErrorCode::Unavailable, "not every shard answered"};
      if (*refused)
        return Error{
            ErrorCode::PermissionDenied,
            "the access rules do not let rule:" + rule.name() + " publish to \"" + topic + "\""};
    }
  }
  return {};
}

Result<RuleBook::Entry> RuleBook::changeable(std::string_view name) const {
  const std::scoped_lock lock(mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end()) return not_found(name);
  if (!found->second.status.stored)
    return Error{ErrorCode::PermissionDenied,
                 "the rule \"" + std::string(name) +
                     "\" is the configuration's and cannot be changed at run time"};
  return found->second;
}

Result<void> RuleBook::create(RuleConfig rule) {
  const std::scoped_lock change(change_);
  if (const auto open = ready(); !open) return open;
  {
    const std::scoped_lock lock(mutex_);
    if (const auto found = entries_.find(rule.name); found != entries_.end())
      return Error{ErrorCode::AlreadyExists,
                   "there is a rule \"" + rule.name + "\" already, " +
                       (found->second.status.stored ? "in the store" : "in the configuration")};
    if (entries_.size() >= kStoredMax)
      return Error{ErrorCode::LimitReached,
                   "there are " + std::to_string(kStoredMax) + " rules already"};
  }
  return put(std::move(rule), nullptr);
}

Result<void> RuleBook::replace(RuleConfig rule) {
  const std::scoped_lock change(change_);
  if (const auto open = ready(); !open) return open;
  const auto before = changeable(rule.name);
  if (!before) return before.error();
  return put(std::move(rule), &*before);
}

Result<void> RuleBook::enable(std::string_view name, bool enabled) {
  const std::scoped_lock change(change_);
  if (const auto open = ready(); !open) return open;
  const auto before = changeable(name);
  if (!before) return before.error();
  RuleConfig rule = before->status.config;
  rule.enabled = enabled;
  return put(std::move(rule), &*before);
}

Result<void> RuleBook::put(RuleConfig rule, const Entry* before) {
  auto compiled = judge(rule, limits());
  if (!compiled) return compiled.error();
  if (const auto allowed = check_rights(**compiled); !allowed) return allowed;
  const bool same = before != nullptr && before->compiled &&
                    before->status.config.actions == rule.actions &&
                    before->status.config.error_actions == rule.error_actions;
  auto sinks = same ? Result<std::vector<RuleSink>>(std::vector<RuleSink>())
                    : open_rule_sinks(rule, limits(), *plugins_, reach_);
  if (!sinks) return sinks.error();

  Entry entry;
  entry.status.stored = true;
  entry.status.changed = doors_.wall();
  entry.status.created = before == nullptr ? entry.status.changed : before->status.created;
  entry.place = kStoredPlace;
  entry.compiled = std::move(*compiled);
  entry.status.warnings = entry.compiled->warnings();
  const std::string definition = rule_definition(rule);
  if (definition.size() > kDefinitionBytesMax)
    return Error{ErrorCode::LimitReached, "the definition of a rule has at most 2 MiB"};
  Batch changes;
  changes.put(records::rule_key(rule.name),
              records::encode_rule({entry.status.created, entry.status.changed, definition}));
  if (!doors_.commit(changes))
    return Error{ErrorCode::StorageFailed, "the rule \"" + rule.name + "\" could not be stored"};

  std::vector<std::string> gone;
  if (before != nullptr && !same) gone = rule_sink_names(before->status.config);
  const auto there = queues();
  for (RuleSink& each : *sinks) {
    std::erase(gone, each.name);
    if (there) there->add(std::move(each.name), std::move(each.sink), each.options);
  }
  const rules::PlacedRule placed{entry.compiled, entry.place};
  entry.status.config = std::move(rule);
  const std::string name = entry.status.config.name;
  {
    const std::scoped_lock lock(mutex_);
    entries_.insert_or_assign(name, std::move(entry));
  }
  const bool all = doors_.on_every_shard(
      [placed](rules::RulesService& service, std::uint32_t) { service.put(placed); });
  for (const std::string& each : gone)
    if (there) there->remove(each, true);
  if (!all)
    return Error{ErrorCode::Unavailable, "the rule is stored, but not every shard answered"};
  doors_.log(LogLevel::Info, before == nullptr ? "rule created" : "rule changed", "rule=" + name);
  log_warnings(*placed.rule, doors_.log);
  return {};
}

Result<void> RuleBook::erase(std::string_view name) {
  const std::scoped_lock change(change_);
  if (const auto open = ready(); !open) return open;
  const auto before = changeable(name);
  if (!before) return before.error();
  Batch changes;
  changes.erase(records::rule_key(name));
  if (!doors_.commit(changes))
    return Error{ErrorCode::StorageFailed,
                 "the rule \"" + std::string(name) + "\" could not be deleted"};
  {
    const std::scoped_lock lock(mutex_);
    entries_.erase(entries_.find(name));
  }
  const bool all = doors_.on_every_shard(
      [name = std::string(name)](rules::RulesService& service, std::uint32_t) {
        service.remove(name, true);
      });
  if (const auto there = queues())
    for (const std::string& each : rule_sink_names(before->status.config))
      there->remove(each, true);
  if (!all)
    return Error{ErrorCode::Unavailable, "the rule is deleted, but not every shard answered"};
  doors_.log(LogLevel::Info, "rule deleted", "rule=" + std::string(name));
  return {};
}

}  // namespace twinmq::app
