#include "rule_commands.hpp"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <twinmq/config_file.hpp>

#include "app/plugin_functions.hpp"
#include "app/reply.hpp"
#include "app/rule_files.hpp"
#include "app/zone_files.hpp"
#include "exit_code.hpp"
#include "json/read.hpp"
#include "json/write.hpp"
#include "modules/rules/compiled_rule.hpp"
#include "rule_management.hpp"
#include "sql/base64.hpp"
#include "sql/explain.hpp"
#include "sql/linter.hpp"
#include "sql/statement.hpp"
#include "sql/windows.hpp"

namespace twinmq {

class RuleCommands {
 public:
  CLI::App* test = nullptr;
  std::string sql;
  std::string topic;
  std::optional<std::string> payload;
  std::optional<std::string> payload_file;
  std::optional<std::string> version;
  std::string dialect = "twinmq";
  std::optional<std::int64_t> now;
  std::string client_id = "n/a";
  std::vector<std::string> user_properties;
  std::optional<std::string> content_type;
  std::optional<std::string> response_topic;
  std::optional<std::string> correlation_data;
  std::string payload_format = "UNSPECIFIED_BYTES";
  bool json = false;
  bool values = false;
  std::optional<std::string> config;
  std::shared_ptr<RuleManagement> management;
};

namespace {

// What there is without a configuration.
class NoFunctions final : public sql::OutsideFunctions {
 public:
  Kind kind_of(std::string_view) const override { return Kind::None; }
  json::Value call(std::string_view, std::span<const json::Value>, json::Arena&) override {
    return {};
  }
  json::Value aggregate(std::string_view, std::span<const json::Value>, json::Arena&) override {
    return {};
  }
  void submit(std::string_view, std::string, std::function<void(std::string)> done) override {
    done({});
  }
};

class LocalWorld : public sql::World {
 public:
  LocalWorld(std::shared_ptr<sql::OutsideFunctions> functions,
             std::shared_ptr<const sql::KnownFiles> files)
      : functions_(std::move(functions)), files_(std::move(files)) {}

  std::optional<json::Value> call(std::string_view function, std::span<const json::Value> arguments,
                                  json::Arena& arena) override {
    using Kind = sql::OutsideFunctions::Kind;
    const Kind kind = functions_->kind_of(function);
    if (kind == Kind::Fast) return functions_->call(function, arguments, arena);
    if (kind != Kind::Pooled) return std::nullopt;
    const app::Reply<std::string> reply;
    functions_->submit(
        function, json::text_of(json::Value::array(arguments)),
        [promise = reply.promise()](std::string answer) { promise.give(std::move(answer)); });
    if (!reply.wait_for(kPatience)) return std::nullopt;
    return json::read(arena.copy(reply.take().value_or("")), arena).value;
  }
  json::Value aggregate(std::string_view name, std::span<const json::Value> values,
                        json::Arena& arena) override {
    return functions_->aggregate(name, values, arena);
  }
  std::optional<json::Value> look_up(std::string_view table, std::string_view key,
                                     json::Arena&) override {
    return files_ ? files_->row(table, key) : std::nullopt;
  }
  const sql::ProtobufTypes* protobuf_types(std::string_view name) override {
    return files_ ? files_->types(name) : nullptr;
  }
  std::optional<std::string> zone_file(std::string_view name) override {
    return app::read_zone_file(name);
  }
  std::uint64_t random() override { return chance_(); }

