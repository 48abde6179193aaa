// twinmq-bench: reads the command line, runs one scenario, prints one result.

#include <sys/resource.h>

#include <cstdio>
#include <map>
#include <string>
#include <type_traits>
#include <utility>

#include <CLI/CLI.hpp>

#include "scenarios.hpp"

namespace twinmq::load {
namespace {

constexpr int kExitWrong = 1;  // loss, duplicates, disorder, or the run broke off
constexpr int kExitUsage = 2;

constexpr const char* kPurpose =
    "Load generator for MQTT brokers: one thread, any broker by --host and --port.\n"
    "With --pid it reads the broker process's CPU time (user + system, all threads) and resident\n"
    "memory from /proc and reports them per message, connection, filter or retained message.\n"
    "Every message is checked for loss, duplication and order.\n"
    "Exit status: 0 all correct; 1 loss, duplicate, disorder or a run that broke off; 2 bad usage.";

constexpr const char* kExamples =
    "\nExamples:\n"
    "  twinmq-bench pubsub --port 1883 --pid $(pidof twinmqd) --qos 1 --messages 1000000\n"
    "  twinmq-bench pubsub --topics fanout --publishers 1 --subscribers 1000 --messages 2000\n"
    "  twinmq-bench pubsub --rate 10000 --messages 50000 --payload 64     (latency, open loop)\n"
    "  twinmq-bench pubsub --qos 1 --persistent --pid PID\n"
    "  twinmq-bench connect --connections 10000 --subscribe --pid PID\n"
    "  twinmq-bench subscriptions --filters 1000000 --pid PID\n"
    "  twinmq-bench retained --pid PID --json\n"
    "  twinmq-bench shadow --things 1000 --updates 500000 --gets 200000 --pid PID\n"
    "  twinmq-bench shadow --things 1000000 --updates 1000000 --queries --pid PID\n"
    "  twinmq-bench rules --port 18830 --rules 10 \\\n"
    "    --start 'twinmqd --config {dir}/rules.toml --listen mqtt://127.0.0.1:{port} --data-dir "
    "{dir}/data'\n"
    "  twinmq-bench offline --messages 1000000 --pid PID\n"
    "  twinmq-bench durability --port 18830 --rounds 20 \\\n"
    "    --start 'twinmqd --listen mqtt://127.0.0.1:{port} --data-dir {dir}/data'\n"
    "Memory figures mean most on a freshly started broker.";

struct CommandLine {
  Target target;
  bool json = false;
  PubsubOptions pubsub;
  ConnectOptions connect;
  SubscriptionsOptions subscriptions;
  RetainedOptions retained;
  ShadowOptions shadow;
  RulesOptions rules;
  OfflineOptions offline;
  DurabilityOptions durability;
};

const std::map<std::string, Version> versions = {
    {"3.1", Version::V31}, {"3.1.1", Version::V311}, {"5", Version::V5}};
const std::map<std::string, TopicPlan> plans = {{"pairs", TopicPlan::Pairs},
                                                {"fanin", TopicPlan::FanIn},
                                                {"fanout", TopicPlan::FanOut},
                                                {"shared", TopicPlan::Shared}};

/// With the default that `value` has now.
template <typename T>
void add_number(CLI::App& command, const char* name, T& value, const char* sentence,
                std::type_identity_t<T> least, std::type_identity_t<T> most) {
  command.add_option(name, value, sentence)->check(CLI::Range(least, most))->capture_default_str();
}

// What most scenarios have.
template <typename T>
void add_publishers(CLI::App& command, T& value) {
  add_number(command, "--publishers", value, "publishing connections", 1, 1'000);
}
template <typename T>
void add_window(CLI::App& command, T& value) {
  add_number(command, "--window", value, "unacknowledged messages per publisher", 1, 32'000);
}
template <typename T>
void add_payload(CLI::App& command, T& value) {
  add_number(command, "--payload", value, "bytes per message, at least 16", 16, 1'000'000);
}
template <typename T>
void add_absent(CLI::App& command, T& value) {
  add_number(command, "--subscribers", value, "clients that are away", 1, 1'000);
}

void add_target(CLI::App& command, CommandLine& line) {
  Target& target = line.target;
  command.add_option("--host", target.host, "address of the broker")->capture_default_str();
  command.add_option("--port", target.port, "port of the broker")->capture_default_str();
  command.add_option("--unix", target.unix_path, "Unix socket of the broker, instead of a port");
  command.add_option("--ws", target.websocket_path,
                     "speak WebSocket, and ask for this path (/mqtt); with TLS: wss");
  net::TlsClient::Options& tls = target.tls;
  command.add_option_function<std::string>(
      "--cafile",
      [&target](const std::string& file) {
        target.encrypted = true;
        target.tls.ca = file;
      },
      "speak TLS (mqtts), and trust the authorities in this PEM file");
  command.add_flag_callback(
      "--insecure", [&target] { target.encrypted = target.tls.insecure = true; },
      "speak TLS and take any certificate");
  command.add_option("--cert", tls.certificate, "with TLS: certificate to show, PEM");
  command.add_option("--key", tls.key, "its key");
  command.add_option("--tls-version", tls.version, "12 or 13 alone [the best]")
      ->check(CLI::IsMember({12, 13}));
  command.add_option("--tls-ciphers", tls.ciphers, "of TLS 1.2, in OpenSSL's notation");
  command.add_option("--pid", target.pid,
                     "process of the broker; without it CPU and memory are absent");
  command
      .add_option_function<std::string>(
          "--version", [&target](const std::string& text) { target.version = versions.at(text); },
          "MQTT version: 3.1, 3.1.1 or 5 [5]")
      ->check(CLI::IsMember(versions));
  command.add_option("--prefix", target.prefix, "first part of topics and client identifiers")
      ->capture_default_str();
  command
      .add_option("--stall", target.stall_seconds,
                  "give up after this many seconds without progress")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  command.add_flag("--allow-remote", target.allow_remote,
                   "load a broker on another machine (make sure that it is yours)");
  command.add_flag("--json", line.json, "print one JSON object; the same keys for all subcommands");
}

void add_pubsub(CLI::App& app, CommandLine& line) {
  PubsubOptions& options = line.pubsub;
  CLI::App* command = app.add_subcommand(
      "pubsub",
      "messages from publishers to subscribers: CPU per message, rate, latency, correctness");
  add_target(*command, line);
  command
      ->add_option_function<std::string>(
          "--topics", [&options](const std::string& text) { options.plan = plans.at(text); },
          "pairs: publisher i to subscriber i; fanin: all to each wildcard subscriber;\n"
          "fanout: all to every subscriber; shared: all to one share group [pairs]")
      ->check(CLI::IsMember(plans));
  add_number(*command, "--publishers", options.publishers, "publishing connections", 1, 18'000);
  add_number(*command, "--subscribers", options.subscribers, "subscribing connections", 1, 18'000);
  command->add_option("--qos", options.qos, "of publishes and subscriptions [0]")
      ->check(CLI::Range(0, 2));
  add_number(*command, "--payload", options.payload_size,
             "bytes per message, at least 16: they carry the stamp", 16, 200'000'000);
  add_number(*command, "--messages", options.messages,
             "messages published by all publishers together", 1, 4'000'000'000);
  command
      ->add_option(
          "--window", options.window,
          "messages a publisher may have outstanding: sent and not yet received by all receivers\n"
          "(any QoS) or not yet acknowledged (QoS 1, 2); it refills when half of it is free\n"
          "[so many that 5000 copies are outstanding in all]")
      ->check(CLI::Range(1, 32'000));
  command->add_flag("--persistent", options.persistent,
                    "subscribers with sessions that outlive their connections: what they have not\n"
                    "acknowledged in time is stored; the sessions end with the run");
  CLI::Option* unbatched =
      command->add_flag("--unbatched", options.unbatched,
                        "one message per write and 50 outstanding in total, in place of --window");
  command
      ->add_option(
          "--rate", options.rate,
          "messages per second in all, open loop: each is written alone when it is due, and\n"
          "latency counts from the moment it was due")
      ->excludes(unbatched);
}

void add_connect(CLI::App& app, CommandLine& line) {
  ConnectOptions& options = line.connect;
  CLI::App* command = app.add_subcommand(
      "connect", "connections: CPU per connect and disconnect, resident bytes per idle connection");
  add_target(*command, line);
  add_number(*command, "--connections", options.connections, "how many; churn: how many in all", 1,
             10'000'000);
  CLI::Option* subscribe = command->add_flag("--subscribe", options.subscribe,
                                             "then one subscription each, measured separately");
  command
      ->add_flag("--churn", options.churn,
                 "connect, CONNACK, DISCONNECT, close, over and over on 64 sockets")
      ->excludes(subscribe);
}

void add_subscriptions(CLI::App& app, CommandLine& line) {
  SubscriptionsOptions& options = line.subscriptions;
  CLI::App* command = app.add_subcommand(
      "subscriptions",
      "many filters: CPU and resident bytes per filter, then CPU per publish to random topics");
  add_target(*command, line);
  add_number(
      *command, "--filters", options.filters,
      "distinct filters: a quarter exact, half device/{id}/+/telemetry, a quarter site/{id}/#", 1,
      50'000'000);
  add_number(*command, "--connections", options.connections, "subscribing connections", 1, 18'000);
  add_publishers(*command, options.publishers);
  add_number(*command, "--messages", options.messages, "QoS 0 publishes, each matches one filter",
             1, 10'000'000);
  add_number(*command, "--window", options.window, "messages a publisher may have outstanding", 1,
             32'000);
}

void add_retained(CLI::App& app, CommandLine& line) {
  RetainedOptions& options = line.retained;
  CLI::App* command = app.add_subcommand(
      "retained",
      "retained messages (QoS 1): CPU per message set, resident bytes, CPU per message\n"
      "replayed to one `#` subscription");
  add_target(*command, line);
  add_number(*command, "--messages", options.messages, "retained messages, each on its own topic",
             1, 100'000'000);
  add_payload(*command, options.payload_size);
  add_publishers(*command, options.publishers);
  add_window(*command, options.window);
  command->add_flag("--keep", options.keep, "leave the messages in the broker");
}

void add_shadow(CLI::App& app, CommandLine& line) {
  ShadowOptions& options = line.shadow;
  CLI::App* command = app.add_subcommand(
      "shadow",
      "updates of device shadows (QoS 1), one subscriber to all that is told of them: CPU per\n"
      "update, rate, time until accepted; every version must follow the one before");
  add_target(*command, line);
  add_number(*command, "--things", options.things, "whose classic shadows are updated in turn", 1,
             10'000'000);
  add_number(*command, "--updates", options.updates, "of all publishers together", 1,
             1'000'000'000);
  add_number(*command, "--document", options.document_size, "bytes of the state", 64, 100'000);
  add_publishers(*command, options.publishers);
  add_number(*command, "--window", options.window, "updates of a publisher that wait for an answer",
             1, 32'000);
  command->add_option(
      "--rate", options.rate,
      "updates per second in all, open loop; latency counts from when each was due");
  command->add_option("--gets", options.gets, "requests for documents, after the updates");
  command->add_flag(
      "--queries", options.queries,
      "then query all shadows, with an index (of reported.level) and without, beside a\n"
      "client that pings");
}

void add_rules(CLI::App& app, CommandLine& line) {
  RulesOptions& options = line.rules;
  CLI::App* command = app.add_subcommand(
      "rules",
      "what rules add to the CPU of a message (QoS 1, JSON): the same messages through a fresh "
      "broker\n"
      "without rules and one with them, in turn; with --groups the memory of open windows");
  add_target(*command, line);
  command
      ->add_option(
          "--start", options.start,
          "shell command that starts the broker; {port} and {dir} (fresh, with rules.toml) are\n"
          "filled in")
      ->required();
  add_number(*command, "--rules", options.rules, "how many", 1, 100'000);
  command->add_flag("--distinct", options.distinct,
                    "each has a filter of its own, and a message meets one; else all see all");
  CLI::Option* matching = command->add_flag(
      "--match", options.matching, "they select the messages, and republish to one subscriber");
  command
      ->add_option("--groups", options.groups,
                   "open windows, a message each, with count, sum, avg, min, max")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{100'000'000}))
      ->excludes(matching);
  add_number(*command, "--messages", options.messages, "published per pass", 1000, 1'000'000'000);
  add_number(*command, "--payload", options.payload_size, "bytes per message, at least 160", 160,
             1'000'000);
  add_publishers(*command, options.publishers);
  add_window(*command, options.window);
  add_number(*command, "--rounds", options.rounds, "of both passes; the medians are told", 1,
             1'000);
}

void add_offline(CLI::App& app, CommandLine& line) {
  OfflineOptions& options = line.offline;
  CLI::App* command = app.add_subcommand(
      "offline",
      "messages for clients that are away: CPU per message queued, resident bytes, then CPU per\n"
      "message and rate while they come back and take what waits");
  add_target(*command, line);
  add_number(*command, "--messages", options.messages, "messages published, each for one client", 1,
             100'000'000);
  add_payload(*command, options.payload_size);
  add_publishers(*command, options.publishers);
  add_absent(*command, options.subscribers);
  command->add_option("--qos", options.qos, "of publishes and subscriptions [1]")
      ->check(CLI::Range(1, 2));
  add_window(*command, options.window);
}

void add_durability(CLI::App& app, CommandLine& line) {
  DurabilityOptions& options = line.durability;
  CLI::App* command = app.add_subcommand(
      "durability",
      "kills a broker (SIGKILL) under load, again and again; what it acknowledged must come to\n"
      "clients that were away, after each restart");
  add_target(*command, line);
  command
      ->add_option("--start", options.start,
                   "shell command that starts the broker; {port} and {dir} (empty, kept from kill\n"
                   "to kill) are filled in")
      ->required();
  add_number(*command, "--rounds", options.rounds, "kills", 1, 1'000'000);
  add_payload(*command, options.payload_size);
  add_publishers(*command, options.publishers);
  add_absent(*command, options.subscribers);
  command->add_option("--qos", options.qos, "of publishes and subscriptions [1]")
      ->check(CLI::Range(1, 2));
  add_window(*command, options.window);
  command->add_option("--seed", options.seed, "of the moments of the kills")->capture_default_str();
}

int refuse(const std::string& why) {
  std::fprintf(stderr, "twinmq-bench: %s\n", why.c_str());
  return kExitUsage;
}

// What CLI11 cannot see: the machine, and options that must fit each other. Empty: all is well.
std::string objection(CommandLine& line, const std::string& command, std::uint64_t files_max) {
  Target& target = line.target;
  auto endpoint =
      target.unix_path.empty() ? resolve(target.host, target.port) : local(target.unix_path);
  if (!endpoint) return endpoint.error().detail;
  target.endpoint = *endpoint;
  target.endpoint.host = target.host;
  target.endpoint.websocket_path = target.websocket_path;
  if (target.encrypted) {
    target.tls.server_name = target.host;
    auto tls = net::TlsClient::open(target.tls);
    if (!tls) return "TLS: " + tls.error().detail;
    target.endpoint.tls = std::move(*tls);
  }
  if (!target.endpoint.loopback && !target.allow_remote) {
    return "--host " + target.host +
           " is not this machine; a load generator can take a broker down: add --allow-remote if "
           "it is yours";
  }
  if (!ProcessMeter(target.pid).readable()) {
    return "--pid " + std::to_string(target.pid) +
           ": there is no such process, or it may not be read";
  }
  std::size_t sockets = 0;
  if (command == "pubsub") {
    const PubsubOptions& options = line.pubsub;
    sockets = options.publishers + options.subscribers;
    if (options.plan == TopicPlan::Pairs && options.publishers != options.subscribers) {
      return "--topics pairs needs as many --subscribers as --publishers";
    }
    const bool all = options.plan == TopicPlan::FanIn || options.plan == TopicPlan::FanOut;
    const auto copies =
        static_cast<double>(options.messages) * static_cast<double>(all ? options.subscribers : 1);
    if (copies > 3.4e10) return "--messages times receivers is above 34 billion: use fewer";
  } else if (command == "connect" && !line.connect.churn) {
    sockets = line.connect.connections;
  }
  if (sockets + 64 > files_max) {
    return std::to_string(sockets) +
           " connections need more open files than this process may have (" +
           std::to_string(files_max) + "): use fewer, or raise the hard limit (ulimit -Hn)";
  }
  return "";
}

std::uint64_t raise_file_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_max;
}

double own_cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

Report run(const CommandLine& line, const std::string& command) {
  if (command == "pubsub") return run_pubsub(line.target, line.pubsub);
  if (command == "connect") return run_connect(line.target, line.connect);
  if (command == "subscriptions") return run_subscriptions(line.target, line.subscriptions);
  if (command == "shadow") return run_shadow(line.target, line.shadow);
  if (command == "rules") return run_rules(line.target, line.rules);
  if (command == "offline") return run_offline(line.target, line.offline);
  if (command == "durability") return run_durability(line.target, line.durability);
  return run_retained(line.target, line.retained);
}

int real_main(int argc, char** argv) {
  CommandLine line;
  CLI::App app{kPurpose, "twinmq-bench"};
  app.footer(kExamples);
  app.set_version_flag("--version", std::string("twinmq-bench ") + TWINMQ_VERSION);
  app.require_subcommand(1);
  add_pubsub(app, line);
  add_connect(app, line);
  add_subscriptions(app, line);
  add_retained(app, line);
  add_shadow(app, line);
  add_rules(app, line);
  add_offline(app, line);
  add_durability(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  const std::string command = app.get_subcommands().front()->get_name();
  if (const std::string why = objection(line, command, raise_file_limit()); !why.empty()) {
    return refuse(why);
  }
  Report report = run(line, command);
  report.generator_cpu_seconds = own_cpu_seconds();
  std::printf("%s\n", (line.json ? to_json(report) : to_line(report)).c_str());
  return report.correct() ? 0 : kExitWrong;
}

}  // namespace
}  // namespace twinmq::load

int main(int argc, char** argv) {
  try {
    return twinmq::load::real_main(argc, argv);
  } catch (...) {
    std::fputs("twinmq-bench: out of memory\n", stderr);
    return 1;
  }
}
