#include "app/admin_operations.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>

#include <nlohmann/json.hpp>

#include <twinmq/version.hpp>

#include "app/admin_rules.hpp"
#include "app/config_validate.hpp"

namespace twinmq::app {

namespace {

using Json = nlohmann::json;

Result<Json> tell_version(Broker& broker, const Json&) {
  return Json{{"version", kVersion}, {"durability", durability_word(broker.durability())}};
}

Result<Json> tell_statistics(Broker& broker, const Json&) {
  const Statistics statistics = broker.statistics();
  Json metrics = Json::object();
  for (const MetricDescription& each : metric_table()) {
    metrics[std::string(each.name)] = {{"value", statistics[each.metric]},
                                       {"unit", each.unit},
                                       {"gauge", each.gauge},
                                       {"help", each.help}};
  }
  Json store = Json::object();
  for (const StoreFigure& each : broker.store_figures()) store[each.name] = each.value;
  return Json{{"uptime_seconds", statistics.uptime_seconds},
              {"durability", durability_word(broker.durability())},
              {"metrics", std::move(metrics)},
              {"store", std::move(store)}};
}

Result<Json> tell_listeners(Broker& broker, const Json&) {
  Json all = Json::array();
  for (const ListenerInfo& each : broker.listeners())
    all.push_back({{"name", each.name}, {"url", each.url}});
  return all;
}

Result<Json> tell_sessions(Broker& broker, const Json&) {
  Json all = Json::array();
  for (const SessionInfo& each : broker.sessions()) {
    all.push_back({{"client_id", each.client_id},
                   {"principal", each.principal},
                   {"connected", each.connected},
                   {"peer", each.peer},
                   {"listener", each.listener},
                   {"expiry_seconds", each.expiry_seconds},
                   {"subscriptions", each.subscriptions},
                   {"queued_messages", each.queued_messages},
                   {"queued_bytes", each.queued_bytes},
                   {"inflight", each.inflight}});
  }
  return all;
}

Result<Json> tell_subscriptions(Broker& broker, const Json& arguments) {
  Json all = Json::array();
  for (const SubscriptionInfo& each :
       broker.subscriptions(arguments["client_id"].get_ref<const std::string&>())) {
    all.push_back({{"filter", each.filter},
                   {"qos", static_cast<int>(each.qos)},
                   {"no_local", each.no_local},
                   {"retain_as_published", each.retain_as_published}});
  }
  return all;
}

Result<Json> tell_plugins(Broker& broker, const Json&) {
  Json all = Json::array();
  for (const PluginStatistics& each : broker.plugins()) {
    all.push_back({{"name", each.name},
                   {"calls", each.calls},
                   {"errors", each.errors},
                   {"timeouts", each.timeouts},
                   {"disabled", each.disabled}});
  }
  return all;
}

Result<Json> kick(Broker& broker, const Json& arguments) {
  const auto& client = arguments["client_id"].get_ref<const std::string&>();
  if (!broker.kick(client))
    return Error{ErrorCode::NotFound, "no client " + client + " is connected"};
  return Json(true);
}

Result<Json> back_up(Broker& broker, const Json& arguments) {
  const auto& directory = arguments["directory"].get_ref<const std::string&>();
  if (!std::filesystem::path(directory).is_absolute())
    return Error{ErrorCode::InvalidArgument, "the directory must be an absolute path"};
  const auto begin = std::chrono::steady_clock::now();
  if (const Result<void> done = broker.back_up(directory); !done) return done.error();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  return Json{{"directory", directory}, {"seconds", took.count()}};
}

struct Entry {
  AdminOperation operation;
  AdminRun run;
};

constexpr std::array kEntries = {
    Entry{{"version", "Version and durability.", "", false}, tell_version},
    Entry{{"stats", "Every metric, and what the store tells about itself.", "", false},
          tell_statistics},
    Entry{{"listeners", "The addresses in use.", "", false}, tell_listeners},
    Entry{{"sessions", "Every session, connected or not.", "", false}, tell_sessions},
    Entry{{"subscriptions", "The subscriptions of one session.", "client_id", false},
          tell_subscriptions},
    Entry{{"plugins", "What became of the calls of each plugin.", "", false}, tell_plugins},
    Entry{{"kick", "Closes a client's connection.", "client_id", true}, kick},
    Entry{{"backup", "Writes all that is stored into a new directory.", "directory", true},
          back_up},
    Entry{{"rules", "Every rule, with its definition.", "", false}, list_rules},
    Entry{{"rule", "One rule, with its definition.", "name", false}, show_rule},
    Entry{{"rule_create", "Makes a rule of a definition in TOML or JSON.", "definition", true},
          create_rule},
    Entry{{"rule_replace", "Gives a rule another definition.", "definition", true}, replace_rule},
    Entry{{"rule_enable", "Has a rule run.", "name", true}, enable_rule},
    Entry{{"rule_disable", "Keeps a rule from running.", "name", true}, disable_rule},
    Entry{{"rule_delete", "Deletes a rule, what it remembers and what waits in its queues.", "name",
           true},
          delete_rule},
    Entry{{"rule_stats", "What became of the messages a rule saw.", "name", false},
          tell_rule_statistics},
    Entry{{"rule_explain", "How a rule's statement was understood.", "name", false}, explain_rule},
    Entry{{"sinks", "The durable queues to the outside.", "", false}, list_sinks},
    Entry{{"sink_replay", "Puts the dead letters of a queue back into it.", "name", true},
          replay_sink},
};

std::string_view word_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::InvalidArgument: return "invalid_argument";
    case ErrorCode::InvalidConfig: return "invalid_config";
    case ErrorCode::NotFound: return "not_found";
    case ErrorCode::AlreadyExists: return "already_exists";
    case ErrorCode::Unavailable: return "unavailable";
    case ErrorCode::AddressInUse: return "address_in_use";
    case ErrorCode::PermissionDenied: return "permission_denied";
    case ErrorCode::LimitReached: return "limit_reached";
    case ErrorCode::StorageFailed: return "storage_failed";
    case ErrorCode::Corrupt: return "corrupt";
    case ErrorCode::Internal: break;
  }
  return "internal";
}

