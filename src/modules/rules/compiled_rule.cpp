#include "modules/rules/compiled_rule.hpp"

#include <algorithm>
#include <charconv>

#include "sql/aggregate.hpp"
#include "sql/functions.hpp"
#include "sql/linter.hpp"

namespace twinmq::rules {
namespace {

Error wrong(const RuleConfig& rule, std::string_view what) {
  return {ErrorCode::InvalidConfig, "rule \"" + rule.name + "\": " + std::string(what)};
}

bool is_rule_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && name.size() <= kRuleNameMax &&
         std::all_of(name.begin(), name.end(), allowed);
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Empty: none.
std::string fault_of_sink(const RuleActionConfig& config) {
  if (config.kind == RuleActionKind::File && !config.path.starts_with('/'))
    return "a file action needs an absolute path";
  if (config.kind == RuleActionKind::Plugin && config.plugin.empty())
    return "a plugin action needs plugin = { name = \"…\" }";
  if (config.kind == RuleActionKind::Http && !config.url.starts_with("http://") &&
      !config.url.starts_with("https://"))
    return "an http action needs a url with http:// or https://";
  if (!is_one_of(config.body, {"single", "array", "lines"}))
    return "body is \"single\", \"array\" or \"lines\"";
  if (!is_one_of(config.queue_full, {"reject", "drop_oldest", "drop_newest"}))
    return "queue_full is \"reject\", \"drop_oldest\" or \"drop_newest\"";
  for (const std::string& header : config.headers)
    if (header.find(':') == std::string::npos || header.starts_with(':'))
      return "headers: \"" + header + "\" is not Name: value";
  if (config.kind != RuleActionKind::File) return {};
  if (!is_one_of(config.format, {"json", "csv"})) return "format is \"json\" or \"csv\"";
  if (config.format == "csv" && config.columns.empty())
    return "format = \"csv\" needs columns = [\"NAME\", …]";
  if (config.format == "json" && !config.columns.empty())
    return "columns belong to format = \"csv\"";
  return {};
}

}  // namespace

std::optional<std::optional<std::uint32_t>> seconds_of(std::string_view text) {
  std::optional<std::optional<std::uint32_t>> never(std::in_place);
  if (text.empty()) return never;
  std::uint32_t seconds = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (fault != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return std::optional(seconds);
}

std::optional<bool> is_text_of(std::string_view text) {
  if (text == "UTF8_DATA") return true;
  if (text.empty() || text == "UNSPECIFIED_BYTES") return false;
  return std::nullopt;
}

bool depends_on_message(std::string_view header) {
  return header.find("${") != std::string_view::npos &&
         header.find("get_secret") == std::string_view::npos;
}

std::pair<std::string, std::string> header_parts(const std::string& header) {
  const std::size_t colon = header.find(':');
  const std::size_t value = header.find_first_not_of(' ', colon + 1);
  return {header.substr(0, colon),
          value == std::string::npos ? std::string() : header.substr(value)};
}

namespace {

// Compiles the templates of one rule; the first fault stays.
class ActionCompiler {
 public:
  ActionCompiler(const RuleConfig& rule, const sql::Statement& statement, sql::Dialect dialect)
      : rule_(rule), statement_(statement), dialect_(dialect) {}

  Result<CompiledAction> compile(const RuleActionConfig& config) {
    CompiledAction action;
    action.kind = config.kind;
    action.qos = static_cast<QoS>(config.qos);
    action.retain = config.retain;
    const bool shadow = config.kind == RuleActionKind::Shadow;
    const bool log = config.kind == RuleActionKind::Log;
    const bool outside = leaves_process(config.kind);
    const std::string& target = shadow ? config.thing : config.topic;
    if (const std::string what = outside ? fault_of_sink(config) : ""; !what.empty())
      return wrong(rule_, what);
    if (!log && !outside && target.empty())
      return wrong(rule_,
                   shadow ? "a shadow action needs a thing" : "a republish action needs a topic");
    if (config.qos > 2) return wrong(rule_, "the QoS of an action is 0, 1 or 2");
    const std::string& text = log ? config.message : config.payload;
    action.whole_result = text.empty();
    action.target = read(target, "topic");
    action.shadow = read(config.shadow, "shadow");
    action.text = read(text, log ? "message" : "payload");
    action.content_type = read(config.content_type, "content_type");
    action.response_topic = read(config.response_topic, "response_topic");
    action.correlation_data = read(config.correlation_data, "correlation_data");
    action.message_expiry = read(config.message_expiry, "message_expiry");
    action.payload_format = read(config.payload_format, "payload_format");
    if (action.message_expiry.constant() && !seconds_of(config.message_expiry))
      return wrong(rule_, "message_expiry is a number of seconds, 0 to 4294967295");
    if (action.payload_format.constant() && !is_text_of(config.payload_format))
      return wrong(rule_, "payload_format is \"UTF8_DATA\" or \"UNSPECIFIED_BYTES\"");
    if (config.url.find("${") != std::string::npos) action.url = read(config.url, "url");
    for (const std::string& header : config.headers)
      if (depends_on_message(header)) {
        auto [name, value] = header_parts(header);
        action.headers.emplace_back(std::move(name), read(value, "headers"));
      }
    for (const std::string& property : config.user_properties) {
      const std::size_t equal = property.find('=');
      if (equal == std::string::npos)
        return wrong(rule_, "user_properties: \"" + property + "\" is not name=value");
      action.user_properties.emplace_back(property.substr(0, equal),
                                          read(property.substr(equal + 1), "user_properties"));
    }
    if (!fault_.empty()) return wrong(rule_, fault_);
    return action;
  }

 private:
  sql::Template read(const std::string& text, std::string_view name) {
    auto compiled = sql::Template::compile(text, statement_, dialect_);
    if (compiled) return std::move(*compiled);
    if (fault_.empty()) fault_ = std::string(name) + ": " + sql::describe(text, compiled.error());
    return {};
  }

  const RuleConfig& rule_;
  const sql::Statement& statement_;
  sql::Dialect dialect_;
  std::string fault_;
};

using OutsideKind = sql::OutsideFunctions::Kind;

OutsideKind kind_of(const sql::OutsideCall& call, const sql::OutsideFunctions& outside) {
  return call.name == sql::kThingShadow ? OutsideKind::Pooled : outside.kind_of(call.name);
}

std::string unknown(const std::string& name) {
  const std::string none = "there is no function " + name + "()";
  if (sql::aggregate_of(name))
    return none + " of a single message: it is an aggregate, and needs GROUP BY";
  const std::string_view nearest = sql::nearest_function(name, true);
  return none + ": neither SQL nor a plugin has it" +
         (nearest.empty() ? "" : "; did you mean " + std::string(nearest) + "()?");
}

// Empty: the call may be made there. `unwaited`: where nobody can wait for an answer; empty:
// somebody waits.
std::string fault_of(const sql::OutsideCall& call, OutsideKind kind, std::string_view unwaited) {
  const std::string name = call.name + "()";
  if (kind == OutsideKind::None) return call.quoted ? std::string() : unknown(call.name);
  if (call.aggregate && kind != OutsideKind::Aggregate && kind != OutsideKind::Pooled)
    return name + " of a plugin is no aggregate";
  if (!call.aggregate && kind == OutsideKind::Aggregate)
    return name + " is an aggregate: it belongs into SELECT with GROUP BY";
  if (kind != OutsideKind::Pooled || unwaited.empty()) return {};
  return name +
         (call.name == sql::kThingShadow ? " reads the store"
                                         : " of a plugin is not declared fast") +
         " and cannot be used in " + std::string(unwaited);
}

// What its texts ask outside, too, of plugins or of shadows.
std::vector<sql::OutsideCall> calls_of(const std::vector<CompiledAction>& actions) {
  std::vector<sql::OutsideCall> calls;
  for (const CompiledAction& action : actions)
    action.for_each_text([&](const sql::Template& text) { text.outside(calls); });
  return calls;
}

// Where nobody can wait for an answer; empty: somebody waits.
std::string unwaited_in(const sql::Statement& statement) {
  if (statement.program().group) return "a statement with GROUP BY";
  return statement.program().state_slots > 0 ? "a statement beside functions that remember" : "";
}

// Functions that answer later are asked before a message is evaluated, which must not depend on
// earlier messages.
Result<bool> check_texts(const CompiledRule& rule, const sql::OutsideFunctions& outside) {
  bool asks = false;
  const std::string unwaited = unwaited_in(rule.statement());
  const std::string beside = unwaited.empty() ? "" : "a template of " + unwaited;
  for (const sql::OutsideCall& call : calls_of(rule.actions())) {
    const OutsideKind kind = kind_of(call, outside);
    if (const std::string fault = fault_of(call, kind, beside); !fault.empty())
      return wrong(rule.config(), fault);
    asks = asks || kind == OutsideKind::Pooled;
  }
  // They would be called for every message, for the case that an action fails.
  for (const sql::OutsideCall& call : calls_of(rule.error_actions())) {
    const bool shadow = call.name == sql::kThingShadow && unwaited.empty();
    const OutsideKind kind = kind_of(call, outside);
    if (const std::string fault = fault_of(call, kind, shadow ? "" : "an error action");
        !fault.empty())
      return wrong(rule.config(), fault);
    asks = asks || shadow;
  }
  return asks;
}

}  // namespace

Result<bool, sql::SyntaxFault> check_outside(const sql::Statement& statement,
                                             const sql::OutsideFunctions& outside) {
  const sql::Program& program = statement.program();
  const std::string unwaited = unwaited_in(statement);
  const bool waits_for_messages = unwaited.empty() || (program.group && program.state_slots == 0);
  bool asks = program.outside_by_name && waits_for_messages;
  for (const sql::OutsideCall& call : program.outside) {
    const OutsideKind kind = kind_of(call, outside);
    const bool closing = call.closing || (call.aggregate && kind == OutsideKind::Pooled);
    const std::string where =
        closing              ? "what a window yields; inside an aggregate, WHERE or GROUP BY it can"
        : waits_for_messages ? ""
                             : unwaited;
    if (std::string fault = fault_of(call, kind, where); !fault.empty())
      return sql::SyntaxFault{call.offset, std::move(fault)};
    asks = asks || kind == OutsideKind::Pooled;
  }
  return asks;
}

bool leaves_process(RuleActionKind kind) {
  return kind == RuleActionKind::File || kind == RuleActionKind::Http ||
         kind == RuleActionKind::Plugin;
}

std::string sink_name(std::string_view rule, bool error_action, std::size_t place) {
  return std::string(rule) + (error_action ? "/error" : "/" + std::to_string(place));
}

std::vector<std::string> CompiledRule::warnings() const {
  std::vector<std::string> all = sql::warnings(*statement_);
  for (const auto* actions : {&config_.actions, &config_.error_actions})
    for (const RuleActionConfig& action : *actions) {
      std::string topic = action.topic;
      if (action.kind == RuleActionKind::Shadow)
        topic = "$aws/things/" + action.thing + "/shadow/" +
                (action.shadow.empty() ? "" : "name/" + action.shadow + "/") + "update";
      else if (action.kind != RuleActionKind::Republish)
        continue;
      if (!sql::may_cover(*statement_, topic)) continue;
      all.push_back("FROM " + std::string(topic.find("${") == topic.npos ? "covers" : "may cover") +
                    " \"" + topic +
                    "\", where an action publishes: the rule sees what it made itself, until "
                    "limits.hops_max ends that");
    }
  return all;
}

Result<CompiledRule> CompiledRule::compile(const RuleConfig& config,
                                           const sql::OutsideFunctions* outside) {
  if (!is_rule_name(config.name)) return wrong(config, "a name has 1 to 128 letters, digits and _");
  if (config.dialect != "aws" && config.dialect != "twinmq")
    return wrong(config, "the dialect is \"aws\" or \"twinmq\"");
  if (config.actions.size() > kActionsMax) return wrong(config, "a rule has at most 10 actions");
  if (config.error_actions.size() > 1) return wrong(config, "a rule has at most one error action");
  sql::StatementOptions options;
  options.dialect = config.dialect == "aws" ? sql::Dialect::Aws : sql::Dialect::Twinmq;
  options.version = sql::default_version(options.dialect);
  if (!config.sql_version.empty()) {
    const auto version = sql::version_of(config.sql_version);
    if (!version)
      return wrong(config, "sql_version is one of 2015-10-08, 2016-03-23, beta and twinmq");
    options.version = *version;
  }
  auto statement = sql::Statement::compile(config.sql, options);
  if (!statement) return wrong(config, "sql: " + sql::describe(config.sql, statement.error()));
  CompiledRule rule;
  rule.config_ = config;
  rule.statement_ = std::make_shared<const sql::Statement>(std::move(*statement));
  ActionCompiler compiler(config, *rule.statement_, options.dialect);
  for (const auto& [from, to] : {std::pair(&config.actions, &rule.actions_),
                                 std::pair(&config.error_actions, &rule.error_actions_)}) {
    for (const RuleActionConfig& action : *from) {
      auto compiled = compiler.compile(action);
      if (!compiled) return compiled.error();
      compiled->sink = sink_name(config.name, to == &rule.error_actions_, to->size());
      to->push_back(std::move(*compiled));
    }
  }
  if (outside != nullptr) {
    const auto asks = check_outside(*rule.statement_, *outside);
    if (!asks) return wrong(config, "sql: " + sql::describe(config.sql, asks.error()));
    const auto texts_ask = check_texts(rule, *outside);
    if (!texts_ask) return texts_ask.error();
    rule.asks_ = *asks || *texts_ask;
  }
  return rule;
}

}  // namespace twinmq::rules
