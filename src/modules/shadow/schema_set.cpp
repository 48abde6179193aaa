// Which shadows have to keep to which schema.

#include "modules/shadow/schema.hpp"

#include <optional>
#include <string>
#include <utility>

#include "modules/shadow/json_patch.hpp"

namespace twinmq::shadow {

bool has_form(std::string_view text, std::string_view pattern) {
  std::size_t t = 0;
  std::size_t p = 0;
  std::size_t star = pattern.npos;
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != pattern.npos) {
      p = star;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

Result<std::shared_ptr<const SchemaSet>> SchemaSet::compile(
    const std::vector<ShadowSchemaConfig>& schemas) {
  auto set = std::make_shared<SchemaSet>();
  for (const ShadowSchemaConfig& each : schemas) {
    auto schema = Schema::compile(each.document);
    if (!schema) return Error{schema.error().code, each.file + ": " + schema.error().detail};
    set->entries_.push_back({each.thing, each.name, std::move(*schema)});
  }
  return std::shared_ptr<const SchemaSet>(std::move(set));
}

std::string SchemaSet::fault_of(const ShadowName& shadow, const Document& document,
                                Arena& arena) const {
  std::optional<Node> state;
  for (const Entry& each : entries_) {
    if (!has_form(shadow.thing, each.thing) || !has_form(shadow.name, each.name)) continue;
    if (!state) state = patch_root(document, arena);
    if (std::string fault = each.schema->fault_of(*state); !fault.empty()) return fault;
  }
  return {};
}

}  // namespace twinmq::shadow
