#include "modules/rules/rules_service.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/prng.hpp"
#include "core/reserved_topics.hpp"
#include "json/read.hpp"
#include "json/write.hpp"
#include "modules/rules/envelope.hpp"
#include "mqtt/properties.hpp"
#include "mqtt/topic.hpp"
#include "sql/base64.hpp"
#include "sql/windows.hpp"

namespace twinmq::rules {
namespace {

constexpr std::uint32_t kIngestTag = UINT32_MAX;
constexpr std::uint32_t kStateTag = UINT32_MAX - 1;
constexpr std::string_view kStatePrefix = "$twinmq/rules/state/";
constexpr std::string_view kOwnTopics = "$twinmq/rules/";
constexpr char kCell = 'R';
constexpr std::uint32_t kTopicLevelsMax = 128;
constexpr std::size_t kLogBytesMax = 1000;
constexpr std::size_t kWaitingMax = 10'000;  // messages of one shard
constexpr unsigned kRoundsMax = 64;          // questions about one message

// 'R', the rule, a zero byte: what its functions remember follows.
std::string cell_key(std::string_view rule) {
  std::string key(1, kCell);
  key += rule;
  key += '\0';
  return key;
}

std::string_view without_port(std::string_view peer) {
  if (peer.starts_with('[')) return peer.substr(1, peer.find(']') - 1);
  const std::size_t colon = peer.rfind(':');
  return colon == std::string_view::npos ? peer : peer.substr(0, colon);
}

}  // namespace

struct RulesService::Rule {
  Rule(CompiledRule from, std::size_t cells_max) : compiled(std::move(from)), state(cells_max) {
    if (compiled.windowed()) windows = std::make_unique<sql::Windows>(compiled.statement());
  }

  CompiledRule compiled;
  sql::State state;
  std::unique_ptr<sql::Windows> windows;  // of a rule with GROUP BY
  RuleCounters counters;
  std::size_t order = 0;
};

// A message held back until what its rules ask outside is known. Its rules are evaluated for their questions, again
// and again until there is none left, and then for good: what they see is the same every time.
struct RulesService::Waiting {
  HeldTransaction transaction = 0;
  std::string publisher;
  std::string envelope;
  std::string topic;  ///< as statements see it
  std::vector<Rule*> due;
  std::int64_t now = 0;
  std::uint64_t seed = 0;
  std::uint64_t ticket = 0;
  unsigned rounds = 0;
  bool ready = false;
  std::string question;                                  ///< the call that has no answer yet
  std::unordered_map<std::string, std::string> answers;  ///< JSON by call; empty: Undefined
};

class RulesService::World : public sql::World {
 public:
  World(ZoneFile zone_file, const RulesService& service) : zone_file_(std::move(zone_file)), service_(service) {}

  /// Until the next call functions that answer later are looked up there, and asked for there.
  void look_up_in(Waiting* waiting) {
    waiting_ = waiting;
    chance_ = base::Prng(waiting == nullptr ? 0 : waiting->seed);
  }

  std::optional<json::Value> call(std::string_view function, std::span<const json::Value> arguments,
                                  json::Arena& arena) override {
    sql::OutsideFunctions* functions = service_.outside_.functions.get();
    using Kind = sql::OutsideFunctions::Kind;
    const Kind kind = functions == nullptr ? Kind::None : functions->kind_of(function);
    if (kind == Kind::Fast) return functions->call(function, arguments, arena);
    if (kind != Kind::Pooled || waiting_ == nullptr || !waiting_->question.empty()) return std::nullopt;
    std::string question = std::string(function) + json::text_of(json::Value::array(arguments));
    const auto found = waiting_->answers.find(question);
    if (found == waiting_->answers.end()) {
      waiting_->question = std::move(question);
      return std::nullopt;
    }
    const json::ReadResult read = json::read(arena.copy(found->second), arena);
    return read.value;
  }

  json::Value aggregate(std::string_view name, std::span<const json::Value> values, json::Arena& arena) override {
    return service_.outside_.functions ? service_.outside_.functions->aggregate(name, values, arena) : json::Value();
  }

  std::optional<std::string> zone_file(std::string_view name) override {
    return zone_file_ ? zone_file_(name) : std::nullopt;
  }
  std::uint64_t random() override {
    return waiting_ == nullptr ? service_.host_->random() : chance_.next();
  }