 private:
  static constexpr Milliseconds kPatience{60'000};  // a plugin's own deadline comes before

  std::shared_ptr<sql::OutsideFunctions> functions_;
  std::shared_ptr<const sql::KnownFiles> files_;  // null: none
  std::mt19937_64 chance_{std::random_device{}()};
};

int misused(const std::string& sentence) {
  fmt::print(stderr, "twinmq: {}\n", sentence);
  return kExitUsage;
}

std::int64_t milliseconds_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

void print_json(const sql::Evaluated& evaluated, std::string_view payload, json::Numbers numbers,
                const std::vector<sql::ExplainedValue>& values) {
  std::string line = fmt::format("{{\"match\": {}", evaluated.outcome == sql::Outcome::Match);
  if (!values.empty()) {
    line += ", \"values\": [";
    for (const sql::ExplainedValue& each : values) {
      line += line.back() == '[' ? "{\"expression\": " : ", {\"expression\": ";
      json::write_text(each.expression, line);
      line += each.value ? ", \"value\": " + *each.value + "}" : "}";
    }
    line += "]";
  }
  if (evaluated.raw) {
    line += fmt::format(", \"result\": {{\"raw\": \"{}\"}}", sql::to_base64(payload));
  } else if (!evaluated.value.is_undefined()) {
    line += ", \"result\": ";
    json::write(evaluated.value, line, numbers);
  }
  fmt::print("{}}}\n", line);
}

void print_readable(const sql::Evaluated& evaluated, std::string_view payload,
                    json::Numbers numbers, const std::vector<sql::ExplainedValue>& values) {
  for (const sql::ExplainedValue& each : values)
    fmt::print("{} is {}\n", each.expression, each.value.value_or("Undefined"));
  if (evaluated.outcome != sql::Outcome::Match) {
    fmt::print("no match: {}\n", sql::describe(evaluated.outcome));
  } else if (evaluated.raw) {
    fmt::print("match\nthe payload's {} bytes pass as they are: they are no JSON\n",
               payload.size());
  } else if (evaluated.value.is_undefined()) {
    fmt::print("match\nthe result is Undefined: actions get an empty text\n");
  } else {
    fmt::print("match\n{}\n", json::text_of(evaluated.value, numbers));
  }
}

struct Input {
  std::string payload;
  std::vector<sql::UserProperty> properties;
  std::optional<std::string> correlation_data;
};

std::optional<int> read_input(const RuleCommands& options, Input& input) {
  if (options.payload.has_value() == options.payload_file.has_value())
    return misused("give the message by one of --payload and --payload-file");
  input.payload = options.payload.value_or("");
  if (options.payload_file) {
    std::ifstream file(*options.payload_file, std::ios::binary);
    if (!file) return misused(fmt::format("cannot read {}", *options.payload_file));
    input.payload.assign(std::istreambuf_iterator<char>(file), {});
  }
  for (const std::string& property : options.user_properties) {
    const std::size_t equal = property.find('=');
    if (equal == std::string::npos)
      return misused(fmt::format("--user-property \"{}\" is not name=value", property));
    const std::string_view text = property;
    input.properties.push_back({text.substr(0, equal), text.substr(equal + 1)});
  }
  if (options.correlation_data) {
    input.correlation_data = sql::from_base64(*options.correlation_data);
    if (!input.correlation_data) return misused("--correlation-data-base64 is no base64");
  }
  return std::nullopt;
}

sql::Event event_of(const RuleCommands& options, const Input& input) {
  sql::Event event;
  event.topic = options.topic;
  event.now = options.now.value_or(milliseconds_now());
  event.client_id = options.client_id;
  event.user_properties = input.properties;
  if (options.content_type) event.content_type = *options.content_type;
  if (options.response_topic) event.response_topic = *options.response_topic;
  if (input.correlation_data) event.correlation_data = bytes_of(*input.correlation_data);
  event.payload_is_utf8 = options.payload_format == "UTF8_DATA";
  return event;
}

// With GROUP BY: what a window with this one message yields.
sql::Evaluated only_window(const sql::Statement& statement, const sql::Event& event,
                           sql::Payload& payload, sql::World& world, sql::Scratch& scratch,
                           json::Arena& document, std::string& text) {
  sql::Windows windows(statement);
  sql::Windows::Context context{&world, scratch, {}};
  std::vector<std::string> closed;
  sql::Evaluated evaluated;
  evaluated.outcome = windows.add(event, payload, context, closed);
  if (evaluated.outcome != sql::Outcome::Match) return evaluated;
  windows.close_all(context, closed);
  if (closed.empty()) return {sql::Outcome::WhereFalse};
  text = closed.front();
  evaluated.value = json::read(text, document).value;
  return evaluated;
}

// Functions of the plugins that a daemon with this configuration loads.
std::optional<int> open_outside(const RuleCommands& options,
                                std::shared_ptr<sql::OutsideFunctions>& functions,
                                std::shared_ptr<const sql::KnownFiles>& files,
                                std::string& account) {
  if (!options.config) return std::nullopt;
  ConfigSource source;
  source.file = *options.config;
  const auto loaded = load_config(source);
  if (!loaded) return misused(loaded.error().front().detail);
  auto plugins = app::open_plugin_functions(
      loaded->config, [](LogLevel, std::string_view event, const std::string& detail) {
        fmt::print(stderr, "{} {}\n", event, detail);
      });
  if (!plugins) return misused(plugins.error().detail);
  if (*plugins) functions = std::move(*plugins);
  account = loaded->config.rules.account_id;
  auto read = app::read_rule_files(loaded->config.rules);
  if (!read) return misused(read.error().detail);
  files = std::move(*read);
  return std::nullopt;
}

int test_rule(const RuleCommands& options) {
  Input input;
  std::shared_ptr<sql::OutsideFunctions> functions = std::make_shared<NoFunctions>();
  std::shared_ptr<const sql::KnownFiles> files;
  std::string account = RulesConfig().account_id;
  if (const auto code = open_outside(options, functions, files, account)) return *code;
  if (const auto code = read_input(options, input)) return *code;
  sql::StatementOptions statement_options;
  statement_options.dialect = options.dialect == "aws" ? sql::Dialect::Aws : sql::Dialect::Twinmq;
  statement_options.version = sql::default_version(statement_options.dialect);
  if (options.version) {
    const auto version = sql::version_of(*options.version);
    if (!version)
      return misused(
          fmt::format("--sql-version \"{}\" is none of 2015-10-08, 2016-03-23, beta and twinmq",
                      *options.version));
    statement_options.version = *version;
  }
  const auto refuse_sql = [&](const sql::SyntaxFault& fault) {
    fmt::print(stderr, "twinmq: {}\n", sql::describe(options.sql, fault));
    return kExitUsage;
  };
  const auto statement = sql::Statement::compile(options.sql, statement_options);
  if (!statement) return refuse_sql(statement.error());
  if (const auto sound = rules::check_outside(*statement, *functions); !sound)
    return refuse_sql(sound.error());
  for (const std::string& warning : sql::warnings(*statement))
    fmt::print(stderr, "warning: {}\n", warning);

  sql::Event event = event_of(options, input);
  std::string trace_id;
  event.trace_id = &trace_id;
  event.account_id = account;
  const auto ingest = sql::basic_ingest(options.topic);
  if (ingest) event.topic = ingest->topic;
  json::Arena document;
  sql::Payload payload(bytes_of(input.payload), document);
  sql::Scratch scratch;
  sql::State state;
  LocalWorld world(functions, files);
  sql::Evaluated evaluated{sql::Outcome::OtherTopic};
  std::string window_result;
  if (statement->program().group && (ingest || statement->covers(options.topic)))
    evaluated = only_window(*statement, event, payload, world, scratch, document, window_result);
  else if (ingest || statement->covers(options.topic))
    evaluated = statement->evaluate(event, payload, &world, state, scratch);
  const auto numbers = statement->version() == sql::Version::V2015 ? json::Numbers::AsWritten
                                                                   : json::Numbers::Stripped;
  std::vector<sql::ExplainedValue> values;
  if (options.values)
    values = sql::explain_values(*statement, statement_options.dialect, event, payload, &world);
  (options.json ? print_json : print_readable)(evaluated, input.payload, numbers, values);
  return kExitSuccess;
}

}  // namespace

std::shared_ptr<RuleCommands> add_rule_commands(CLI::App& app) {
  auto options = std::make_shared<RuleCommands>();
  CLI::App* rule = app.add_subcommand("rule", "work with rules");
  rule->require_subcommand(1);
  CLI::App* test = rule->add_subcommand("test", "run a statement on a message; needs no daemon");
  test->footer(
      "Prints what the rule's actions would get, or why there is no match.\n"
      "Exit code 0: evaluated, 2: wrong usage or a statement that cannot be read.");
  test->add_option("--sql", options->sql, "the statement")->type_name("TEXT")->required();
  test->add_option("--topic", options->topic, "the message's topic")
      ->type_name("TOPIC")
      ->required();
  test->add_option("--payload", options->payload, "the message's payload")->type_name("TEXT");
  test->add_option("--payload-file", options->payload_file, "a file with the payload")
      ->type_name("FILE");
  test->add_option("--sql-version", options->version, "2015-10-08, 2016-03-23, beta or twinmq")
      ->type_name("VERSION");
  test->add_option("--dialect", options->dialect, "aws, or twinmq with all that is added (default)")
      ->type_name("DIALECT")
      ->check(CLI::IsMember({"aws", "twinmq"}));
  test->add_option("--now", options->now, "the time, in milliseconds since 1970; without: now")
      ->type_name("MS");
  test->add_option("--client-id", options->client_id, "the publisher's client id")->type_name("ID");
  test->add_option("--user-property", options->user_properties,
                   "an MQTT 5 user property; may be repeated")
      ->type_name("NAME=VALUE")
      ->take_all()
      ->allow_extra_args(false);
  test->add_option("--content-type", options->content_type, "the MQTT 5 content type")
      ->type_name("TYPE");
  test->add_option("--response-topic", options->response_topic, "the MQTT 5 response topic")
      ->type_name("TOPIC");
  test->add_option("--correlation-data-base64", options->correlation_data,
                   "the MQTT 5 correlation data")
      ->type_name("BASE64");
  test->add_option("--payload-format", options->payload_format, "UTF8_DATA or UNSPECIFIED_BYTES")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"UTF8_DATA", "UNSPECIFIED_BYTES"}));
  test->add_flag("--values", options->values,
                 "print the value of each expression in the statement, too");
  test->add_option(
          "--config", options->config,
          "a daemon's configuration, for its plugins' functions, its tables and descriptors")
      ->type_name("FILE");
  test->add_flag("--json", options->json, "print one JSON object: {\"match\": …, \"result\": …}");
  options->test = test;
  options->management = add_rule_management(app, *rule);
  return options;
}

bool run_rule_command(const RuleCommands& commands, int& exit_code) {
  if (run_rule_management(*commands.management, exit_code)) return true;
  if (!commands.test->parsed()) return false;
  exit_code = test_rule(commands);
  return true;
}

}  // namespace twinmq
