#include "modules/rules/compiled_rule.hpp"

#include <algorithm>

namespace twinmq::rules {
namespace {

Error wrong(const RuleConfig& rule, std::string_view what) {
  return {ErrorCode::InvalidConfig, "rule \"" + rule.name + "\": " + std::string(what)};
}

bool is_rule_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && name.size() <= kRuleNameMax && std::all_of(name.begin(), name.end(), allowed);
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Empty: none.
std::string fault_of_sink(const RuleActionConfig& config) {
  if (config.kind == RuleActionKind::File && !config.path.starts_with('/')) return "a file action needs an absolute path";
  if (config.kind == RuleActionKind::Plugin && config.plugin.empty()) return "a plugin action needs plugin = { name = \"…\" }";
  if (config.kind == RuleActionKind::Http && !config.url.starts_with("http://") && !config.url.starts_with("https://"))
    return "an http action needs a url with http:// or https://";
  if (!is_one_of(config.body, {"single", "array", "lines"})) return "body is \"single\", \"array\" or \"lines\"";
  if (!is_one_of(config.queue_full, {"reject", "drop_oldest", "drop_newest"}))
    return "queue_full is \"reject\", \"drop_oldest\" or \"drop_newest\"";
  for (const std::string& header : config.headers)
    if (header.find(':') == std::string::npos) return "headers: \"" + header + "\" is not Name: value";
  return {};
}

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
    if (const std::string what = outside ? fault_of_sink(config) : ""; !what.empty()) return wrong(rule_, what);
    if (!log && !outside && target.empty()) return wrong(rule_, shadow ? "a shadow action needs a thing" : "a republish action needs a topic");
    if (config.qos > 2) return wrong(rule_, "the QoS of an action is 0, 1 or 2");
    const std::string& text = log ? config.message : config.payload;
    action.whole_result = text.empty();
    action.target = read(target, "topic");
    action.shadow = read(config.shadow, "shadow");
    action.text = read(text, log ? "message" : "payload");
    action.content_type = read(config.content_type, "content_type");
    action.response_topic = read(config.response_topic, "response_topic");
    action.correlation_data = read(config.correlation_data, "correlation_data");
    for (const std::string& property : config.user_properties) {
      const std::size_t equal = property.find('=');
      if (equal == std::string::npos) return wrong(rule_, "user_properties: \"" + property + "\" is not name=value");
      action.user_properties.emplace_back(property.substr(0, equal), read(property.substr(equal + 1), "user_properties"));
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

// Empty: the call may be made there. `unwaited`: where nobody can wait for an answer; empty: somebody waits.
std::string fault_of(const sql::OutsideCall& call, OutsideKind kind, std::string_view unwaited) {
  const std::string name = call.name + "()";
  if (kind == OutsideKind::None)
    return call.quoted ? std::string() : "there is no function " + name + ": neither SQL nor a plugin has it";
  if (call.aggregate && kind != OutsideKind::Aggregate) return name + " of a plugin is no aggregate";
  if (!call.aggregate && kind == OutsideKind::Aggregate) return name + " is an aggregate: it belongs into SELECT with GROUP BY";
  if (kind != OutsideKind::Pooled || unwaited.empty()) return {};
  return name + (call.name == sql::kThingShadow ? " reads the store" : " of a plugin is not declared fast") + " and cannot be used in " +
         std::string(unwaited);
}

// What its texts ask outside, too, of plugins or of shadows.
std::vector<sql::OutsideCall> calls_of(const std::vector<CompiledAction>& actions) {
  std::vector<sql::OutsideCall> calls;
  for (const CompiledAction& action : actions) action.for_each_text([&](const sql::Template& text) { text.outside(calls); });
  return calls;
}

// Functions that answer later are asked before a message is evaluated, which must not depend on earlier messages.
Result<bool> check_outside(const CompiledRule& rule, const sql::OutsideFunctions& outside) {
  const sql::Program& program = rule.statement().program();
  const std::string unwaited = rule.windowed()    ? "a statement with GROUP BY"
                               : rule.remembers() ? "a statement beside functions that remember"
                                                  : "";
  bool asks = program.outside_by_name && unwaited.empty();
  for (const sql::OutsideCall& call : program.outside) {
    const OutsideKind kind = kind_of(call, outside);
    if (const std::string fault = fault_of(call, kind, unwaited); !fault.empty())
      return wrong(rule.config(), "sql: " + sql::describe(rule.config().sql, {call.offset, fault}));
    asks = asks || kind == OutsideKind::Pooled;
  }
  const std::string beside = unwaited.empty() ? "" : "a template of " + unwaited;
  for (const sql::OutsideCall& call : calls_of(rule.actions())) {
    const OutsideKind kind = kind_of(call, outside);
    if (const std::string fault = fault_of(call, kind, beside); !fault.empty()) return wrong(rule.config(), fault);
    asks = asks || kind == OutsideKind::Pooled;
  }
  // They would be called for every message, for the case that an action fails.
  for (const sql::OutsideCall& call : calls_of(rule.error_actions())) {
    const bool shadow = call.name == sql::kThingShadow && unwaited.empty();
    const OutsideKind kind = kind_of(call, outside);
    if (const std::string fault = fault_of(call, kind, shadow ? "" : "an error action"); !fault.empty())
      return wrong(rule.config(), fault);
    asks = asks || shadow;
  }
  return asks;
}

}  // namespace

bool leaves_process(RuleActionKind kind) {
  return kind == RuleActionKind::File || kind == RuleActionKind::Http || kind == RuleActionKind::Plugin;
}

std::string sink_name(std::string_view rule, bool error_action, std::size_t place) {
  return std::string(rule) + (error_action ? "/error" : "/" + std::to_string(place));
}

Result<CompiledRule> CompiledRule::compile(const RuleConfig& config, const sql::OutsideFunctions* outside) {
  if (!is_rule_name(config.name)) return wrong(config, "a name has 1 to 128 letters, digits and _");
  if (config.dialect != "aws" && config.dialect != "twinmq") return wrong(config, "the dialect is \"aws\" or \"twinmq\"");
  if (config.actions.size() > kActionsMax) return wrong(config, "a rule has at most 10 actions");
  if (config.error_actions.size() > 1) return wrong(config, "a rule has at most one error action");
  sql::StatementOptions options;
  options.dialect = config.dialect == "aws" ? sql::Dialect::Aws : sql::Dialect::Twinmq;
  options.version = sql::default_version(options.dialect);
  if (!config.sql_version.empty()) {
    const auto version = sql::version_of(config.sql_version);
    if (!version) return wrong(config, "sql_version is one of 2015-10-08, 2016-03-23, beta and twinmq");
    options.version = *version;
  }
  auto statement = sql::Statement::compile(config.sql, options);
  if (!statement) return wrong(config, "sql: " + sql::describe(config.sql, statement.error()));
  CompiledRule rule;
  rule.config_ = config;
  rule.statement_ = std::make_shared<const sql::Statement>(std::move(*statement));
  ActionCompiler compiler(config, *rule.statement_, options.dialect);
  for (const auto& [from, to] : {std::pair(&config.actions, &rule.actions_), std::pair(&config.error_actions, &rule.error_actions_)}) {
    for (const RuleActionConfig& action : *from) {
      auto compiled = compiler.compile(action);
      if (!compiled) return compiled.error();
      compiled->sink = sink_name(config.name, to == &rule.error_actions_, to->size());
      to->push_back(std::move(*compiled));
    }
  }
  if (outside != nullptr) {
    const auto asks = check_outside(rule, *outside);
    if (!asks) return asks.error();
    rule.asks_ = *asks;
  }
  return rule;
}

}  // namespace twinmq::rules