 private:
  ZoneFile zone_file_;
  const RulesService& service_;
  Waiting* waiting_ = nullptr;
  base::Prng chance_{0};  // the same at every evaluation of a message
};

// One message while rules look at it: read once, whatever they ask.
struct RulesService::Seen {
  Seen(const Envelope& from, std::string_view topic, std::int64_t now, json::Arena& document)
      : envelope(from), payload(bytes_of(from.payload), document) {
    event.topic = topic;
    event.now = now;
    if (!from.publisher.empty()) event.client_id = from.publisher;
    event.user_name = from.principal;
    event.principal = from.principal;
    event.source_ip = without_port(from.peer);
    event.qos = from.qos;
    event.retain = from.retain;
    if (!from.properties.empty()) read_properties();
  }

  Seen(const Seen&) = delete;
  Seen& operator=(const Seen&) = delete;

  void read_properties() {
    properties = mqtt::decode_message_properties(envelope.properties);
    for (const auto& [name, value] : properties.user_properties) user_properties.push_back({name, value});
    event.user_properties = user_properties;
    event.payload_is_utf8 = properties.payload_is_text;
    if (!properties.content_type.empty()) event.content_type = properties.content_type;
    if (!properties.response_topic.empty()) event.response_topic = properties.response_topic;
    if (!properties.correlation_data.empty()) event.correlation_data = bytes_of(properties.correlation_data);
  }

