#include "app/config_keys.hpp"

#include <algorithm>
#include <iterator>
#include <vector>

#include <fmt/format.h>

#include "app/config_key_rows.hpp"

namespace twinmq::app {
namespace {

std::vector<ConfigKey> make_keys() {
  std::vector<ConfigKey> keys;
  for (const auto section :
       {data_dir_keys, node_keys, storage_keys, listener_keys, modules_keys, mqtt_keys, limits_keys,
        access_keys, rules_keys, shadow_keys, http_keys, sys_keys, admin_keys, log_keys}) {
    std::vector<ConfigKey> rows = section();
    std::move(rows.begin(), rows.end(), std::back_inserter(keys));
  }
  return keys;
}

}  // namespace

std::string_view ConfigKey::section() const {
  if (of_listener()) return "listener";
  const auto dot = name.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : name.substr(0, dot);
}

std::string_view ConfigKey::last_name() const {
  const std::size_t before = section().size();
  return before == 0 ? name : name.substr(before + 1);
}

std::span<const ConfigKey> config_keys() {
  static const std::vector<ConfigKey> keys = make_keys();
  return keys;
}

const ConfigKey* find_config_key(std::string_view name) {
  for (const ConfigKey& key : config_keys()) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

bool is_config_section(std::string_view name) {
  for (const ConfigKey& key : config_keys()) {
    if (key.name.size() > name.size() && key.name.starts_with(name) &&
        key.name[name.size()] == '.') {
      return true;
    }
  }
  return false;
}

std::string allowed_values(const ConfigKey& key) {
  switch (key.kind) {
    case KeyKind::Boolean: return "true or false";
    case KeyKind::Integer: return fmt::format("an integer from {} to {}", key.min, key.max);
    case KeyKind::Text: return "a text in quotes";
    case KeyKind::List: return "a list of texts, [\"one\", \"two\"]";
    case KeyKind::Choice: break;
  }
  std::string all;
  for (const std::string_view choice : key.choices) {
    if (!all.empty()) all += choice == key.choices.back() ? " or " : ", ";
    all += fmt::format("\"{}\"", choice);
  }
  return all;
}

std::optional<std::string> value_complaint(const ConfigKey& key, const ConfigValue& value,
                                           std::string_view found) {
  bool fits = false;
  switch (key.kind) {
    case KeyKind::Boolean: fits = std::holds_alternative<bool>(value); break;
    case KeyKind::Integer:
      if (const auto* number = std::get_if<std::int64_t>(&value)) {
        fits = *number >= key.min && *number <= key.max;
      }
      break;
    case KeyKind::Text: fits = std::holds_alternative<std::string>(value); break;
    case KeyKind::List: fits = std::holds_alternative<std::vector<std::string>>(value); break;
    case KeyKind::Choice:
      if (const auto* word = std::get_if<std::string>(&value)) {
        fits = std::find(key.choices.begin(), key.choices.end(), *word) != key.choices.end();
      }
      break;
  }
  if (fits || (key.optional && std::holds_alternative<std::monostate>(value))) return std::nullopt;
  return fmt::format("found {}, allowed: {}", found, allowed_values(key));
}

std::string config_key_path(const ConfigKey& key, std::size_t listener) {
  if (!key.of_listener()) return std::string(key.name);
  return fmt::format("listener[{}].{}", listener,
                     key.name.substr(std::string_view("listener.").size()));
}

std::string toml_value(const ConfigValue& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* number = std::get_if<std::int64_t>(&value)) return fmt::format("{}", *number);
  if (const auto* text = std::get_if<std::string>(&value)) return toml_quoted(*text);
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
    std::vector<std::string> quoted;
    for (const std::string& each : *list) quoted.push_back(toml_quoted(each));
    return fmt::format("[{}]", fmt::join(quoted, ", "));
  }
  return "";
}

std::string toml_quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (byte < 0x20 || byte == 0x7F) {
      quoted += fmt::format("\\u{:04X}", byte);
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

}  // namespace twinmq::app
