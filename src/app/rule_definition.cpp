#include "app/rule_definition.hpp"

#include <algorithm>
#include <sstream>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <toml++/toml.h>
#include <nlohmann/json.hpp>

#include "app/config_draft.hpp"
#include "app/config_rules.hpp"

namespace twinmq::app {
namespace {

using Json = nlohmann::json;

constexpr int kDepthMax = 16;

Error wrong(std::string text) {
  return {ErrorCode::InvalidArgument, std::move(text)};
}

std::string place_of(std::string_view text, std::size_t byte) {
  const std::string_view before = text.substr(0, byte);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t last = before.rfind('\n');
  return fmt::format("{}:{}", line,
                     before.size() - (last == std::string_view::npos ? 0 : last + 1) + 1);
}

bool insert(toml::table& table, const std::string& key, const Json& value, int depth);

bool append(toml::array& array, const Json& value, int depth) {
  if (value.is_string()) return array.push_back(value.get<std::string>()), true;
  if (value.is_boolean()) return array.push_back(value.get<bool>()), true;
  if (value.is_number_integer()) return array.push_back(value.get<std::int64_t>()), true;
  if (value.is_number()) return array.push_back(value.get<double>()), true;
  if (!value.is_object() || depth == 0) return false;
  toml::table inner;
  for (const auto& [key, each] : value.items())
    if (!insert(inner, key, each, depth - 1)) return false;
  array.push_back(std::move(inner));
  return true;
}

// False: a null, or lists in lists, which TOML's rules do not have.
bool insert(toml::table& table, const std::string& key, const Json& value, int depth) {
  toml::array holder;
  if (value.is_array()) {
    toml::array list;
    for (const Json& each : value)
      if (!append(list, each, depth)) return false;
    table.insert(key, std::move(list));
    return true;
  }
  if (!append(holder, value, depth)) return false;
  std::move(*holder.get(0)).visit([&](auto&& only) {
    table.insert(key, std::forward<decltype(only)>(only));
  });
  return true;
}

Result<toml::table> table_of_json(std::string_view text, const std::string& file) {
  Json document;
  try {
    document = Json::parse(text);
  } catch (const Json::parse_error& error) {
    const std::string_view why = error.what();
    return wrong(fmt::format(
        "{}:{}: not JSON: {}", file, place_of(text, error.byte == 0 ? 0 : error.byte - 1),
        why.substr(why.find("] ") == std::string_view::npos ? 0 : why.find("] ") + 2)));
  } catch (const Json::exception& error) {
    return wrong(fmt::format("{}: not JSON: {}", file, error.what()));
  }
  toml::table table;
  for (const auto& [key, value] : document.items())
    if (!insert(table, key, value, kDepthMax))
      return wrong(fmt::format(
          "{}: {}: allowed: a text, a number, true or false, a list of these, or an object", file,
          key));
  return table;
}

Result<toml::table> table_of_toml(std::string_view text, const std::string& file) {
  try {
    return toml::parse(text, file);
  } catch (const toml::parse_error& error) {
    const auto& begin = error.source().begin;
    return wrong(
        fmt::format("{}:{}:{}: not TOML: {}", file, begin.line, begin.column, error.description()));
  }
}

}  // namespace

Result<RuleConfig> read_rule_definition(std::string_view text, const std::string& file) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  const bool json = first != std::string_view::npos && text[first] == '{';
  const auto table = json ? table_of_json(text, file) : table_of_toml(text, file);
  if (!table) return table.error();
  ConfigDraft draft{Config()};
  RuleConfig rule = read_rule(draft, *table, file);
  const auto complaints = std::move(draft).finish();
  if (complaints) return rule;
  std::string all;
  for (const Error& each : complaints.error()) all += (all.empty() ? "" : "\n") + each.detail;
  // What came as JSON has no places in it any more.
  const std::string nowhere = file + ":0:0: ";
  for (std::size_t at = all.find(nowhere); json && at != std::string::npos; at = all.find(nowhere))
    all.replace(at, nowhere.size(), file + ": ");
  return wrong(std::move(all));
}

std::string rule_definition(const RuleConfig& rule) {
  return rules_text({rule}).substr(1);
}

std::string rule_definition_json(const RuleConfig& rule) {
  try {
    const toml::table table = toml::parse(rule_definition(rule));
    std::ostringstream text;
    text << toml::json_formatter(*table["rule"].as_array()->get(0)->as_table());
    return text.str();
  } catch (const toml::parse_error&) {
    return "{}";
  }
}

}  // namespace twinmq::app
