#include "rule_management.hpp"

#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "daemon_door.hpp"
#include "exit_code.hpp"

namespace twinmq {

using Json = nlohmann::json;

class RuleManagement {
 public:
  struct Command {
    CLI::App* command;
    int (*run)(const RuleManagement& commands);
  };

  std::string socket = kDefaultSocket;
  std::string name;
  std::string file = "-";
  bool json = false;
  std::vector<Command> all;
};

namespace {

std::string text(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string state_of(const Json& rule) {
  if (rule.contains("fault")) return "faulty";
  return rule["enabled"] == true ? "enabled" : "disabled";
}

int print(const Json& found) {
  fmt::print("{}\n", found.dump(2));
  return kExitSuccess;
}

std::string on_one_line(std::string text) {
  for (char& each : text)
    if (static_cast<unsigned char>(each) < ' ') each = ' ';
  return text;
}

int list_rules(const RuleManagement& commands) {
  const auto found = ask_daemon(commands.socket, "rules");
  if (!found) return refuse(found.error());
  if (commands.json) return print(*found);
  for (const Json& each : *found)
    fmt::print("{:<24} {:<9} {:<6} {}\n", text(each, "name"), state_of(each),
               each["stored"] == true ? "stored" : "file", on_one_line(text(each["rule"], "sql")));
  return kExitSuccess;
}

int show_rule(const RuleManagement& commands) {
  const auto found = ask_daemon(commands.socket, "rule", {{"name", commands.name}});
  if (!found) return refuse(found.error());
  if (commands.json) return print(*found);
  const bool stored = (*found)["stored"] == true;
  fmt::print("# {}, {}\n{}", state_of(*found), stored ? "stored" : "of the configuration file",
             text(*found, "definition"));
  if (const auto warnings = found->find("warnings"); warnings != found->end())
    for (const Json& each : *warnings)
      fmt::print("# warning: {}\n", on_one_line(each.get<std::string>()));
  if (found->contains("fault"))
    fmt::print("# it does not run: {}\n", on_one_line(text(*found, "fault")));
  return kExitSuccess;
}

std::optional<std::string> read_definition(const std::string& file) {
  if (file == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

int define_rule(const RuleManagement& commands, const char* operation) {
  const auto definition = read_definition(commands.file);
  if (!definition) return refuse({ErrorCode::InvalidArgument, "cannot read " + commands.file});
  const auto done = ask_daemon(commands.socket, operation,
                               {{"name", commands.name},
                                {"definition", *definition},
                                {"file", commands.file == "-" ? "standard input" : commands.file}});
  if (!done) {
    const int code = refuse(done.error());
    return done.error().code == ErrorCode::InvalidConfig ? kExitUsage : code;
  }
  fmt::print("{} is {}\n", commands.name, state_of(*done));
  if (const auto warnings = done->find("warnings"); warnings != done->end())
    for (const Json& each : *warnings) fmt::print(stderr, "warning: {}\n", each.get<std::string>());
  return kExitSuccess;
}

int create_rule(const RuleManagement& commands) {
  return define_rule(commands, "rule_create");
}

int replace_rule(const RuleManagement& commands) {
  return define_rule(commands, "rule_replace");
}

int change_rule(const RuleManagement& commands, const char* operation, const char* state) {
  const auto done = ask_daemon(commands.socket, operation, {{"name", commands.name}});
  if (!done) return refuse(done.error());
  fmt::print("{} is {}\n", commands.name, state);
  return kExitSuccess;
}

int enable_rule(const RuleManagement& commands) {
  return change_rule(commands, "rule_enable", "enabled");
}

int disable_rule(const RuleManagement& commands) {
  return change_rule(commands, "rule_disable", "disabled");
}

int delete_rule(const RuleManagement& commands) {
  return change_rule(commands, "rule_delete", "deleted");
}

void print_sink(const Json& sink) {
  fmt::print(
      "{:<24} waiting={} bytes={} delivered={} attempts_failed={} dropped={} dead_letters={}",
      text(sink, "name"), sink["waiting_entries"].dump(), sink["waiting_bytes"].dump(),
      sink["delivered"].dump(), sink["attempts_failed"].dump(), sink["dropped"].dump(),
      sink["dead_letters"].dump());
  if (sink["failing"] == true) fmt::print(" failing: {}", on_one_line(text(sink, "last_error")));
  fmt::print("\n");
}

int show_rule_statistics(const RuleManagement& commands) {
  const auto found = ask_daemon(commands.socket, "rule_stats", {{"name", commands.name}});
  if (!found) return refuse(found.error());
  if (commands.json) return print(*found);
  for (const char* key : {"matched", "unmatched", "actions_done", "actions_failed", "refused",
                          "undecodable", "late", "groups_dropped"})
    fmt::print("{:<24} {}\n", key, (*found)[key].dump());
  for (const auto& [reason, count] : (*found)["failed"].items())
    fmt::print("{:<24} {}\n", "failed." + reason, count.dump());
  for (const Json& sink : (*found)["sinks"]) print_sink(sink);
  return kExitSuccess;
}

int explain_rule(const RuleManagement& commands) {
  const auto found = ask_daemon(commands.socket, "rule_explain", {{"name", commands.name}});
  if (!found) return refuse(found.error());
  fmt::print("{}", text(*found, "explanation"));
  return kExitSuccess;
}

int list_sinks(const RuleManagement& commands) {
  const auto found = ask_daemon(commands.socket, "sinks");
  if (!found) return refuse(found.error());
  if (commands.json) return print(*found);
  for (const Json& each : *found) print_sink(each);
  return kExitSuccess;
}

int show_sink(const RuleManagement& commands) {
  const auto found = ask_daemon(commands.socket, "sinks");
  if (!found) return refuse(found.error());
  for (const Json& each : *found) {
    if (text(each, "name") != commands.name) continue;
    if (commands.json) return print(each);
    print_sink(each);
    return kExitSuccess;
  }
  return refuse({ErrorCode::NotFound, fmt::format("there is no sink \"{}\"", commands.name)});
}

int replay_sink(const RuleManagement& commands) {
  const auto done = ask_daemon(commands.socket, "sink_replay", {{"name", commands.name}});
  if (!done) return refuse(done.error());
  fmt::print("{} dead letters are back in the queue of {}\n", (*done)["replayed"].dump(),
             commands.name);
  return kExitSuccess;
}

// What a command takes beside --socket.
enum Takes : unsigned { kNothing = 0, kName = 1, kDefinition = 2, kJson = 4 };

}  // namespace

std::shared_ptr<RuleManagement> add_rule_management(CLI::App& app, CLI::App& rule) {
  auto commands = std::make_shared<RuleManagement>();
  const auto add = [&](CLI::App& above, const char* name, const char* sentence, unsigned takes,
                       int (*run)(const RuleManagement&)) {
    CLI::App* const command = above.add_subcommand(name, sentence);
    add_socket_option(*command, commands->socket);
    if ((takes & kName) != 0)
      command->add_option("name", commands->name, "its name")->type_name("NAME")->required();
    if ((takes & kDefinition) != 0)
      command
          ->add_option("file", commands->file,
                       "TOML or JSON: sql, action, error_action, …; -: standard input")
          ->type_name("FILE")
          ->capture_default_str();
    if ((takes & kJson) != 0) command->add_flag("--json", commands->json, "everything, as JSON");
    commands->all.push_back({command, run});
  };
  add(rule, "list", "list the rules of a running twinmqd", kJson, list_rules);
  add(rule, "show", "print a rule's definition", kName | kJson, show_rule);
  add(rule, "create", "make a rule, which is stored and in force at once", kName | kDefinition,
      create_rule);
  add(rule, "replace", "give a stored rule another definition", kName | kDefinition, replace_rule);
  add(rule, "enable", "have a stored rule run", kName, enable_rule);
  add(rule, "disable", "keep a stored rule from running", kName, disable_rule);
  add(rule, "delete", "delete a stored rule, what it remembers and what waits in its queues", kName,
      delete_rule);
  add(rule, "stats", "count what became of the messages a rule saw", kName | kJson,
      show_rule_statistics);
  add(rule, "explain", "show how a rule's statement was understood", kName, explain_rule);
  CLI::App* const sink = app.add_subcommand("sink", "look at the durable queues to the outside");
  sink->require_subcommand(1);
  add(*sink, "list", "list the queues of a running twinmqd", kJson, list_sinks);
  add(*sink, "stats", "show one queue", kName | kJson, show_sink);
  add(*sink, "replay", "put the dead letters of a queue back into it", kName, replay_sink);
  return commands;
}

bool run_rule_management(const RuleManagement& commands, int& exit_code) {
  for (const RuleManagement::Command& each : commands.all) {
    if (!each.command->parsed()) continue;
    exit_code = each.run(commands);
    return true;
  }
  return false;
}

}  // namespace twinmq
