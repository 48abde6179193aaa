#include "app/aws_rules.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "app/rule_definition.hpp"
#include "modules/access/base64.hpp"
#include "sql/statement.hpp"

namespace twinmq::app {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kRole = "arn:aws:iam::000000000000:role/twinmq";
constexpr std::string_view kDefaultVersion =
    "2015-10-08";  // what AWS takes when a caller names none

Error wrong(std::string text) {
  return {ErrorCode::InvalidArgument, std::move(text)};
}

// Moves a text from one object to another, under its other name. False: it is there and no text.
bool move_text(const Json& from, const char* key, Json& to, const char* other) {
  const auto found = from.find(key);
  if (found == from.end() || found->is_null()) return true;
  if (!found->is_string()) return false;
  to[other] = *found;
  return true;
}

Result<void> read_pairs(const Json& list, const char* format_key, std::string_view between,
                        Json& to) {
  to[format_key] = Json::array();
  if (!list.is_array()) return wrong(fmt::format("{} must be a list", format_key));
  for (const Json& each : list) {
    if (!each.is_object() || !each.contains("key") || !each["key"].is_string() ||
        !each.contains("value") || !each["value"].is_string())
      return wrong(fmt::format("{}: allowed: {{\"key\": …, \"value\": …}}", format_key));
    to[format_key].push_back(each["key"].get<std::string>() + std::string(between) +
                             each["value"].get<std::string>());
  }
  return {};
}

Result<void> read_headers(const Json& headers, Json& action) {
  if (!headers.is_object()) return wrong("republish: headers must be an object");
  for (const auto& [key, value] : headers.items()) {
    if (key == "userProperties") {
      if (const auto read = read_pairs(value, "user_properties", "=", action); !read) return read;
    } else if (key == "messageExpiry" && value.is_number_unsigned()) {
      action["message_expiry"] = value.dump();
    } else if (!value.is_string()) {
      return wrong("republish: headers." + key + " must be a text");
    } else if (key == "contentType") {
      action["content_type"] = value;
    } else if (key == "responseTopic") {
      action["response_topic"] = value;
    } else if (key == "correlationData") {
      const std::string text = value.get<std::string>();
      const auto decoded = access::decode_base64(text);
      if (text.find("${") == std::string::npos && !decoded)
        return wrong("republish: headers.correlationData is no base64");
      action["correlation_data"] = decoded ? *decoded : text;
    } else if (key == "messageExpiry") {
      action["message_expiry"] = value;
    } else if (key == "payloadFormatIndicator") {
      action["payload_format"] = value;
    } else {
      return wrong("republish: headers." + key + " is not offered here");
    }
  }
  return {};
}

Result<Json> republish_of(const Json& from) {
  Json action = {{"type", "republish"}};
  for (const auto& [key, value] : from.items())
    if (key != "roleArn" && key != "topic" && key != "qos" && key != "headers")
      return wrong("republish: " + key + " is not offered here");
  if (!move_text(from, "topic", action, "topic")) return wrong("republish: topic must be a text");
  if (from.contains("qos")) {
    if (!from["qos"].is_number_integer()) return wrong("republish: qos must be a number");
    action["qos"] = from["qos"];
  }
  if (from.contains("headers"))
    if (const auto read = read_headers(from["headers"], action); !read) return read.error();
  return action;
}

// What AWS names, what the configuration names, and what AWS takes when a caller names none.
struct BatchKey {
  const char* aws;
  const char* own;
  std::uint64_t preset;
};
constexpr BatchKey kBatchKeys[] = {{"maxBatchOpenMs", "linger_milliseconds", 20},
                                   {"maxBatchSize", "batch_max", 10},
                                   {"maxBatchSizeBytes", "batch_bytes_max", 5120}};

Result<void> read_batches(const Json& config, Json& action) {
  if (!config.is_object()) return wrong("http: batchConfig must be an object");
  action["body"] = "array";
  action["batch_across_topics"] = false;
  for (const BatchKey& known : kBatchKeys) action[known.own] = known.preset;
  for (const auto& [key, value] : config.items()) {
    if (key == "batchAcrossTopics") {
      if (!value.is_boolean())
        return wrong("http: batchConfig.batchAcrossTopics must be true or false");
      action["batch_across_topics"] = value;
      continue;
    }
    const auto known =
        std::find_if(std::begin(kBatchKeys), std::end(kBatchKeys),
                     [&name = key](const BatchKey& each) { return name == each.aws; });
    if (known == std::end(kBatchKeys))
      return wrong("http: batchConfig." + key + " is not offered here");
    if (!value.is_number_unsigned()) return wrong("http: batchConfig." + key + " must be a number");
    action[known->own] = value;
  }
  return {};
}

Result<Json> http_of(const Json& from) {
  Json action = {{"type", "http"}};
  for (const auto& [key, value] : from.items()) {
    if (key == "auth")
      return wrong("http: auth is not offered here; a header may hold ${get_secret('NAME')}");
    if (key != "url" && key != "confirmationUrl" && key != "headers" && key != "enableBatching" &&
        key != "batchConfig")
      return wrong("http: " + key + " is not offered here");
  }
  if (!move_text(from, "url", action, "url")) return wrong("http: url must be a text");
  if (from.contains("headers"))
    if (const auto read = read_pairs(from["headers"], "headers", ": ", action); !read)
      return read.error();
  const Json batches = from.value("enableBatching", Json(false));
  if (!batches.is_boolean()) return wrong("http: enableBatching must be true or false");
  if (!batches.get<bool>()) return action;
  if (const auto read = read_batches(from.value("batchConfig", Json::object()), action); !read)
    return read.error();
  return action;
}

Result<Json> action_of(const Json& action) {
  if (!action.is_object() || action.size() != 1 || !action.begin().value().is_object())
    return wrong("an action is an object with one member, such as {\"republish\": {…}}");
  const std::string& kind = action.begin().key();
  const Json& keys = action.begin().value();
  if (kind == "republish") return republish_of(keys);
  if (kind == "http") return http_of(keys);
  if (kind != "shadow" && kind != "log" && kind != "file" && kind != "plugin")
    return wrong(
        "the action \"" + kind +
        "\" is not offered here; republish and http are, and shadow, log, file and plugin");
  Json own = keys;
  own["type"] = kind;
  return own;
}

Json pairs_of(const Json& list, std::string_view between) {
  Json all = Json::array();
  for (const Json& each : list) {
    const std::string text = each.get<std::string>();
    const std::size_t at = text.find(between[0]);
    const std::size_t value = text.find_first_not_of(' ', at + 1);
    all.push_back({{"key", text.substr(0, at)},
                   {"value", value == std::string::npos ? "" : text.substr(value)}});
  }
  return all;
}

Json aws_of_action(Json action) {
  const std::string kind = action["type"].get<std::string>();
  action.erase("type");
  if (kind == "http") {
    Json made = {{"url", action.value("url", "")}};
    if (action.contains("headers")) made["headers"] = pairs_of(action["headers"], ":");
    if (action.value("body", "") == "array") {
      made["enableBatching"] = true;
      made["batchConfig"] = {{"batchAcrossTopics", action.value("batch_across_topics", true)}};
      const RuleActionConfig presets;
      const std::uint64_t own_presets[] = {presets.linger_milliseconds, presets.batch_max,
                                           presets.batch_bytes_max};
      for (std::size_t i = 0; i < std::size(kBatchKeys); ++i)
        made["batchConfig"][kBatchKeys[i].aws] = action.value(kBatchKeys[i].own, own_presets[i]);
    }
    return {{"http", std::move(made)}};
  }
  if (kind != "republish") return {{kind, std::move(action)}};
  Json made = {
      {"roleArn", kRole}, {"topic", action.value("topic", "")}, {"qos", action.value("qos", 0)}};
  Json headers = Json::object();
  move_text(action, "content_type", headers, "contentType");
  move_text(action, "response_topic", headers, "responseTopic");
  move_text(action, "message_expiry", headers, "messageExpiry");
  move_text(action, "payload_format", headers, "payloadFormatIndicator");
  if (const std::string data = action.value("correlation_data", ""); !data.empty())
    headers["correlationData"] =
        data.find("${") == std::string::npos ? access::encode_base64(data) : data;
  if (action.contains("user_properties"))
    headers["userProperties"] = pairs_of(action["user_properties"], "=");
  if (!headers.empty()) made["headers"] = std::move(headers);
  return {{"republish", std::move(made)}};
}

std::string arn_of(const RuleStatus& status) {
  return "arn:aws:iot:::rule/" + status.config.name;
}

std::int64_t created(const RuleStatus& status) {
  return status.created.time_since_epoch().count() / 1000;
}

}  // namespace

