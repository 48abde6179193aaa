// The daemon: options and signals around the library's Broker.

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <twinmq/broker.hpp>
#include <twinmq/config_file.hpp>
#include <twinmq/log.hpp>
#include <twinmq/version.hpp>

#include "app/admin_operations.hpp"
#include "app/admin_socket.hpp"
#include "app/config_validate.hpp"
#include "app/file_watch.hpp"
#include "app/store_tools.hpp"
#include "base/escape.hpp"
#include "exit_code.hpp"
#include "free_memory.hpp"
#include "service_notice.hpp"
#include "socket_activation.hpp"

namespace {

using namespace twinmq;

struct Options {
  ConfigSource source;
  bool check = false;
  bool print_config = false;
  std::string restore;
};

/// The exit code when the command line alone decides, otherwise nothing.
std::optional<int> read_options(int argc, char** argv, Options& options);
void complain(const std::vector<Error>& errors);
sigset_t block_signals();
void raise_descriptor_limit();
int restore(const Options& options, const Config& config);
int serve(const Options& options, const LoadedConfig& loaded, const std::string& config_read);
std::unique_ptr<app::FileWatch> watch_config(const Options& options, const Config& config,
                                             const std::string& read, Log& log);
/// `config_read`: the state of the configuration file when it was read.
void wait_for_the_end(const Options& options, Broker& broker, Log& log, const sigset_t& signals,
                      FreeMemory& memory, std::string config_read);
void reload(const Options& options, Broker& broker, Log& log, std::string& config_read);
void log_start(const Options& options, const LoadedConfig& loaded, const Broker& broker, Log& log);

int run(int argc, char** argv) {
  Options options;
  if (const auto code = read_options(argc, argv, options)) return *code;
  const std::string config_read = app::state_of_files({options.source.file});
  const auto loaded = load_config(options.source);
  if (!loaded) {
    complain(loaded.error());
    return kExitUsage;
  }
  if (options.print_config) {
    fmt::print("{}", print_config(*loaded));
    return kExitSuccess;
  }
  if (!options.restore.empty()) return restore(options, loaded->config);
  return serve(options, *loaded, config_read);
}

int restore(const Options& options, const Config& config) {
  if (auto restored = app::restore_backup(config, options.restore); !restored) {
    complain({restored.error()});
    return restored.error().code == ErrorCode::InvalidArgument ? kExitUsage : kExitFailure;
  }
  fmt::print("{} is restored into {}\n", options.restore, config.data_dir);
  return kExitSuccess;
}

/// Where administrators find this daemon; empty: nowhere.
std::string admin_path(const Config& config, const Broker& broker) {
  if (!config.admin.socket.empty()) return config.admin.socket;
  if (broker.durability() != Durability::None) return config.data_dir + "/twinmq.sock";
  const char* const runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime == nullptr) return "";
  for (const ListenerInfo& each : broker.listeners()) {
    const std::string port = each.url.substr(each.url.rfind(':') + 1);
    if (!port.empty() && port.find_first_not_of("0123456789") == std::string::npos)
      return fmt::format("{}/twinmq-{}.sock", runtime, port);
  }
  return "";
}

/// A broker that cannot be administered still serves, unless its administrator named the socket.
Result<std::unique_ptr<app::AdminSocket>> open_admin_socket(const Config& config, Broker& broker,
                                                            Log& log) {
  const std::string path = config.admin.enabled ? admin_path(config, broker) : "";
  if (path.empty()) return std::unique_ptr<app::AdminSocket>();
  auto socket = app::AdminSocket::open(path, [&broker](std::string_view request) {
    return app::answer_admin_request(broker, request);
  });
  if (socket) log.write({LogLevel::Info, "admin socket", "path=" + escaped(path)});
  if (socket || !config.admin.socket.empty()) return socket;
  log.write({LogLevel::Warning, "no admin socket", "reason=" + escaped(socket.error().detail)});
  return std::unique_ptr<app::AdminSocket>();
}

/// What the system refused is no fault of the configuration.
int refuse(const Error& error) {
  complain({error});
  return error.code == ErrorCode::Internal ? kExitFailure : kExitUsage;
}