  Envelope envelope;
  sql::Event event;
  sql::Payload payload;
  MessageProperties properties;
  std::vector<sql::UserProperty> user_properties;
};

RulesService::RulesService(const RulesConfig& config, const std::vector<RuleConfig>& rules, ZoneFile zone_file,
                           std::shared_ptr<SinkQueues> sinks, Outside outside)
    : world_(std::make_unique<World>(std::move(zone_file), *this)),
      sinks_(std::move(sinks)),
      outside_(std::move(outside)) {
  budget_.steps = config.steps_max;
  budget_.memory = config.memory_bytes_max;
  for (const RuleConfig& each : rules) {
    auto compiled = CompiledRule::compile(each, outside_.functions.get());
    if (!compiled) continue;
    rules_.push_back(std::make_unique<Rule>(std::move(*compiled), config.state_cells_max));
    rules_.back()->order = rules_.size();
    by_name_.emplace(each.name, rules_.back().get());
    if (each.persist) rules_.back()->state.track();
    if (rules_.back()->windows) windowed_.push_back(rules_.back().get());
  }
}

RulesService::~RulesService() = default;

// Rules with one filter share a subscription: the tree knows one tag for each.
void RulesService::attach(ServiceHost& host) {
  host_ = &host;
  tickets_ = host.random();  // answers to an earlier service of this shard mean nothing here
  host.subscribe("$aws/rules/#", kIngestTag);
  host.subscribe(std::string(kStatePrefix) + "+", kStateTag);
  // The tag 0 is that of subscriptions without one.
  by_tag_.resize(1);
  std::unordered_map<std::string_view, std::uint32_t> tags;
  for (const auto& rule : rules_) {
    if (!rule->compiled.config().enabled) continue;
    for (const std::string& filter : rule->compiled.statement().filters()) {
      const auto [place, added] = tags.emplace(filter, static_cast<std::uint32_t>(by_tag_.size()));
      if (added) {
        by_tag_.emplace_back();
        host.subscribe(filter, place->second);
      }
      by_tag_[place->second].push_back(rule.get());
    }
  }
}

Result<void> RulesService::restore(Store& store, Now) {
  for (const auto& rule : rules_) {
    if (!rule->compiled.config().persist || !host_->is_home(rule->compiled.name())) continue;
    const std::string begin = cell_key(rule->compiled.name());
    std::string end = begin;
    end.back() = 1;
    const auto read = store.scan(begin, end, [&](std::string_view key, std::string_view value) {
      if (!rule->state.restore_cell(key.substr(begin.size()), value))
        host_->log(LogLevel::Warning, "rule forgot", "rule=" + rule->compiled.name());
      return true;
    });
    if (!read) return read;
  }
  return {};
}

std::string_view RulesService::home_key(std::string_view topic) const {
  return topic.starts_with(kStatePrefix) ? topic.substr(kStatePrefix.size()) : std::string_view();
}

bool RulesService::forbids(std::string_view topic, bool) const {
  return topic.starts_with(kOwnTopics);
}

const RuleCounters* RulesService::counters(std::string_view rule) const {
  const auto found = by_name_.find(std::string(rule));
  return found == by_name_.end() ? nullptr : &found->second->counters;
}

void RulesService::on_message(const ServiceMessage& message, Reaction& reaction) {
  document_.reset();
  const bool own = std::find(message.tags.begin(), message.tags.end(), kStateTag) != message.tags.end();
  if (own) return remembered(message, reaction);
  if (std::find(message.tags.begin(), message.tags.end(), kIngestTag) != message.tags.end()) ingest(message, reaction);
  const MessageParts& parts = message.parts;
  const Envelope envelope{parts.topic,       parts.payload, parts.properties, parts.publisher,
                          message.principal, message.peer,  static_cast<std::uint8_t>(parts.qos), parts.retain};
  due_.clear();
  for (const std::uint32_t tag : message.tags) {
    if (tag >= by_tag_.size()) continue;
    for (Rule* rule : by_tag_[tag])
      if (rule->compiled.statement().covers(parts.topic)) due_.push_back(rule);
  }
  // Each rule runs once, in the order of the configuration, however many of its filters match.
  const bool several = message.tags.size() > 1;
  if (several) {
    std::sort(due_.begin(), due_.end(), [](const Rule* a, const Rule* b) { return a->order < b->order; });
    due_.erase(std::unique(due_.begin(), due_.end()), due_.end());
  }
  run_due(envelope, parts.topic, reaction);
}

void RulesService::run_due(const Envelope& envelope, std::string_view topic, Reaction& reaction) {
  if (due_.empty()) return;
  if (must_wait(envelope.publisher)) return wait(envelope, topic, reaction);
  Seen seen(envelope, topic, host_->now().wall.time_since_epoch().count(), document_);
  for (Rule* rule : due_) run(*rule, seen, reaction);
}

void RulesService::ingest(const ServiceMessage& message, Reaction& reaction) {
  const auto ingest = sql::basic_ingest(message.parts.topic);
  const auto found = ingest ? by_name_.find(std::string(ingest->rule)) : by_name_.end();
  if (found == by_name_.end() || !found->second->compiled.config().enabled)
    return host_->log(LogLevel::Warning, "rule not found", "topic=" + std::string(message.parts.topic));
  const MessageParts& parts = message.parts;
  const Envelope envelope{ingest->topic,     parts.payload, parts.properties, parts.publisher,
                          message.principal, message.peer,  static_cast<std::uint8_t>(parts.qos), parts.retain};
  due_.assign(1, found->second);
  run_due(envelope, ingest->topic, reaction);
}

// --- Functions that answer later

// What a publisher sends behind a message that waits, waits too: order is kept.
bool RulesService::must_wait(std::string_view publisher) const {
  if (waiting_count_ > 0 && waiting_.contains(std::string(publisher))) return true;
  return outside_.functions && std::any_of(due_.begin(), due_.end(), [](const Rule* rule) { return rule->compiled.asks(); });
}

void RulesService::wait(const Envelope& envelope, std::string_view topic, Reaction& reaction) {
  if (waiting_count_ >= kWaitingMax) {
    for (Rule* rule : due_) ++rule->counters.evaluation_failed;
    host_->log(LogLevel::Warning, "rules are too slow", "waiting=" + std::to_string(waiting_count_));
    return reaction.refuse();
  }
  auto waiting = std::make_unique<Waiting>();
  waiting->transaction = reaction.hold();
  waiting->publisher = envelope.publisher;
  waiting->envelope = write_envelope(envelope);
  waiting->topic = topic;
  waiting->due = due_;
  waiting->now = host_->now().wall.time_since_epoch().count();
  waiting->seed = host_->random();
  waiting->ticket = ++tickets_;
  Waiting& at = *waiting;
  ++waiting_count_;
  asked_.emplace(at.ticket, &at);
  waiting_[at.publisher].push_back(std::move(waiting));
  ask(at);
}

// Sends the first question that has no answer; without one the message is ready.
void RulesService::ask(Waiting& waiting) {
  const auto envelope = read_envelope(waiting.envelope);
  for (Rule* rule : waiting.due) {
    if (!rule->compiled.asks()) continue;
    document_.reset();
    scratch_.reset();
    Seen seen(*envelope, waiting.topic, waiting.now, document_);
    sql::State nothing;
    world_->look_up_in(&waiting);
    rule->compiled.statement().evaluate(seen.event, seen.payload, world_.get(), nothing, scratch_, budget_);
    world_->look_up_in(nullptr);
    if (!waiting.question.empty()) break;
  }
  const auto answered = [post = outside_.post, shard = host_->shard(), ticket = waiting.ticket](std::string answer) {
    post(shard, [ticket, answer = std::move(answer)](Service& service) {
      static_cast<RulesService&>(service).on_answer(ticket, answer);
    });
  };
  if (waiting.question.empty() || ++waiting.rounds > kRoundsMax) {
    waiting.question.clear();
    waiting.ready = true;
    return answered({});
  }
  const std::size_t arguments = waiting.question.find('[');
  outside_.functions->submit(std::string_view(waiting.question).substr(0, arguments), waiting.question.substr(arguments),
                             answered);
}

void RulesService::on_answer(std::uint64_t ticket, std::string answer) {
  const auto found = asked_.find(ticket);
  if (found == asked_.end()) return;
  Waiting& waiting = *found->second;
  if (!waiting.ready) {
    waiting.answers.emplace(std::exchange(waiting.question, {}), std::move(answer));
    return ask(waiting);
  }
  const std::string publisher = waiting.publisher;
  go_on(publisher);
}

void RulesService::go_on(const std::string& publisher) {
  // What rules publish may come back to on_message() while a transaction goes on.
  auto& line = waiting_[publisher];
  while (!line.empty() && line.front()->ready) {
    const std::unique_ptr<Waiting> waiting = std::move(line.front());
    line.pop_front();
    asked_.erase(waiting->ticket);
    --waiting_count_;
    host_->resume(waiting->transaction, [&](Reaction& reaction) {
      document_.reset();
      const auto envelope = read_envelope(waiting->envelope);
      Seen seen(*envelope, waiting->topic, waiting->now, document_);
      for (Rule* rule : waiting->due) {
        world_->look_up_in(rule->compiled.asks() ? waiting.get() : nullptr);
        run(*rule, seen, reaction);
      }
      world_->look_up_in(nullptr);
    });
  }
  if (line.empty()) waiting_.erase(publisher);
}

void RulesService::remembered(const ServiceMessage& message, Reaction& reaction) {
  const auto envelope = read_envelope(message.parts.payload);
  const auto found = by_name_.find(std::string(home_key(message.parts.topic)));
  if (!envelope || found == by_name_.end()) return;
  Seen seen(*envelope, envelope->topic, host_->now().wall.time_since_epoch().count(), document_);
  run(*found->second, seen, reaction);
}

void RulesService::run(Rule& rule, Seen& seen, Reaction& reaction) {
  const CompiledRule& compiled = rule.compiled;
  if (compiled.remembers() && !host_->is_home(compiled.name())) {
    const std::string topic = std::string(kStatePrefix) + compiled.name();
    const std::string bytes = write_envelope(seen.envelope);
    MessageParts parts;
    parts.topic = topic;
    parts.payload = bytes;
    parts.qos = static_cast<QoS>(seen.envelope.qos);
    return reaction.publish(parts);
  }
  scratch_.reset();
  if (rule.windows) return gather(rule, seen, reaction);
  const sql::Evaluated result =
      compiled.statement().evaluate(seen.event, seen.payload, world_.get(), rule.state, scratch_, budget_);
  if (compiled.config().persist && compiled.remembers()) keep(rule, reaction);
  switch (result.outcome) {
    case sql::Outcome::Match: break;
    case sql::Outcome::LookupFailed:
    case sql::Outcome::StepsSpent:
    case sql::Outcome::MemorySpent:
      ++rule.counters.evaluation_failed;
      return host_->log(LogLevel::Warning, "rule failed",
                        "rule=" + compiled.name() + " reason=\"" + std::string(describe(result.outcome)) + "\"");
    default: ++rule.counters.unmatched; return;
  }
  ++rule.counters.matched;
  if (!result.several) return act(rule, seen, result, reaction);
  for (const json::Value& each : result.value.items()) {
    sql::Evaluated one;
    one.value = each;
    act(rule, seen, one, reaction);
  }
}

void RulesService::gather(Rule& rule, Seen& seen, Reaction& reaction) {
  sql::Windows::Context context{world_.get(), scratch_, budget_};
  const sql::Outcome outcome = rule.windows->add(seen.event, seen.payload, context, closed_);
  ++(outcome == sql::Outcome::Match ? rule.counters.matched : rule.counters.unmatched);
  act_on_closed(rule, reaction);
}

// No message stands behind a window: expressions of the actions see the window's result.
void RulesService::act_on_closed(Rule& rule, Reaction& reaction) {
  for (const std::string& text : std::exchange(closed_, {})) {
    document_.reset();
    scratch_.reset();
    Envelope envelope;
    envelope.payload = text;
    Seen seen(envelope, {}, host_->now().wall.time_since_epoch().count(), document_);
    sql::Evaluated result;
    result.value = seen.payload.json().value;
    act(rule, seen, result, reaction);
  }
}

Instant RulesService::next_deadline() const {
  Instant next = kNever;
  const Now now = host_->now();
  for (const Rule* rule : windowed_) {
    const auto deadline = rule->windows->next_deadline();
    if (!deadline) continue;
    const std::int64_t left = std::max<std::int64_t>(*deadline - now.wall.time_since_epoch().count(), 0);
    next = std::min(next, now.steady + Milliseconds(left));
  }
  return next;
}

void RulesService::on_time(Reaction& reaction) {
  sql::Windows::Context context{world_.get(), scratch_, budget_};
  for (Rule* rule : windowed_) {
    rule->windows->advance(host_->now().wall.time_since_epoch().count(), context, closed_);
    act_on_closed(*rule, reaction);
  }
}

void RulesService::keep(Rule& rule, Reaction& reaction) {
  const std::string prefix = cell_key(rule.compiled.name());
  for (const auto& [name, text] : rule.state.take_touched()) reaction.records().put(prefix + name, text);
}

void RulesService::act(Rule& rule, Seen& seen, const sql::Evaluated& result, Reaction& reaction) {
  // SELECT * hands on the bytes as they came.
  const sql::SelectPlan& plan = rule.compiled.statement().program().selects[0];
  result_.clear();
  std::string_view text = seen.envelope.payload;
  if (!result.raw && !(plan.whole && !rule.compiled.statement().program().foreach)) {
    json::write(result.value, result_,
                rule.compiled.statement().version() == sql::Version::V2015 ? json::Numbers::AsWritten : json::Numbers::Stripped);
    text = result_;
  }
  std::string failures;
  for (const CompiledAction& action : rule.compiled.actions()) {
    std::string failure;
    if (perform(rule, action, seen, text, reaction, failure)) {
      ++rule.counters.actions_done;
      continue;
    }
    ++rule.counters.actions_failed;
    failures += (failures.empty() ? "" : ",") + failure;
  }
  if (!failures.empty()) report(rule, seen, failures, reaction);
}

namespace {

std::string failure_of(std::string_view action, std::string_view resource, std::string_view message) {
  std::string text = "{\"failedAction\":";
  json::write_text(action, text);
  text += ",\"failedResource\":";
  json::write_text(resource, text);
  text += ",\"errorMessage\":";
  json::write_text(message, text);
  return text + "}";
}

}  // namespace

bool RulesService::perform(Rule& rule, const CompiledAction& action, Seen& seen, std::string_view result,
                           Reaction& reaction, std::string& failure) {
  if (leaves_process(action.kind)) return hand_over(rule, action, seen, result, reaction, failure);
  if (action.kind != RuleActionKind::Log) return publish(rule, action, seen, result, reaction, failure);
  std::string text;
  if (action.whole_result)
    text = result;
  else if (!action.text.render(seen.event, seen.payload, world_.get(), scratch_, budget_, text)) {
    failure = failure_of("LogAction", action.text.text(), "the text could not be evaluated");
    return false;
  }
  if (text.size() > kLogBytesMax) text.resize(kLogBytesMax);
  host_->log(LogLevel::Info, "rule", "rule=" + rule.compiled.name() + " message=" + text);
  return true;
}

// Written with the message; delivered when its sink takes it.
bool RulesService::hand_over(Rule& rule, const CompiledAction& action, Seen& seen, std::string_view result,
                             Reaction& reaction, std::string& failure) {
  const bool file = action.kind == RuleActionKind::File;
  const std::string_view kind = file ? "FileAction" : action.kind == RuleActionKind::Http ? "HttpAction" : "PluginAction";
  const auto fail = [&](std::string_view why) {
    failure = failure_of(kind, action.sink, why);
    return false;
  };
  SinkEntry entry;
  if (action.whole_result)
    entry.payload = result;
  else if (!action.text.render(seen.event, seen.payload, world_.get(), scratch_, budget_, entry.payload))
    return fail("the payload could not be evaluated");
  if (!action.content_type.render(seen.event, seen.payload, world_.get(), scratch_, budget_, entry.content_type))
    return fail("content_type could not be evaluated");
  if (file)  // an entry is a line
    std::replace_if(entry.payload.begin(), entry.payload.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  entry.topic = seen.event.topic;
  entry.at = host_->now().wall;
  entry.id = rule.compiled.name();
  for (const std::uint64_t half : {host_->random(), host_->random()}) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    entry.id += '-';
    for (int shift = 60; shift >= 0; shift -= 4) entry.id += kDigits[(half >> shift) & 15];
  }
  if (!sinks_) return fail("there are no queues to the outside");
  if (sinks_->hand_over(action.sink, host_->shard(), entry, reaction)) return true;
  reaction.refuse();
  return fail("its queue is full");
}

std::string RulesService::encoded_properties(const CompiledAction& action, Seen& seen, bool& sound) {
  const auto render = [&](const sql::Template& from, std::string& to) {
    sound = from.render(seen.event, seen.payload, world_.get(), scratch_, budget_, to) && sound;
  };
  MessageProperties properties;
  render(action.content_type, properties.content_type);
  render(action.response_topic, properties.response_topic);
  render(action.correlation_data, properties.correlation_data);
  for (const auto& [name, value] : action.user_properties) {
    properties.user_properties.emplace_back(name, std::string());
    render(value, properties.user_properties.back().second);
  }
  return mqtt::encode_message_properties(properties);
}

bool RulesService::publish(Rule& rule, const CompiledAction& action, Seen& seen, std::string_view result,
                           Reaction& reaction, std::string& failure) {
  const bool shadow = action.kind == RuleActionKind::Shadow;
  const std::string_view kind = shadow ? "ShadowAction" : "RepublishAction";
  std::string topic;
  std::string payload;
  bool sound = action.target.render(seen.event, seen.payload, world_.get(), scratch_, budget_, topic);
  if (shadow) {
    std::string name;
    sound = sound && action.shadow.render(seen.event, seen.payload, world_.get(), scratch_, budget_, name);
    topic = "$aws/things/" + topic + (name.empty() ? "/shadow/update" : "/shadow/name/" + name + "/update");
    payload = "{\"state\":{\"reported\":" + std::string(result) + "}}";
    result = payload;
  } else if (topic.starts_with("$$")) {
    topic.erase(0, 1);
  }
  if (!shadow && !action.whole_result) {
    sound = sound && action.text.render(seen.event, seen.payload, world_.get(), scratch_, budget_, payload);
    result = payload;
  }
  const std::string properties = encoded_properties(action, seen, sound);
  const auto fail = [&](std::string_view why) {
    failure = failure_of(kind, topic, why);
    return false;
  };
  if (!sound) return fail("a template could not be evaluated");
  if (!mqtt::is_valid_topic_name(topic, kTopicLevelsMax)) return fail("this is no topic name");
  if (core::is_reserved_for_broker(topic) || topic.starts_with(kOwnTopics)) return fail("only the broker publishes there");
  const Identity identity{"rule:" + rule.compiled.name(), "rule:" + rule.compiled.name(), {}, {}, {}};
  if (!host_->may(identity, Action::Publish, topic, action.qos, action.retain))
    return fail("rule:" + rule.compiled.name() + " may not publish there");
  MessageParts parts;
  parts.topic = topic;
  parts.payload = result;
  parts.properties = properties;
  parts.qos = action.qos;
  parts.retain = action.retain;
  reaction.publish(parts);
  return true;
}

// One message for all failures of a rule about a message; failures of this one are logged alone.
void RulesService::report(Rule& rule, Seen& seen, const std::string& failures, Reaction& reaction) {
  host_->log(LogLevel::Warning, "rule action failed", "rule=" + rule.compiled.name() + " failures=[" + failures + "]");
  if (rule.compiled.error_actions().empty()) return;
  std::string text = "{\"ruleName\":";
  json::write_text(rule.compiled.name(), text);
  text += ",\"topic\":";
  json::write_text(seen.event.topic, text);
  text += ",\"clientId\":";
  json::write_text(seen.event.client_id, text);
  text += ",\"sourceIp\":";
  json::write_text(seen.event.source_ip, text);
  text += ",\"base64OriginalPayload\":\"" + sql::to_base64(seen.envelope.payload) + "\",\"failures\":[" + failures + "]}";
  std::string failure;
  if (perform(rule, rule.compiled.error_actions()[0], seen, text, reaction, failure)) return;
  host_->log(LogLevel::Warning, "rule error action failed", "rule=" + rule.compiled.name() + " failure=" + failure);
}

}  // namespace twinmq::rules