Result<RuleConfig> rule_of_aws(std::string_view payload, const std::string& name) {
  const Json body = Json::parse(payload, nullptr, false);
  if (!body.is_object()) return wrong("the body must be a JSON object");
  Json definition = {{"dialect", "aws"}, {"sql_version", kDefaultVersion}};
  for (const auto& [key, value] : body.items())
    if (key != "sql" && key != "description" && key != "actions" && key != "ruleDisabled" &&
        key != "awsIotSqlVersion" && key != "errorAction" && key != "ruleName" &&
        key != "createdAt")
      return wrong(key + " is not known");
  for (const auto& [key, other] : {std::pair("sql", "sql"), std::pair("description", "description"),
                                   std::pair("awsIotSqlVersion", "sql_version")})
    if (!move_text(body, key, definition, other))
      return wrong(std::string(key) + " must be a text");
  if (!definition.contains("sql")) return wrong("sql is missing");
  if (definition["sql_version"] == "twinmq") definition["dialect"] = "twinmq";
  if (body.contains("ruleDisabled")) {
    if (!body["ruleDisabled"].is_boolean()) return wrong("ruleDisabled must be true or false");
    definition["enabled"] = !body["ruleDisabled"].get<bool>();
  }
  const Json actions = body.value("actions", Json::array());
  if (!actions.is_array()) return wrong("actions must be a list");
  definition["action"] = Json::array();
  for (const Json& each : actions) {
    auto action = action_of(each);
    if (!action) return action.error();
    definition["action"].push_back(std::move(*action));
  }
  if (body.contains("errorAction") && !body["errorAction"].is_null()) {
    auto action = action_of(body["errorAction"]);
    if (!action) return action.error();
    if (action->value("body", "") == "array")
      return wrong("errorAction: http: enableBatching is not offered there");
    definition["error_action"] = Json::array({std::move(*action)});
  }
  auto rule =
      read_rule_definition(definition.dump(-1, ' ', false, Json::error_handler_t::replace), "body");
  if (rule) rule->name = name;
  return rule;
}

