#include "app/config_rules.hpp"

#include <array>
#include <functional>
#include <sstream>
#include <utility>

#include <fmt/format.h>

#include "json/read.hpp"
#include "json/write.hpp"

namespace twinmq::app {
namespace {

constexpr std::array<std::string_view, 6> kKinds = {"republish", "shadow", "log",
                                                    "file",      "http",   "plugin"};

struct Text {
  std::string_view name;
  std::string RuleActionConfig::*field;
};
constexpr Text kActionTexts[] = {{"topic", &RuleActionConfig::topic},
                                 {"payload", &RuleActionConfig::payload},
                                 {"content_type", &RuleActionConfig::content_type},
                                 {"response_topic", &RuleActionConfig::response_topic},
                                 {"correlation_data", &RuleActionConfig::correlation_data},
                                 {"message_expiry", &RuleActionConfig::message_expiry},
                                 {"payload_format", &RuleActionConfig::payload_format},
                                 {"thing", &RuleActionConfig::thing},
                                 {"shadow", &RuleActionConfig::shadow},
                                 {"message", &RuleActionConfig::message},
                                 {"path", &RuleActionConfig::path},
                                 {"format", &RuleActionConfig::format},
                                 {"url", &RuleActionConfig::url},
                                 {"body", &RuleActionConfig::body},
                                 {"ca_file", &RuleActionConfig::ca_file},
                                 {"queue_full", &RuleActionConfig::queue_full}};

struct Number {
  std::string_view name;
  std::uint64_t RuleActionConfig::*field;
  std::uint64_t least;
  std::uint64_t most;
};
constexpr Number kActionNumbers[] = {
    {"rotate_bytes", &RuleActionConfig::rotate_bytes, 0, 1'000'000'000'000},
    {"rotate_seconds", &RuleActionConfig::rotate_seconds, 0, 31'536'000},
    {"files_max", &RuleActionConfig::files_max, 0, 1'000'000},
    {"timeout_milliseconds", &RuleActionConfig::timeout_milliseconds, 1, 3'600'000},
    {"batch_max", &RuleActionConfig::batch_max, 1, 100'000},
    {"batch_bytes_max", &RuleActionConfig::batch_bytes_max, 1, 1'000'000'000},
    {"linger_milliseconds", &RuleActionConfig::linger_milliseconds, 0, 3'600'000},
    {"queue_max", &RuleActionConfig::queue_max, 1, 1'000'000'000'000},
    {"queue_bytes_max", &RuleActionConfig::queue_bytes_max, 1024, 1'000'000'000'000}};

struct RuleText {
  std::string_view name;
  std::string RuleConfig::*field;
};
constexpr RuleText kRuleTexts[] = {{"name", &RuleConfig::name},
                                   {"sql", &RuleConfig::sql},
                                   {"sql_version", &RuleConfig::sql_version},
                                   {"dialect", &RuleConfig::dialect},
                                   {"description", &RuleConfig::description}};

struct PluginNumber {
  std::string_view name;
  std::uint64_t PluginConfig::*field;
  std::uint64_t most;
};
constexpr PluginNumber kPluginNumbers[] = {
    {"deadline_milliseconds", &PluginConfig::deadline_milliseconds, 600'000},
    {"workers", &PluginConfig::workers, 64}};

std::string json_of(const toml::table& table) {
  std::ostringstream text;
  text << toml::json_formatter(table);
  return text.str();
}

class RuleReader {
 public:
  RuleReader(ConfigDraft& draft, const std::string& file) : draft_(draft), file_(file) {}

  void rules(const toml::node& node) {
    const auto* array = tables(node, "rule");
    if (array == nullptr) return;
    for (std::size_t i = 0; i < array->size(); ++i) {
      RuleConfig rule;
      for (const auto& [key, value] : *array->get(i)->as_table())
        rule_key(rule, fmt::format("rule[{}].{}", i, key.str()), key.str(), value);
      draft_.config().rule.push_back(std::move(rule));
    }
  }

  RuleConfig rule(const toml::table& table) {
    RuleConfig rule;
    for (const auto& [key, value] : table) rule_key(rule, std::string(key.str()), key.str(), value);
    return rule;
  }

  void plugins(const toml::node& node) {
    const auto* array = tables(node, "plugin");
    if (array == nullptr) return;
    for (std::size_t i = 0; i < array->size(); ++i) {
      PluginConfig plugin;
      plugin.place = place(*array->get(i));
      for (const auto& [key, value] : *array->get(i)->as_table())
        plugin_key(plugin, fmt::format("plugin[{}].{}", i, key.str()), key.str(), value);
      draft_.config().plugin.push_back(std::move(plugin));
    }
  }

 private:
  std::string place(const toml::node& node) const {
    const auto& begin = node.source().begin;
    return fmt::format("{}:{}:{}", file_, begin.line, begin.column);
  }

  void complain(const toml::node& node, const std::string& text) {
    draft_.complain(place(node), text);
  }

  const toml::array* tables(const toml::node& node, std::string_view name) {
    const auto* array = node.as_array();
    if (array != nullptr && (array->empty() || array->is_array_of_tables())) return array;
    complain(node,
             fmt::format("{}: found something else, allowed: sections [[{}]], in double brackets",
                         name, name));
    return nullptr;
  }

  bool text(const toml::node& node, const std::string& path, std::string& to) {
    if (const auto* value = node.as_string()) {
      to = value->get();
      return true;
    }
    complain(node, fmt::format("{}: allowed: a text", path));
    return false;
  }

  void flag(const toml::node& node, const std::string& path, bool& to) {
    if (const auto* value = node.as_boolean())
      to = value->get();
    else
      complain(node, fmt::format("{}: allowed: true or false", path));
  }

  void rule_key(RuleConfig& rule, const std::string& path, std::string_view key,
                const toml::node& node) {
    for (const RuleText& known : kRuleTexts) {
      if (key != known.name) continue;
      text(node, path, rule.*known.field);
      return;
    }
    if (key == "enabled") return flag(node, path, rule.enabled);
    if (key == "persist") return flag(node, path, rule.persist);
    if (key == "action") return actions(node, "rule.action", path, rule.actions);
    if (key == "error_action") return actions(node, "rule.error_action", path, rule.error_actions);
    complain(node, fmt::format("{}: unknown key; allowed: name, sql, sql_version, dialect, "
                               "description, enabled, persist, "
                               "action, error_action",
                               path));
  }

  void actions(const toml::node& node, std::string_view section, const std::string& path,
               std::vector<RuleActionConfig>& to) {
    const auto* array = tables(node, section);
    if (array == nullptr) return;
    for (std::size_t i = 0; i < array->size(); ++i) {
      RuleActionConfig action;
      for (const auto& [key, value] : *array->get(i)->as_table())
        action_key(action, fmt::format("{}[{}].{}", path, i, key.str()), key.str(), value);
      to.push_back(std::move(action));
    }
  }

  void action_key(RuleActionConfig& action, const std::string& path, std::string_view key,
                  const toml::node& node) {
    // A number reads as well as its text.
    if (const auto* seconds = node.as_integer(); seconds != nullptr && key == "message_expiry") {
      action.message_expiry = std::to_string(seconds->get());
      return;
    }
    for (const Text& known : kActionTexts) {
      if (key != known.name) continue;
      text(node, path, action.*known.field);
      return;
    }
    for (const Number& known : kActionNumbers) {
      if (key != known.name) continue;
      const auto* number = node.as_integer();
      const auto value = number == nullptr || number->get() < 0
                             ? known.most + 1
                             : static_cast<std::uint64_t>(number->get());
      if (value < known.least || value > known.most)
        return complain(node, fmt::format("{}: allowed: an integer from {} to {}", path,
                                          known.least, known.most));
      action.*known.field = value;
      return;
    }
    if (key == "type") return kind(action, path, node);
    if (key == "plugin") return plugin_action(action, path, node);
    if (key == "batch_across_topics") return flag(node, path, action.batch_across_topics);
    if (key == "gzip") return flag(node, path, action.gzip);
    if (key == "columns") return list(node, path, action.columns);
    if (key == "headers") return list(node, path, action.headers);
    if (key == "retain") return flag(node, path, action.retain);
    if (key == "qos") {
      const auto* number = node.as_integer();
      if (number == nullptr || number->get() < 0 || number->get() > 2)
        return complain(node, fmt::format("{}: allowed: 0, 1 or 2", path));
      action.qos = static_cast<std::uint8_t>(number->get());
      return;
    }
    if (key == "user_properties") return list(node, path, action.user_properties);
    complain(node, fmt::format("{}: unknown key; allowed: type, topic, payload, qos, retain, "
                               "content_type, response_topic, "
                               "correlation_data, message_expiry, payload_format, user_properties, "
                               "thing, shadow, message, path, "
                               "format, columns, rotate_bytes, rotate_seconds, files_max, url, "
                               "headers, body, gzip, ca_file, "
                               "timeout_milliseconds, plugin, batch_max, batch_bytes_max, "
                               "batch_across_topics, linger_milliseconds, "
                               "queue_max, queue_bytes_max, queue_full",
                               path));
  }

  // { name = "…", and the action's options }
  void plugin_action(RuleActionConfig& action, const std::string& path, const toml::node& node) {
    const auto* table = node.as_table();
    const auto* name = table == nullptr ? nullptr : table->get_as<std::string>("name");
    if (name == nullptr)
      return complain(
          node, fmt::format("{}: allowed: {{ name = \"…\", and the action's options }}", path));
    action.plugin = name->get();
    toml::table options = *table;
    options.erase("name");
    action.plugin_options = json_of(options);
  }

  void plugin_key(PluginConfig& plugin, const std::string& path, std::string_view key,
                  const toml::node& node) {
    if (key == "name") return void(text(node, path, plugin.name));
    if (key == "path") return void(text(node, path, plugin.path));
    if (key == "options") {
      if (const auto* table = node.as_table())
        plugin.options = json_of(*table);
      else
        complain(node, fmt::format("{}: allowed: a table, {{ key = value }}", path));
      return;
    }
    for (const PluginNumber& known : kPluginNumbers) {
      if (key != known.name) continue;
      const auto* number = node.as_integer();
      if (number == nullptr || number->get() < 1 ||
          static_cast<std::uint64_t>(number->get()) > known.most)
        return complain(node,
                        fmt::format("{}: allowed: an integer from 1 to {}", path, known.most));
      plugin.*known.field = static_cast<std::uint64_t>(number->get());
      return;
    }
    complain(
        node,
        fmt::format("{}: unknown key; allowed: name, path, deadline_milliseconds, workers, options",
                    path));
  }

  void kind(RuleActionConfig& action, const std::string& path, const toml::node& node) {
    const auto* word = node.as_string();
    for (std::size_t i = 0; word != nullptr && i < kKinds.size(); ++i) {
      if (word->get() != kKinds[i]) continue;
      action.kind = static_cast<RuleActionKind>(i);
      return;
    }
    complain(
        node,
        fmt::format(
            "{}: allowed: \"republish\", \"shadow\", \"log\", \"file\", \"http\" or \"plugin\"",
            path));
  }

  void list(const toml::node& node, const std::string& path, std::vector<std::string>& to) {
    const auto* array = node.as_array();
    if (array == nullptr) return complain(node, fmt::format("{}: allowed: a list of texts", path));
    for (const toml::node& each : *array) {
      std::string one;
      if (!text(each, path, one)) return;
      to.push_back(std::move(one));
    }
  }

  ConfigDraft& draft_;
  const std::string& file_;
};

std::string toml_of(const json::Value& value) {
  std::string text;
  const auto list = [&](std::string_view item) {
    text += (text.size() == 1 ? " " : ", ") + std::string(item);
  };
  switch (value.kind()) {
    case json::Kind::String: return toml_quoted(value.text());
    case json::Kind::Array:
      text = "[";
      for (const json::Value& each : value.items()) list(toml_of(each));
      return text + " ]";
    case json::Kind::Object:
      text = "{";
      for (const json::Member& each : value.members())
        list(fmt::format("{} = {}", toml_quoted(each.key), toml_of(each.value)));
      return text + " }";
    default: return json::text_of(value, json::Numbers::AsWritten);
  }
}

// The table that json_of() made this from. `first` comes before its keys.
std::string toml_of_json(const std::string& object, const std::string& first = {}) {
  json::Arena arena;
  const std::string table = toml_of(json::read(object, arena).value);
  if (first.empty()) return table;
  return "{ " + first + (table == "{ }" ? " }" : "," + table.substr(1));
}

std::string actions_text(std::string_view section, const std::vector<RuleActionConfig>& actions) {
  const RuleActionConfig defaults;
  std::string text;
  for (const RuleActionConfig& action : actions) {
    text += fmt::format("\n[[{}]]\ntype = \"{}\"\n", section,
                        kKinds[static_cast<std::size_t>(action.kind)]);
    for (const Text& known : kActionTexts)
      if (action.*known.field != defaults.*known.field)
        text += fmt::format("{} = {}\n", known.name, toml_quoted(action.*known.field));
    if (action.qos != defaults.qos) text += fmt::format("qos = {}\n", action.qos);
    if (action.retain) text += "retain = true\n";
    for (const Number& known : kActionNumbers)
      if (action.*known.field != defaults.*known.field)
        text += fmt::format("{} = {}\n", known.name, action.*known.field);
    if (!action.plugin.empty())
      text += fmt::format("plugin = {}\n", toml_of_json(action.plugin_options,
                                                        "name = " + toml_quoted(action.plugin)));
    if (!action.batch_across_topics) text += "batch_across_topics = false\n";
    if (action.gzip) text += "gzip = true\n";
    if (!action.columns.empty()) text += fmt::format("columns = {}\n", toml_value(action.columns));
    if (!action.headers.empty()) text += fmt::format("headers = {}\n", toml_value(action.headers));
    if (!action.user_properties.empty())
      text += fmt::format("user_properties = {}\n", toml_value(action.user_properties));
  }
  return text;
}

}  // namespace

void read_plugins(ConfigDraft& draft, const toml::node& node, const std::string& file) {
  RuleReader(draft, file).plugins(node);
}

std::string plugins_text(const std::vector<PluginConfig>& plugins) {
  const PluginConfig defaults;
  std::string text;
  for (const PluginConfig& plugin : plugins) {
    text += fmt::format("\n[[plugin]]\nname = {}\npath = {}\n", toml_quoted(plugin.name),
                        toml_quoted(plugin.path));
    for (const PluginNumber& known : kPluginNumbers)
      if (plugin.*known.field != defaults.*known.field)
        text += fmt::format("{} = {}\n", known.name, plugin.*known.field);
    if (plugin.options != defaults.options)
      text += fmt::format("options = {}\n", toml_of_json(plugin.options));
  }
  return text;
}

void read_rules(ConfigDraft& draft, const toml::node& node, const std::string& file) {
  RuleReader(draft, file).rules(node);
}

RuleConfig read_rule(ConfigDraft& draft, const toml::table& table, const std::string& file) {
  const auto* several = table.get_as<toml::array>("rule");
  if (several != nullptr && several->size() == 1 && table.size() == 1 &&
      several->get(0)->is_table())
    return RuleReader(draft, file).rule(*several->get(0)->as_table());
  return RuleReader(draft, file).rule(table);
}

std::string rules_text(const std::vector<RuleConfig>& rules) {
  std::string text;
  for (const RuleConfig& rule : rules) {
    text += "\n[[rule]]\n";
    for (const RuleText& known : kRuleTexts)
      if (!(rule.*known.field).empty())
        text += fmt::format("{} = {}\n", known.name, toml_quoted(rule.*known.field));
    if (!rule.enabled) text += "enabled = false\n";
    if (rule.persist) text += "persist = true\n";
    text += actions_text("rule.action", rule.actions) +
            actions_text("rule.error_action", rule.error_actions);
  }
  return text;
}

}  // namespace twinmq::app
