#include "modules/rules/rules_service.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "modules/rules/drop_events.hpp"
#include "sql/functions.hpp"

namespace twinmq::rules {
namespace {

constexpr std::uint32_t kIngestTag = UINT32_MAX;
constexpr std::uint32_t kStateTag = UINT32_MAX - 1;
constexpr std::string_view kStatePrefix = "$twinmq/rules/state/";
constexpr std::string_view kIngestPrefix = "$aws/rules/";

bool stands_before(const RunningRule* a, const RunningRule* b) {
  return a->place != b->place ? a->place < b->place : a->compiled().name() < b->compiled().name();
}

std::string end_of(std::string prefix) {
  ++prefix.back();
  return prefix;
}

}  // namespace

RulesService::RulesService(const RulesConfig& config, const std::vector<PlacedRule>& rules,
                           ZoneFile zone_file, std::shared_ptr<SinkQueues> sinks, Outside outside)
    : outside_(std::move(outside)),
      world_(std::move(zone_file), outside_.functions),
      actions_(world_, scratch_, std::move(sinks)) {
  set_limits(config);
  world_.set_files(outside_.files);
  for (const PlacedRule& each : rules) admit(each);
}

RulesService::~RulesService() = default;

void RulesService::set_limits(const RulesConfig& config) {
  budget_.steps = config.steps_max;
  budget_.memory = config.memory_bytes_max;
  cells_max_ = config.state_cells_max;
  account_id_ = config.account_id;
  actions_.set_budget(budget_);
}

void RulesService::attach(ServiceHost& host) {
  host_ = &host;
  world_.attach(host);
  actions_.attach(host);
  tickets_ = host.random();  // answers to an earlier service of this shard mean nothing here
  host.subscribe(std::string(kIngestPrefix) + "#", kIngestTag);
  host.subscribe(std::string(kStatePrefix) + "+", kStateTag);
  for (const auto& [name, rule] : rules_) subscribe(*rule);
}

// --- Which rules there are

RunningRule& RulesService::admit(const PlacedRule& rule) {
  auto running = std::make_unique<RunningRule>(rule, cells_max_);
  RunningRule& admitted = *running;
  if (admitted.windows) windowed_.push_back(&admitted);
  rules_.insert_or_assign(rule.rule->name(), std::move(running));
  return admitted;
}

void RulesService::put(const PlacedRule& rule) {
  const auto found = rules_.find(rule.rule->name());
  if (found != rules_.end() && found->second->remembers_like(*rule.rule)) {
    RunningRule& same = *found->second;
    unsubscribe(same);
    same.become(rule);
    return subscribe(same);
  }
  if (found != rules_.end()) remove(rule.rule->name(), true);
  subscribe(admit(rule));
}

void RulesService::remove(std::string_view name, bool forget) {
  const auto found = rules_.find(std::string(name));
  if (found == rules_.end()) return;
  unsubscribe(*found->second);
  std::erase(windowed_, found->second.get());
  // A message that waits for functions still runs the rule it was published under.
  if (waiting_count_ > 0) retired_.push_back(std::move(found->second));
  rules_.erase(found);
  if (!forget || !host_->is_home(name)) return;
  host_->react([prefix = memory_prefix(name)](Reaction& reaction) {
    reaction.records().erase_range(prefix, end_of(prefix));
  });
}

// Rules with one filter share a subscription: the tree knows one tag for each.
void RulesService::subscribe(RunningRule& rule) {
  if (!rule.compiled().config().enabled) return;
  for (const std::string& filter : rule.compiled().statement().filters()) {
    if (host_->shard() == 0 && !may_subscribe(rule.compiled().name(), filter))
      host_->log(LogLevel::Warning, "rule may not subscribe",
                 "rule=" + rule.compiled().name() + " filter=" + filter);
    const auto [place, added] = tags_.emplace(filter, 0);
    if (added) {
      // The tag 0 is that of subscriptions without one.
      if (by_tag_.empty()) by_tag_.resize(1);
      if (free_tags_.empty()) {
        free_tags_.push_back(static_cast<std::uint32_t>(by_tag_.size()));
        by_tag_.emplace_back();
      }
      place->second = free_tags_.back();
      free_tags_.pop_back();
      by_tag_[place->second] = {{}, filter.ends_with("/#"), filter};
      host_->subscribe(filter, place->second);
    }
    auto& there = by_tag_[place->second].rules;
    if (std::find(there.begin(), there.end(), &rule) != there.end()) continue;
    there.insert(std::upper_bound(there.begin(), there.end(), &rule, stands_before), &rule);
  }
}

void RulesService::unsubscribe(RunningRule& rule) {
  for (const std::string& filter : rule.compiled().statement().filters()) {
    const auto place = tags_.find(filter);
    if (place == tags_.end()) continue;
    std::erase(by_tag_[place->second].rules, &rule);
    if (!by_tag_[place->second].rules.empty()) continue;
    free_tags_.push_back(place->second);
    tags_.erase(place);
    host_->unsubscribe(filter);
  }
}

Result<void> RulesService::restore(Store& store, Now) {
  for (const auto& [name, rule] : rules_) {
    if (!host_->is_home(name)) continue;
    const std::string begin = memory_prefix(name);
    const bool persists = rule->compiled().config().persist;
    const auto read = store.scan(
        begin, end_of(begin), [&, rule = rule.get()](std::string_view key, std::string_view value) {
          if (!persists || !key.starts_with(rule->memory))
            forgotten_.emplace_back(key);  // another statement's
          else if (!rule->restore_cell(key.substr(rule->memory.size()), value))
            host_->log(LogLevel::Warning, "rule forgot", "rule=" + rule->compiled().name());
          return true;
        });
    if (!read) return read;
  }
  return {};
}

std::optional<RuleCounters> RulesService::counters(std::string_view name) const {
  const auto found = rules_.find(std::string(name));
  if (found == rules_.end()) return std::nullopt;
  RuleCounters counted = found->second->counters;
  if (found->second->windows) {
    counted.late = found->second->windows->late();
    counted.groups_dropped = found->second->windows->dropped();
  }
  return counted;
}

bool RulesService::may_publish(std::string_view rule, std::string_view topic, QoS qos,
                               bool retain) const {
  return host_->may(identity_of(rule), Action::Publish, topic, qos, retain);
}

bool RulesService::may_subscribe(std::string_view rule, std::string_view filter) const {
  return host_->may(identity_of(rule), Action::Subscribe, filter, QoS::AtMostOnce, false);
}

bool RulesService::may_receive(RunningRule& rule, const MessageParts& message) {
  if (host_->may(rule.identity, Action::Receive, message.topic, message.qos, message.retain))
    return true;
  ++rule.counters.refused;
  return false;
}

// --- Messages

std::string_view RulesService::home_key(std::string_view topic) const {
  return topic.starts_with(kStatePrefix) ? topic.substr(kStatePrefix.size()) : std::string_view();
}

// Nobody would ever get what basic ingest retained.
bool RulesService::forbids(std::string_view topic, bool retain) const {
  return topic.starts_with(kOwnTopics) || (retain && topic.starts_with(kIngestPrefix));
}

bool RulesService::hides(std::string_view topic) const {
  return topic.starts_with(kOwnTopics) || topic.starts_with(kIngestPrefix);
}

void RulesService::on_message(const ServiceMessage& message, Reaction& reaction) {
  document_.reset();
  const bool own =
      std::find(message.tags.begin(), message.tags.end(), kStateTag) != message.tags.end();
  if (own) return remembered(message, reaction);
  if (std::find(message.tags.begin(), message.tags.end(), kIngestTag) != message.tags.end())
    ingest(message, reaction);
  const MessageParts& parts = message.parts;
  const Envelope envelope{parts.topic,
                          parts.payload,
                          parts.properties,
                          parts.publisher,
                          message.principal,
                          message.peer,
                          static_cast<std::uint8_t>(parts.qos),
                          parts.retain};
  due_.clear();
  for (const std::uint32_t tag : message.tags) {
    if (tag >= by_tag_.size()) continue;
    const Filtered& there = by_tag_[tag];
    if (there.open && !sql::filter_covers(there.filter, parts.topic)) continue;
    due_.insert(due_.end(), there.rules.begin(), there.rules.end());
  }
  // Each rule runs once, in the order of the configuration, however many of its filters match.
  const bool several = message.tags.size() > 1;
  if (several) {
    std::sort(due_.begin(), due_.end(), stands_before);
    due_.erase(std::unique(due_.begin(), due_.end()), due_.end());
  }
  if (host_->restricts())
    std::erase_if(due_, [&](RunningRule* rule) { return !may_receive(*rule, parts); });
  run_due(envelope, parts.topic, reaction);
}

void RulesService::run_due(const Envelope& envelope, std::string_view topic, Reaction& reaction) {
  if (due_.empty()) return;
  if (must_wait(envelope.publisher)) return wait(envelope, topic, reaction);
  SeenMessage seen(envelope, topic, host_->now().wall.time_since_epoch().count(), account_id_,
                   document_);
  for (RunningRule* rule : due_) run(*rule, seen, reaction);
}

void RulesService::ingest(const ServiceMessage& message, Reaction& reaction) {
  const auto ingest = sql::basic_ingest(message.parts.topic);
  const auto found = ingest ? rules_.find(std::string(ingest->rule)) : rules_.end();
  if (found == rules_.end() || !found->second->compiled().config().enabled)
    return host_->log(LogLevel::Warning, "rule not found",
                      "topic=" + std::string(message.parts.topic));
  const MessageParts& parts = message.parts;
  const Envelope envelope{ingest->topic,
                          parts.payload,
                          parts.properties,
                          parts.publisher,
                          message.principal,
                          message.peer,
                          static_cast<std::uint8_t>(parts.qos),
                          parts.retain};
  due_.assign(1, found->second.get());
  run_due(envelope, ingest->topic, reaction);
}

// --- What a rule remembers, at its home

void RulesService::remembered(const ServiceMessage& message, Reaction& reaction) {
  const auto envelope = read_envelope(message.parts.payload);
  const auto found = rules_.find(std::string(home_key(message.parts.topic)));
  if (!envelope || found == rules_.end()) return;
  SeenMessage seen(*envelope, envelope->topic, host_->now().wall.time_since_epoch().count(),
                   account_id_, document_);
  RunningRule& rule = *found->second;
  auto answers = read_answers(envelope->answers);
  if (!answers) return run(rule, seen, reaction);
  // It was asked for where the message entered.
  WaitingMessage answered;
  answered.answers = std::move(*answers);
  world_.look_up_in(&answered);
  world_.acts_as(rule.compiled().name());
  run(rule, seen, reaction);
  world_.look_up_in(nullptr);
}

// To the shard where the rule remembers.
void RulesService::forward(RunningRule& rule, SeenMessage& seen, Reaction& reaction) {
  const std::string topic = std::string(kStatePrefix) + rule.compiled().name();
  const std::string answers = world_.answers();
  Envelope envelope = seen.envelope;
  envelope.answers = answers;
  envelope.trace_id = sql::trace_id_of(seen.event, &world_);
  const std::string bytes = write_envelope(envelope);
  MessageParts parts;
  parts.topic = topic;
  parts.payload = bytes;
  parts.qos = static_cast<QoS>(seen.envelope.qos);
  reaction.publish(parts);
}

// --- Running a rule

void RulesService::run(RunningRule& rule, SeenMessage& seen, Reaction& reaction) {
  if (rule.remembers && !host_->is_home(rule.compiled().name()))
    return forward(rule, seen, reaction);
  scratch_.reset();
  if (rule.program->group) return gather(rule, seen, reaction);
  const sql::Evaluated result = sql::evaluate(*rule.program, seen.event, seen.payload, &world_,
                                              rule.state, scratch_, budget_);
  rule.counters.undecodable += world_.take_undecodable();
  if (rule.remembers && rule.compiled().config().persist) keep(rule, reaction);
  switch (result.outcome) {
    case sql::Outcome::Match: break;
    case sql::Outcome::LookupFailed:
    case sql::Outcome::StepsSpent:
    case sql::Outcome::MemorySpent:
      count_failure(rule, result.outcome);
      return host_->log(LogLevel::Warning, "rule failed",
                        "rule=" + rule.compiled().name() + " reason=\"" +
                            std::string(describe(result.outcome)) + "\"");
    default: ++rule.counters.unmatched; return host_->count(Metric::RuleUnmatched);
  }
  ++rule.counters.matched;
  host_->count(Metric::RuleMatched);
  if (!result.several) return actions_.act(rule, seen, result, reaction);
  for (const json::Value& each : result.value.items()) {
    sql::Evaluated one;
    one.value = each;
    actions_.act(rule, seen, one, reaction);
  }
}

void RulesService::count_failure(RunningRule& rule, sql::Outcome outcome) {
  host_->count(Metric::RuleFailed);
  if (outcome == sql::Outcome::LookupFailed) ++rule.counters.lookups_failed;
  if (outcome == sql::Outcome::StepsSpent) ++rule.counters.steps_spent;
  if (outcome == sql::Outcome::MemorySpent) ++rule.counters.memory_spent;
}

void RulesService::gather(RunningRule& rule, SeenMessage& seen, Reaction& reaction) {
  sql::Windows::Context context{&world_, scratch_, budget_};
  const sql::Outcome outcome = rule.windows->add(seen.event, seen.payload, context, closed_);
  rule.counters.undecodable += world_.take_undecodable();
  const bool spent = outcome == sql::Outcome::StepsSpent || outcome == sql::Outcome::MemorySpent;
  if (spent || outcome == sql::Outcome::LookupFailed) return count_failure(rule, outcome);
  const bool matched = outcome == sql::Outcome::Match;
  ++(matched ? rule.counters.matched : rule.counters.unmatched);
  host_->count(matched ? Metric::RuleMatched : Metric::RuleUnmatched);
  if (rule.compiled().config().persist) keep(rule, reaction);
  act_on_closed(rule, reaction);
}

// No message stands behind a window: expressions of the actions see the window's result.
void RulesService::act_on_closed(RunningRule& rule, Reaction& reaction) {
  // The message at hand goes on to other rules: its document stays.
  for (const std::string& text : std::exchange(closed_, {})) {
    closed_document_.reset();
    scratch_.reset();
    Envelope envelope;
    envelope.payload = text;
    SeenMessage seen(envelope, {}, host_->now().wall.time_since_epoch().count(), account_id_,
                     closed_document_);
    sql::Evaluated result;
    result.value = seen.payload.json().value;
    actions_.act(rule, seen, result, reaction);
  }
  tell_closings(rule, reaction);
}

// Built only where somebody hears it.
void RulesService::tell_closings(RunningRule& rule, Reaction& reaction) {
  const auto closings = rule.windows->take_closings();
  if (closings.empty()) return;
  const std::string topic = std::string(kEventTopics) + "window/" + rule.compiled().name();
  if (!host_->has_receivers(topic)) return;
  const std::string now = std::to_string(host_->now().wall.time_since_epoch().count());
  for (const sql::Windows::Closing& each : closings) {
    const std::string payload = "{\"rule\":\"" + rule.compiled().name() +
                                "\",\"windowStart\":" + std::to_string(each.begin) +
                                ",\"windowEnd\":" + std::to_string(each.end) +
                                ",\"groups\":" + std::to_string(each.groups) +
                                ",\"timestamp\":" + now + "}";
    MessageParts parts;
    parts.topic = topic;
    parts.payload = payload;
    parts.qos = QoS::AtLeastOnce;
    reaction.publish(parts);
  }
}

Instant RulesService::next_deadline() const {
  const Now now = host_->now();
  if (!forgotten_.empty()) return now.steady;
  Instant next = kNever;
  for (const RunningRule* rule : windowed_) {
    const auto deadline = rule->windows->next_deadline();
    if (!deadline) continue;
    const std::int64_t left =
        std::max<std::int64_t>(*deadline - now.wall.time_since_epoch().count(), 0);
    next = std::min(next, now.steady + Milliseconds(left));
  }
  return next;
}

void RulesService::on_time(Reaction& reaction) {
  for (const std::string& key : std::exchange(forgotten_, {})) reaction.records().erase(key);
  sql::Windows::Context context{&world_, scratch_, budget_};
  for (RunningRule* rule : windowed_) {
    rule->windows->advance(host_->now().wall.time_since_epoch().count(), context, closed_);
    if (rule->compiled().config().persist) keep(*rule, reaction);
    act_on_closed(*rule, reaction);
  }
}

void RulesService::keep(RunningRule& rule, Reaction& reaction) {
  for (const auto& [name, text] : rule.state.take_touched())
    reaction.records().put(rule.memory + name, text);
  if (!rule.windows) return;
  for (const auto& [name, text] : rule.windows->take_touched()) {
    if (text)
      reaction.records().put(rule.memory + name, *text);
    else
      reaction.records().erase(rule.memory + name);
  }
}

}  // namespace twinmq::rules