int serve(const Options& options, const LoadedConfig& loaded, const std::string& config_read) {
  // Before the library makes threads, so that only this one sees them.
  const sigset_t signals = block_signals();
  LogConfig log_config = loaded.config.log;
  if (options.check) log_config.file.clear();
  auto log = Log::open(log_config);
  if (!log) return refuse(log.error());
  Parts parts;
  parts.sockets = inherited_sockets();
  parts.log = [log = *log](const LogLine& line) { log->write(line); };
  auto broker = Broker::create(loaded.config, std::move(parts));
  if (!broker) return refuse(broker.error());
  if (options.check) {
    fmt::print("configuration is sound\n");
    return kExitSuccess;
  }
  raise_descriptor_limit();
  const std::uint32_t shards = loaded.config.node.shards;
  FreeMemory memory(shards != 0 ? shards : std::thread::hardware_concurrency());
  log_start(options, loaded, **broker, **log);
  if (auto started = (*broker)->start(); !started) {
    complain({started.error()});
    return kExitFailure;
  }
  auto admin = open_admin_socket(loaded.config, **broker, **log);
  if (!admin) {
    complain({admin.error()});
    return kExitFailure;
  }
  auto watch = watch_config(options, loaded.config, config_read, **log);
  notify_service_manager("READY=1");
  wait_for_the_end(options, **broker, **log, signals, memory, config_read);
  watch.reset();
  notify_service_manager("STOPPING=1");
  admin->reset();
  (*broker)->stop();
  return kExitSuccess;
}

/// What an acknowledgement of this broker is worth stands in its log, with the reason.
void log_start(const Options& options, const LoadedConfig& loaded, const Broker& broker, Log& log) {
  const Durability durability = broker.durability();
  const std::string reason =
      app::durability_reason(loaded.config, app::built_in_durability_max(loaded.config));
  const std::string file =
      options.source.file.empty() ? "" : " config=" + escaped(options.source.file);
  log.write({LogLevel::Info, "starting",
             fmt::format("version={}{} durability={} reason={}", kVersion, file,
                         app::durability_word(durability), escaped(reason))});
}

void wait_for_the_end(const Options& options, Broker& broker, Log& log, const sigset_t& signals,
                      FreeMemory& memory, std::string config_read) {
  constexpr timespec kBetweenLooks{2, 0};
  while (true) {
    siginfo_t sent{};
    const int signal = sigtimedwait(&signals, &sent, &kBetweenLooks);
    if (signal < 0) {
      memory.look();
      continue;
    }
    if (signal == SIGHUP) {
      // Of what the watch saw, somebody's HUP may have been the occasion to read it already.
      const bool watched = sent.si_pid == getpid();
      if (watched && app::state_of_files({options.source.file}) == config_read) continue;
      reload(options, broker, log, config_read);
      continue;
    }
    log.write({LogLevel::Info, "signal", signal == SIGTERM ? "name=TERM" : "name=INT"});
    return;
  }
}

/// A change is told to the main thread as anybody else's wish to reload.
std::unique_ptr<app::FileWatch> watch_config(const Options& options, const Config& config,
                                             const std::string& read, Log& log) {
  if (options.source.file.empty() || !config.node.watch_config) return nullptr;
  auto watch =
      app::FileWatch::start({options.source.file}, read, {[] { kill(getpid(), SIGHUP); }, [] {}});
  if (watch) return std::move(*watch);
  log.write({LogLevel::Warning, "configuration is not watched",
             "reason=" + escaped(watch.error().detail)});
  return nullptr;
}

/// The configuration of a file that nobody writes meanwhile; `read` becomes the state of the file.
Result<LoadedConfig, std::vector<Error>> load_whole(const ConfigSource& source, std::string& read) {
  constexpr int kReadings = 10;
  const auto being_written = [&source](const char* what) {
    constexpr const char* kText =
        "{}: {}, as a file that is being written; everything stays as it is. When the file is "
        "whole, "
        "send SIGHUP again";
    return std::vector<Error>{{ErrorCode::InvalidConfig, fmt::format(kText, source.file, what)}};
  };
  for (int reading = 0; reading < kReadings; ++reading) {
    read = app::state_of_files({source.file});
    // Emptied first is how shells and editors write; it would be sound, with every default.
    if (std::error_code none; std::filesystem::is_empty(source.file, none))
      return being_written("is empty");
    auto loaded = load_config(source);
    if (app::state_of_files({source.file}) == read) return loaded;
  }
  return being_written("changed each time it was read");
}