Json aws_of_rule(const RuleStatus& status) {
  const Json definition = Json::parse(rule_definition_json(status.config), nullptr, false);
  Json rule = {{"ruleName", status.config.name},
               {"sql", status.config.sql},
               {"description", status.config.description},
               {"createdAt", created(status)},
               {"ruleDisabled", !status.config.enabled},
               {"awsIotSqlVersion",
                status.config.sql_version.empty() ? "twinmq" : status.config.sql_version},
               {"actions", Json::array()}};
  if (status.config.dialect == "aws" && status.config.sql_version.empty())
    rule["awsIotSqlVersion"] = "2016-03-23";
  for (const Json& each : definition.value("action", Json::array()))
    rule["actions"].push_back(aws_of_action(each));
  for (const Json& each : definition.value("error_action", Json::array()))
    rule["errorAction"] = aws_of_action(each);
  return {{"ruleArn", arn_of(status)}, {"rule", std::move(rule)}};
}

Json aws_list_entry(const RuleStatus& status) {
  Json entry = {{"ruleArn", arn_of(status)},
                {"ruleName", status.config.name},
                {"createdAt", created(status)},
                {"ruleDisabled", !status.config.enabled}};
  const auto statement = sql::Statement::compile(
      status.config.sql, {status.config.dialect == "aws" ? sql::Dialect::Aws : sql::Dialect::Twinmq,
                          sql::Version::V2016});
  if (statement && !statement->filters().empty())
    entry["topicPattern"] = statement->filters().front();
  return entry;
}

}  // namespace twinmq::app
