#include "modules/rules/rule_actions.hpp"

#include <algorithm>
#include <utility>

#include "core/reserved_topics.hpp"
#include "json/write.hpp"
#include "mqtt/properties.hpp"
#include "mqtt/topic.hpp"
#include "sql/base64.hpp"
#include "sql/functions.hpp"

namespace twinmq::rules {
namespace {

constexpr std::uint32_t kTopicLevelsMax = 128;
constexpr std::size_t kLogBytesMax = 1000;

std::string failure_of(std::string_view action, std::string_view resource,
                       std::string_view message) {
  std::string text = "{\"failedAction\":";
  json::write_text(action, text);
  text += ",\"failedResource\":";
  json::write_text(resource, text);
  text += ",\"errorMessage\":";
  json::write_text(message, text);
  return text + "}";
}

}  // namespace

std::string_view fault_of_target(std::string_view topic) {
  if (!mqtt::is_valid_topic_name(topic, kTopicLevelsMax)) return "this is no topic name";
  if (core::is_reserved_for_broker(topic) || topic.starts_with(kOwnTopics))
    return "only the broker publishes there";
  return {};
}

std::string shadow_topic(std::string_view thing, std::string_view name,
                         std::string_view operation) {
  std::string topic = "$aws/things/" + std::string(thing) + "/shadow/";
  if (!name.empty()) topic.append("name/").append(name).append("/");
  return topic.append(operation);
}

void RuleActions::rehearse(RunningRule& rule, SeenMessage& seen) {
  std::string text;
  for (const auto* actions : {&rule.compiled().actions(), &rule.compiled().error_actions()})
    for (const CompiledAction& action : *actions)
      action.for_each_text([&](const sql::Template& each) {
        text.clear();
        if (each.asks()) each.render(seen.event, seen.payload, &world_, scratch_, budget_, text);
      });
}

void RuleActions::act(RunningRule& rule, SeenMessage& seen, const sql::Evaluated& result,
                      Reaction& reaction) {
  // SELECT * hands on the bytes as they came.
  const sql::SelectPlan& plan = rule.compiled().statement().program().selects[0];
  result_.clear();
  std::string_view text = seen.envelope.payload;
  if (!result.raw && !(plan.whole && !rule.compiled().statement().program().foreach)) {
    json::write(result.value, result_,
                rule.compiled().statement().version() == sql::Version::V2015
                    ? json::Numbers::AsWritten
                    : json::Numbers::Stripped);
    text = result_;
  }
  std::string failures;
  for (const CompiledAction& action : rule.compiled().actions()) {
    std::string failure;
    if (perform(rule, action, seen, text, reaction, failure)) {
      ++rule.counters.actions_done;
      host_->count(Metric::RuleActionsDone);
      continue;
    }
    ++rule.counters.actions_failed;
    host_->count(Metric::RuleActionsFailed);
    failures += (failures.empty() ? "" : ",") + failure;
  }
  if (!failures.empty()) report(rule, seen, failures, reaction);
}

bool RuleActions::perform(RunningRule& rule, const CompiledAction& action, SeenMessage& seen,
                          std::string_view result, Reaction& reaction, std::string& failure) {
  if (leaves_process(action.kind)) return hand_over(rule, action, seen, result, reaction, failure);
  if (action.kind != RuleActionKind::Log)
    return publish(rule, action, seen, result, reaction, failure);
  std::string text;
  if (action.whole_result)
    text = result;
  else if (!action.text.render(seen.event, seen.payload, &world_, scratch_, budget_, text)) {
    failure = failure_of("LogAction", action.text.text(), "the text could not be evaluated");
    return false;
  }
  if (text.size() > kLogBytesMax) text.resize(kLogBytesMax);
  host_->log(LogLevel::Info, "rule", "rule=" + rule.compiled().name() + " message=" + text);
  return true;
}

// Written with the message; delivered when its sink takes it.
bool RuleActions::hand_over(RunningRule& rule, const CompiledAction& action, SeenMessage& seen,
                            std::string_view result, Reaction& reaction, std::string& failure) {
  const bool file = action.kind == RuleActionKind::File;
  const std::string_view kind = file                                  ? "FileAction"
                                : action.kind == RuleActionKind::Http ? "HttpAction"
                                                                      : "PluginAction";
  const auto fail = [&](std::string_view why) {
    failure = failure_of(kind, action.sink, why);
    return false;
  };
  SinkEntry entry;
  if (action.whole_result)
    entry.payload = result;
  else if (!action.text.render(seen.event, seen.payload, &world_, scratch_, budget_, entry.payload))
    return fail("the payload could not be evaluated");
  if (!action.content_type.render(seen.event, seen.payload, &world_, scratch_, budget_,
                                  entry.content_type))
    return fail("content_type could not be evaluated");
  if (file)  // an entry is a line
    std::replace_if(
        entry.payload.begin(), entry.payload.end(), [](char c) { return c == '\n' || c == '\r'; },
        ' ');
  const auto render = [&](const sql::Template& from, std::string& to) {
    return from.render(seen.event, seen.payload, &world_, scratch_, budget_, to);
  };
  if (!render(action.url, entry.url)) return fail("url could not be evaluated");
  for (const auto& [name, value] : action.headers) {
    entry.headers.emplace_back(name, std::string());
    if (!render(value, entry.headers.back().second)) return fail("headers could not be evaluated");
  }
  entry.topic = seen.event.topic;
  entry.at = host_->now().wall;
  entry.id = rule.compiled().name();
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

std::string RuleActions::encoded_properties(const CompiledAction& action, SeenMessage& seen,
                                            bool& sound) {
  const auto render = [&](const sql::Template& from, std::string& to) {
    sound = from.render(seen.event, seen.payload, &world_, scratch_, budget_, to) && sound;
  };
  MessageProperties properties;
  render(action.content_type, properties.content_type);
  render(action.response_topic, properties.response_topic);
  render(action.correlation_data, properties.correlation_data);
  std::string format;
  render(action.payload_format, format);
  const auto is_text = is_text_of(format);
  properties.payload_is_text = is_text.value_or(false);
  sound = sound && is_text;
  for (const auto& [name, value] : action.user_properties) {
    properties.user_properties.emplace_back(name, std::string());
    render(value, properties.user_properties.back().second);
  }
  return mqtt::encode_message_properties(properties);
}

bool RuleActions::publish(RunningRule& rule, const CompiledAction& action, SeenMessage& seen,
                          std::string_view result, Reaction& reaction, std::string& failure) {
  const bool shadow = action.kind == RuleActionKind::Shadow;
  const std::string_view kind = shadow ? "ShadowAction" : "RepublishAction";
  std::string topic;
  std::string payload;
  bool sound = action.target.render(seen.event, seen.payload, &world_, scratch_, budget_, topic);
  if (shadow) {
    std::string name;
    sound =
        sound && action.shadow.render(seen.event, seen.payload, &world_, scratch_, budget_, name);
    topic = shadow_topic(topic, name, "update");
    payload = "{\"state\":{\"reported\":" + std::string(result) + "}}";
    result = payload;
  } else if (topic.starts_with("$$")) {
    topic.erase(0, 1);
  }
  if (!shadow && !action.whole_result) {
    sound =
        sound && action.text.render(seen.event, seen.payload, &world_, scratch_, budget_, payload);
    result = payload;
  }
  const std::string properties = encoded_properties(action, seen, sound);
  std::string expiry;
  sound = sound && action.message_expiry.render(seen.event, seen.payload, &world_, scratch_,
                                                budget_, expiry);
  const auto seconds = seconds_of(expiry);
  const auto fail = [&](std::string_view why) {
    failure = failure_of(kind, topic, why);
    return false;
  };
  if (!sound) return fail("a template could not be evaluated");
  if (!seconds) return fail("message_expiry is no number of seconds");
  if (const std::string_view fault = fault_of_target(topic); !fault.empty()) return fail(fault);
  if (!host_->may(rule.identity, Action::Publish, topic, action.qos, action.retain))
    return fail("rule:" + rule.compiled().name() + " may not publish there");
  MessageParts parts;
  parts.topic = topic;
  parts.payload = result;
  parts.properties = properties;
  parts.qos = action.qos;
  parts.retain = action.retain;
  if (*seconds) parts.expires_at = host_->now().steady + Seconds(**seconds);
  reaction.publish(parts);
  return true;
}

// One message for all failures of a rule about a message; failures of this one are logged alone.
void RuleActions::report(RunningRule& rule, SeenMessage& seen, const std::string& failures,
                         Reaction& reaction) {
  host_->log(LogLevel::Warning, "rule action failed",
             "rule=" + rule.compiled().name() + " failures=[" + failures + "]");
  if (rule.compiled().error_actions().empty()) return;
  std::string text = "{\"ruleName\":";
  json::write_text(rule.compiled().name(), text);
  text += ",\"topic\":";
  json::write_text(seen.event.topic, text);
  text += ",\"cloudwatchTraceId\":";
  json::write_text(sql::trace_id_of(seen.event, &world_), text);
  text += ",\"clientId\":";
  json::write_text(seen.event.client_id, text);
  text += ",\"sourceIp\":";
  json::write_text(seen.event.source_ip, text);
  text += ",\"base64OriginalPayload\":\"" + sql::to_base64(seen.envelope.payload) +
          "\",\"failures\":[" + failures + "]}";
  std::string failure;
  if (perform(rule, rule.compiled().error_actions()[0], seen, text, reaction, failure)) return;
  host_->log(LogLevel::Warning, "rule error action failed",
             "rule=" + rule.compiled().name() + " failure=" + failure);
}

}  // namespace twinmq::rules
