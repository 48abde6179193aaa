#include "app/config_schemas.hpp"

#include <utility>

#include <fmt/format.h>

namespace twinmq::app {
namespace {

struct Text {
  std::string_view name;
  std::string ShadowSchemaConfig::*field;
};
constexpr Text kTexts[] = {{"thing", &ShadowSchemaConfig::thing},
                           {"name", &ShadowSchemaConfig::name},
                           {"file", &ShadowSchemaConfig::file}};

}  // namespace

void read_schemas(ConfigDraft& draft, const toml::node& node, const std::string& file) {
  const auto complain = [&](const toml::node& at, const std::string& text) {
    const auto& begin = at.source().begin;
    draft.complain(fmt::format("{}:{}:{}", file, begin.line, begin.column), text);
  };
  const auto* array = node.as_array();
  if (array == nullptr || (!array->empty() && !array->is_array_of_tables()))
    return complain(node, "shadow.schema: allowed: sections [[shadow.schema]], in double brackets");
  for (std::size_t i = 0; i < array->size(); ++i) {
    ShadowSchemaConfig schema;
    for (const auto& [key, value] : *array->get(i)->as_table()) {
      const std::string path = fmt::format("shadow.schema[{}].{}", i, key.str());
      const Text* known = nullptr;
      for (const Text& each : kTexts)
        if (key.str() == each.name) known = &each;
      const auto* text = value.as_string();
      if (known == nullptr) {
        complain(value, fmt::format("{}: unknown key; allowed: thing, name, file", path));
      } else if (text == nullptr) {
        complain(value, fmt::format("{}: allowed: a text", path));
      } else {
        schema.*known->field = text->get();
      }
    }
    if (auto document = read_whole_file(schema.file)) {
      schema.document = std::move(*document);
    } else {
      complain(*array->get(i),
               fmt::format("shadow.schema[{}].file: {}", i, document.error().detail));
    }
    draft.config().shadow.schemas.push_back(std::move(schema));
  }
}

std::string schemas_text(const std::vector<ShadowSchemaConfig>& schemas) {
  std::string text;
  for (const ShadowSchemaConfig& schema : schemas) {
    text += "\n[[shadow.schema]]\n";
    for (const Text& known : kTexts)
      text += fmt::format("{} = {}\n", known.name, toml_quoted(schema.*known.field));
  }
  return text;
}

}  // namespace twinmq::app