/// Either everything that may change at run time changes, or nothing.
void reload(const Options& options, Broker& broker, Log& log, std::string& config_read) {
  const auto refuse = [&log](const std::vector<Error>& errors) {
    for (const Error& error : errors) {
      log.write({LogLevel::Error, "reload refused", "reason=" + escaped(error.detail)});
    }
  };
  const auto loaded = load_whole(options.source, config_read);
  if (!loaded) return refuse(loaded.error());
  // Tried first: a log that cannot be written must refuse the rest too.
  if (const auto probe = Log::open(loaded->config.log); !probe) return refuse({probe.error()});
  if (auto reloaded = broker.reload(loaded->config); !reloaded) return refuse({reloaded.error()});
  if (auto changed = log.reconfigure(loaded->config.log); !changed) refuse({changed.error()});
}

sigset_t block_signals() {
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

/// Every connection is a descriptor, and the usual soft limit of 1024 exists for programs with
/// select().
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void complain(const std::vector<Error>& errors) {
  for (const Error& error : errors) fmt::print(stderr, "twinmqd: {}\n", error.detail);
}

constexpr const char* kDescription =
    "twinmqd, an MQTT 3.1, 3.1.1 and 5.0 broker.\n\n"
    "Started without options it serves clients of this machine on mqtt://127.0.0.1:1883, anonymous "
    "ones too,\n"
    "runs in the foreground, logs to standard error, and ends cleanly on Ctrl-C.\n";

constexpr const char* kExamples =
    "Try it:\n"
    "  twinmqd                                             in one terminal\n"
    "  mosquitto_sub -t 'hello/#' -v                       in a second\n"
    "  mosquitto_pub -t hello/world -m 'it works'          in a third\n"
    "\n"
    "Serve other machines too, with passwords:\n"
    "  twinmq passwd users alice\n"
    "  twinmqd --listen mqtt://0.0.0.0:1883 --set access.password_file=users\n"
    "\n"
    "Every configuration key with its default and a sentence is in conf/twinmq.toml; a file needs "
    "only what\n"
    "differs. Signals: TERM and INT end the broker, a changed file or HUP reads the configuration "
    "again (if anything "
    "in it is\n"
    "wrong, all of the old stays). Exit code 0: ended cleanly, 1: failed while running, 2: wrong "
    "option or\n"
    "configuration.";

std::optional<int> read_options(int argc, char** argv, Options& options) {
  CLI::App app(kDescription, "twinmqd");
  app.footer(kExamples);
  ConfigSource& source = options.source;
  app.add_option("--config", source.file, "configuration file (TOML)")->type_name("FILE");
  app.add_option("--set", source.settings,
                 "set any configuration key, e.g. mqtt.qos_max=1; repeatable")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  app.add_option("--listen", source.listen,
                 "listen here instead of where the file says; repeatable")
      ->type_name("URL")
      ->allow_extra_args(false);
  app.add_option("--data-dir", source.data_dir, "directory of everything the broker keeps")
      ->type_name("DIR");
  app.add_option("--log-level", source.log_level, "debug, info, warning or error")
      ->type_name("LEVEL");
  app.add_option("--restore", options.restore,
                 "make the data directory, which must hold no data, of a backup that twinmq backup "
                 "wrote, and exit")
      ->type_name("DIR");
  app.add_flag("--check", options.check, "validate the configuration and exit");
  app.add_flag("--print-config", options.print_config,
               "print the effective configuration as TOML and exit");
  app.set_version_flag("--version", fmt::format("twinmqd {}", kVersion),
                       "print the version and exit");
  app.set_help_flag("-h,--help", "print this and exit");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& outcome) {
    return app.exit(outcome) == 0 ? kExitSuccess : kExitUsage;
  }
  return std::nullopt;
}

}  // namespace

int main(int argc, char** argv) {
  return run(argc, argv);
}