// What clients sent may be no UTF-8.
std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Json> run(Broker& broker, std::string_view name, const Json& arguments) {
  const auto entry = std::find_if(kEntries.begin(), kEntries.end(),
                                  [&](const Entry& each) { return each.operation.name == name; });
  if (entry == kEntries.end())
    return Error{ErrorCode::NotFound, "there is no operation " + std::string(name)};
  if (!arguments.is_object())
    return Error{ErrorCode::InvalidArgument, "arguments must be an object"};
  std::string_view names = entry->operation.arguments;
  while (!names.empty()) {
    const std::string wanted(names.substr(0, names.find(' ')));
    names.remove_prefix(std::min(names.size(), wanted.size() + 1));
    if (!arguments.contains(wanted) || !arguments[wanted].is_string())
      return Error{ErrorCode::InvalidArgument, "the argument " + wanted + " is missing or no text"};
  }
  return entry->run(broker, arguments);
}

Json error_of(const Error& error) {
  return Json{{"error", {{"code", word_of(error.code)}, {"detail", error.detail}}}};
}

}  // namespace

std::span<const AdminOperation> admin_operations() {
  static const auto operations = [] {
    std::array<AdminOperation, kEntries.size()> all;
    std::transform(kEntries.begin(), kEntries.end(), all.begin(),
                   [](const Entry& each) { return each.operation; });
    return all;
  }();
  return operations;
}

Result<std::string> run_admin_operation(Broker& broker, std::string_view name,
                                        std::string_view arguments) {
  const Json parsed = Json::parse(arguments, nullptr, false);
  const Result<Json> done = run(broker, name, parsed);
  if (!done) return done.error();
  return text_of(*done);
}

std::string answer_admin_request(Broker& broker, std::string_view request) {
  const Json parsed = Json::parse(request, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("operation") || !parsed["operation"].is_string()) {
    return text_of(error_of({ErrorCode::InvalidArgument,
                             "a request is one line: {\"operation\": NAME, \"arguments\": {…}}"}));
  }
  const Json arguments = parsed.contains("arguments") ? parsed["arguments"] : Json::object();
  const Result<Json> done =
      run(broker, parsed["operation"].get_ref<const std::string&>(), arguments);
  return text_of(done ? Json{{"result", *done}} : error_of(done.error()));
}

}  // namespace twinmq::app
