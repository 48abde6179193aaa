#include "app/admin_rules.hpp"

#include <utility>

#include "app/rule_definition.hpp"
#include "modules/rules/compiled_rule.hpp"
#include "sql/explain.hpp"

namespace twinmq::app {
namespace {

using Json = nlohmann::json;

const std::string& text(const Json& arguments, const char* name) {
  return arguments[name].get_ref<const std::string&>();
}

std::string text_or(const Json& arguments, const char* name, std::string without) {
  const auto found = arguments.find(name);
  return found != arguments.end() && found->is_string() ? found->get<std::string>()
                                                        : std::move(without);
}

Result<RuleConfig> rule_of(const Json& arguments) {
  return rule_of_definition(text(arguments, "definition"), text_or(arguments, "name", ""),
                            text_or(arguments, "file", "definition"));
}

Result<Json> done(Broker& broker, const std::string& name, const Result<void>& changed) {
  if (!changed) return changed.error();
  const auto status = broker.rules().get(name);
  return status ? json_of(*status) : Json(true);
}

Result<Json> switch_rule(Broker& broker, const Json& arguments, bool enabled) {
  const std::string& name = text(arguments, "name");
  return done(broker, name, broker.rules().enable(name, enabled));
}

}  // namespace

Json json_of(const RuleStatus& status) {
  Json json = {{"name", status.config.name},
               {"enabled", status.config.enabled},
               {"stored", status.stored},
               {"definition", rule_definition(status.config)},
               {"rule", Json::parse(rule_definition_json(status.config), nullptr, false)}};
  if (status.stored) {
    json["created"] = status.created.time_since_epoch().count();
    json["changed"] = status.changed.time_since_epoch().count();
  }
  if (!status.warnings.empty()) json["warnings"] = status.warnings;
  if (!status.fault.empty()) json["fault"] = status.fault;
  return json;
}

Json json_of(const SinkStatistics& sink) {
  return {{"name", sink.name},
          {"waiting_entries", sink.waiting_entries},
          {"waiting_bytes", sink.waiting_bytes},
          {"delivered", sink.delivered},
          {"attempts_failed", sink.attempts_failed},
          {"dropped", sink.dropped},
          {"dead_letters", sink.dead_letters},
          {"failing", sink.failing},
          {"last_error", sink.last_error}};
}

Json json_of(const RuleStatistics& statistics) {
  Json sinks = Json::array();
  for (const SinkStatistics& each : statistics.sinks) sinks.push_back(json_of(each));
  return {{"matched", statistics.matched},
          {"unmatched", statistics.unmatched},
          {"failed",
           {{"lookups_failed", statistics.lookups_failed},
            {"steps_spent", statistics.steps_spent},
            {"memory_spent", statistics.memory_spent},
            {"held_back", statistics.held_back}}},
          {"refused", statistics.refused},
          {"undecodable", statistics.undecodable},
          {"late", statistics.late},
          {"groups_dropped", statistics.groups_dropped},
          {"actions_done", statistics.actions_done},
          {"actions_failed", statistics.actions_failed},
          {"sinks", std::move(sinks)}};
}

Result<RuleConfig> rule_of_definition(const std::string& definition, const std::string& name,
                                      const std::string& file) {
  auto rule = read_rule_definition(definition, file);
  if (!rule) return rule;
  if (!name.empty() && !rule->name.empty() && rule->name != name)
    return Error{ErrorCode::InvalidArgument,
                 file + ": name: found \"" + rule->name + "\", allowed: \"" + name + "\", or none"};
  if (!name.empty()) rule->name = name;
  return rule;
}

Result<Json> list_rules(Broker& broker, const Json&) {
  Json all = Json::array();
  for (const RuleStatus& each : broker.rules().list()) all.push_back(json_of(each));
  return all;
}

Result<Json> show_rule(Broker& broker, const Json& arguments) {
  const auto status = broker.rules().get(text(arguments, "name"));
  if (!status) return status.error();
  return json_of(*status);
}

Result<Json> create_rule(Broker& broker, const Json& arguments) {
  auto rule = rule_of(arguments);
  if (!rule) return rule.error();
  const std::string name = rule->name;
  return done(broker, name, broker.rules().create(std::move(*rule)));
}

Result<Json> replace_rule(Broker& broker, const Json& arguments) {
  auto rule = rule_of(arguments);
  if (!rule) return rule.error();
  const std::string name = rule->name;
  return done(broker, name, broker.rules().replace(std::move(*rule)));
}

Result<Json> enable_rule(Broker& broker, const Json& arguments) {
  return switch_rule(broker, arguments, true);
}

Result<Json> disable_rule(Broker& broker, const Json& arguments) {
  return switch_rule(broker, arguments, false);
}

Result<Json> delete_rule(Broker& broker, const Json& arguments) {
  const auto erased = broker.rules().erase(text(arguments, "name"));
  if (!erased) return erased.error();
  return Json(true);
}

Result<Json> tell_rule_statistics(Broker& broker, const Json& arguments) {
  const auto statistics = broker.rules().statistics(text(arguments, "name"));
  if (!statistics) return statistics.error();
  return json_of(*statistics);
}

Result<Json> explain_rule(Broker& broker, const Json& arguments) {
  const auto status = broker.rules().get(text(arguments, "name"));
  if (!status) return status.error();
  const auto compiled = rules::CompiledRule::compile(status->config);
  if (!compiled) return compiled.error();
  return Json{{"explanation", sql::explain(compiled->statement())}};
}

Result<Json> list_sinks(Broker& broker, const Json&) {
  Json all = Json::array();
  for (const SinkStatistics& each : broker.rules().sinks()) all.push_back(json_of(each));
  return all;
}

Result<Json> replay_sink(Broker& broker, const Json& arguments) {
  const auto count = broker.rules().replay(text(arguments, "name"));
  if (!count) return count.error();
  return Json{{"replayed", *count}};
}

}  // namespace twinmq::app
