// TOML into a ConfigDraft.

#include <sstream>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "app/config_draft.hpp"
#include "app/config_rules.hpp"
#include "app/config_schemas.hpp"
#include "app/config_suggest.hpp"

namespace twinmq::app {
namespace {

/// Walks the parsed file. `name` stands for the file in complaints.
class TomlWalk {
 public:
  TomlWalk(ConfigDraft& draft, const std::string& name) : draft_(draft), name_(name) {}

  void table(const toml::table& table, const std::string& section, std::size_t listener);

 private:
  void entry(const std::string& path, const toml::key& key, const toml::node& node,
             std::size_t listener);
  void listeners(const toml::node& node);
  std::string where(const toml::source_region& region) const {
    return fmt::format("{}:{}:{}", name_, region.begin.line, region.begin.column);
  }

  ConfigDraft& draft_;
  const std::string& name_;
};

void TomlWalk::table(const toml::table& table, const std::string& section, std::size_t listener) {
  for (const auto& [key, node] : table) {
    const std::string name(key.str());
    entry(section.empty() ? name : section + "." + name, key, node, listener);
  }
}

ConfigValue value_of(const toml::node& node) {
  if (const auto* flag = node.as_boolean()) return flag->get();
  if (const auto* number = node.as_integer()) return number->get();
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* array = node.as_array()) {
    std::vector<std::string> list;
    for (const toml::node& each : *array) {
      if (const auto* text = each.as_string()) list.push_back(text->get());
    }
    if (list.size() == array->size()) return list;
  }
  return {};
}

std::string shown(const toml::node& node) {
  if (node.is_table()) return "a section";
  if (node.is_array()) return "an array";
  if (const auto* text = node.as_string()) return toml_quoted(text->get());
  std::ostringstream text;
  node.visit([&](const auto& value) { text << value; });
  return text.str();
}

void TomlWalk::entry(const std::string& path, const toml::key& key, const toml::node& node,
                     std::size_t listener) {
  const std::string at_key = where(key.source());
  if (path == "listener") return listeners(node);
  if (path == "shadow.schema") return read_schemas(draft_, node, name_);
  if (path == "rule") return read_rules(draft_, node, name_);
  if (path == "plugin") return read_plugins(draft_, node, name_);
  if (is_config_section(path)) {
    if (const auto* section = node.as_table()) return table(*section, path, listener);
    return draft_.complain(
        at_key, fmt::format("{}: found {}, allowed: a section [{}]", path, shown(node), path));
  }
  const ConfigKey* known = find_config_key(path);
  if (known == nullptr && node.is_table()) {
    const std::string near = nearest_config_section(path);
    return draft_.complain(
        at_key, near.empty() ? fmt::format("{}: unknown section; every section is in "
                                           "conf/twinmq.toml",
                                           path)
                             : fmt::format("{}: unknown section; did you mean [{}]?", path, near));
  }
  if (known == nullptr) return draft_.complain_unknown_key(at_key, path);
  const ConfigValue value = value_of(node);
  if (std::holds_alternative<std::monostate>(value)) {
    return draft_.complain(where(node.source()), fmt::format("{}: found {}, allowed: {}", path,
                                                             shown(node), allowed_values(*known)));
  }
  draft_.set(*known, listener, value, shown(node), where(node.source()));
}

void TomlWalk::listeners(const toml::node& node) {
  const auto* array = node.as_array();
  if (array == nullptr || (!array->empty() && !array->is_array_of_tables())) {
    return draft_.complain(
        where(node.source()),
        "listener: found something else, allowed: sections [[listener]], in double brackets");
  }
  draft_.replace_listeners(array->size());
  for (std::size_t i = 0; i < array->size(); ++i) table(*array->get(i)->as_table(), "listener", i);
}

}  // namespace

void apply_file(ConfigDraft& draft, const std::string& path) {
  const auto text = read_whole_file(path);
  if (!text) return draft.complain(path, text.error().detail);
  apply_toml(draft, *text, path);
}

void apply_toml(ConfigDraft& draft, std::string_view text, const std::string& name) {
  toml::table root;
  try {
    root = toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    const auto& begin = error.source().begin;
    return draft.complain(fmt::format("{}:{}:{}", name, begin.line, begin.column),
                          fmt::format("not TOML: {}", error.description()));
  }
  TomlWalk(draft, name).table(root, "", 0);
}

}  // namespace twinmq::app
