#include "admin_commands.hpp"

#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <twinmq/config_file.hpp>

#include "app/store_tools.hpp"
#include "daemon_door.hpp"
#include "exit_code.hpp"

using namespace twinmq;
using Json = nlohmann::json;

struct AdminCommands {
  std::string socket = kDefaultSocket;
  bool json = false;
  std::string text;  ///< the one argument of a command
  ConfigSource source;

  CLI::App* stats = nullptr;
  CLI::App* sessions = nullptr;
  CLI::App* plugins = nullptr;
  CLI::App* kick = nullptr;
  CLI::App* backup = nullptr;
  CLI::App* store = nullptr;
  CLI::App* check = nullptr;
  CLI::App* figures = nullptr;
  CLI::App* dump = nullptr;
};

namespace {

Result<Json> ask(const AdminCommands& commands, const char* operation,
                 Json arguments = Json::object()) {
  return ask_daemon(commands.socket, operation, std::move(arguments));
}

int show_statistics(const AdminCommands& commands) {
  const auto found = ask(commands, "stats");
  if (!found) return refuse(found.error());
  if (commands.json) {
    fmt::print("{}\n", found->dump(2));
    return kExitSuccess;
  }
  fmt::print("{:<46} {}\n", "uptime_seconds", (*found)["uptime_seconds"].dump());
  fmt::print("{:<46} {}\n", "durability", (*found)["durability"].get<std::string>());
  for (const auto& [name, metric] : (*found)["metrics"].items())
    fmt::print("{:<46} {}\n", name, metric["value"].dump());
  for (const auto& [name, value] : (*found)["store"].items())
    fmt::print("{:<46} {}\n", "store." + name, value.dump());
  return kExitSuccess;
}

int show_sessions(const AdminCommands& commands) {
  const auto found = ask(commands, "sessions");
  if (!found) return refuse(found.error());
  if (commands.json) {
    fmt::print("{}\n", found->dump(2));
    return kExitSuccess;
  }
  for (const Json& each : *found) {
    fmt::print("{} {} queued={} subscriptions={}\n", each["client_id"].dump(),
               each["connected"] == true ? "connected" : "away", each["queued_messages"].dump(),
               each["subscriptions"].dump());
  }
  return kExitSuccess;
}

int show_plugins(const AdminCommands& commands) {
  const auto found = ask(commands, "plugins");
  if (!found) return refuse(found.error());
  if (commands.json) {
    fmt::print("{}\n", found->dump(2));
    return kExitSuccess;
  }
  for (const Json& each : *found) {
    fmt::print("{} calls={} errors={} timeouts={}{}\n", each["name"].get<std::string>(),
               each["calls"].dump(), each["errors"].dump(), each["timeouts"].dump(),
               each["disabled"] == true ? " disabled" : "");
  }
  return kExitSuccess;
}

int make_backup(const AdminCommands& commands) {
  // The daemon has a working directory of its own.
  const std::string directory =
      std::filesystem::absolute(commands.text).lexically_normal().string();
  const auto done = ask(commands, "backup", {{"directory", directory}});
  if (!done) return refuse(done.error());
  fmt::print("backup in {}, {:.2f} s\n", directory, (*done)["seconds"].get<double>());
  return kExitSuccess;
}

int look_into_store(const AdminCommands& commands) {
  const auto loaded = load_config(commands.source);
  if (!loaded) {
    for (const Error& each : loaded.error()) fmt::print(stderr, "twinmq: {}\n", each.detail);
    return kExitUsage;
  }
  std::function<void(const std::string&)> each;
  if (commands.dump->parsed()) each = [](const std::string& line) { fmt::print("{}\n", line); };
  const auto report = app::inspect_store(loaded->config, commands.check->parsed(), each);
  if (!report) return refuse(report.error());
  if (!each) {
    for (const auto& [kind, sum] : report->kinds)
      fmt::print("{:<16} {:>12} records {:>16} bytes\n", kind, sum.records, sum.bytes);
  }
  if (commands.figures->parsed()) {
    for (const StoreFigure& figure : report->figures)
      fmt::print("{:<30} {}\n", figure.name, figure.value);
  }
  for (const std::string& fault : report->faults) fmt::print(stderr, "fault: {}\n", fault);
  if (commands.check->parsed() && report->faults.empty()) fmt::print("everything verifies\n");
  return report->faults.empty() ? kExitSuccess : kExitFailure;
}

}  // namespace

std::shared_ptr<AdminCommands> add_admin_commands(CLI::App& app) {
  auto commands = std::make_shared<AdminCommands>();
  const auto to_daemon = [&](const char* name, const char* sentence) {
    CLI::App* command = app.add_subcommand(name, sentence);
    add_socket_option(*command, commands->socket);
    return command;
  };
  commands->stats = to_daemon("stats", "print the metrics of a running twinmqd");
  commands->stats->add_flag("--json", commands->json, "with units and help, as JSON");
  commands->sessions = to_daemon("sessions", "list the sessions of a running twinmqd");
  commands->sessions->add_flag("--json", commands->json, "everything, as JSON");
  commands->plugins = to_daemon("plugins", "count the calls of the plugins of a running twinmqd");
  commands->plugins->add_flag("--json", commands->json, "as JSON");
  commands->kick = to_daemon("kick", "close the connection of a client");
  commands->kick->add_option("client", commands->text, "its client identifier")->required();
  commands->backup =
      to_daemon("backup", "write all that a running twinmqd has stored into a new directory");
  commands->backup->footer("Restore it with: twinmqd --restore DIR");
  commands->backup->add_option("directory", commands->text, "the directory to make")
      ->type_name("DIR")
      ->required();

  commands->store =
      app.add_subcommand("store", "look into the data of a twinmqd that does not run");
  commands->store->require_subcommand(1);
  const auto on_data = [&](const char* name, const char* sentence) {
    CLI::App* command = commands->store->add_subcommand(name, sentence);
    ConfigSource& source = commands->source;
    command->add_option("--config", source.file, "configuration file of the daemon")
        ->type_name("FILE");
    command->add_option("--data-dir", source.data_dir, "the data directory, or a backup")
        ->type_name("DIR");
    command
        ->add_option("--set", source.settings, "a configuration key, e.g. storage.encryption_key")
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false);
    return command;
  };
  commands->check = on_data("check", "verify every checksum and every record");
  commands->figures = on_data("stats", "count records and bytes");
  commands->dump = on_data("dump", "print every record as a line of JSON");
  return commands;
}

bool run_admin_command(AdminCommands& commands, int& code) {
  if (commands.stats->parsed()) {
    code = show_statistics(commands);
  } else if (commands.sessions->parsed()) {
    code = show_sessions(commands);
  } else if (commands.plugins->parsed()) {
    code = show_plugins(commands);
  } else if (commands.kick->parsed()) {
    const auto done = ask(commands, "kick", {{"client_id", commands.text}});
    code = done ? kExitSuccess : refuse(done.error());
  } else if (commands.backup->parsed()) {
    code = make_backup(commands);
  } else if (commands.store->parsed()) {
    code = look_into_store(commands);
  } else {
    return false;
  }
  return true;
}
