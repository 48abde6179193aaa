#include "modules/shadow/schema.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "modules/shadow/json_text.hpp"
#include "modules/shadow/schema_node.hpp"

namespace twinmq::shadow {
namespace {

enum class Form : std::uint8_t {
  Any,    // says nothing, or is looked at elsewhere
  One,    // a schema
  List,   // schemas in an array
  Named,  // schemas in an object
  Number,
  Count,  // a whole number, not negative
  Text,
  Texts,
  TextLists,  // arrays of texts in an object
  Types,
  Flag,
  Array,
};

struct Keyword {
  std::string_view name;
  Form form;
};

// In the order of names.
constexpr std::array kKeywords = {
    Keyword{"$anchor", Form::Any},
    Keyword{"$comment", Form::Any},
    Keyword{"$defs", Form::Named},
    Keyword{"$id", Form::Any},
    Keyword{"$ref", Form::Text},
    Keyword{"$schema", Form::Any},
    Keyword{"$vocabulary", Form::Any},
    Keyword{"additionalProperties", Form::One},
    Keyword{"allOf", Form::List},
    Keyword{"anyOf", Form::List},
    Keyword{"const", Form::Any},
    Keyword{"contains", Form::One},
    Keyword{"contentEncoding", Form::Any},
    Keyword{"contentMediaType", Form::Any},
    Keyword{"contentSchema", Form::Any},
    Keyword{"default", Form::Any},
    Keyword{"definitions", Form::Named},
    Keyword{"dependentRequired", Form::TextLists},
    Keyword{"dependentSchemas", Form::Named},
    Keyword{"deprecated", Form::Any},
    Keyword{"description", Form::Any},
    Keyword{"else", Form::One},
    Keyword{"enum", Form::Array},
    Keyword{"examples", Form::Any},
    Keyword{"exclusiveMaximum", Form::Number},
    Keyword{"exclusiveMinimum", Form::Number},
    Keyword{"format", Form::Any},
    Keyword{"if", Form::One},
    Keyword{"items", Form::One},
    Keyword{"maxContains", Form::Count},
    Keyword{"maxItems", Form::Count},
    Keyword{"maxLength", Form::Count},
    Keyword{"maxProperties", Form::Count},
    Keyword{"maximum", Form::Number},
    Keyword{"minContains", Form::Count},
    Keyword{"minItems", Form::Count},
    Keyword{"minLength", Form::Count},
    Keyword{"minProperties", Form::Count},
    Keyword{"minimum", Form::Number},
    Keyword{"multipleOf", Form::Number},
    Keyword{"not", Form::One},
    Keyword{"oneOf", Form::List},
    Keyword{"pattern", Form::Text},
    Keyword{"patternProperties", Form::Named},
    Keyword{"prefixItems", Form::List},
    Keyword{"properties", Form::Named},
    Keyword{"propertyNames", Form::One},
    Keyword{"readOnly", Form::Any},
    Keyword{"required", Form::Texts},
    Keyword{"then", Form::One},
    Keyword{"title", Form::Any},
    Keyword{"type", Form::Types},
    Keyword{"uniqueItems", Form::Flag},
    Keyword{"writeOnly", Form::Any},
};
static_assert(std::ranges::is_sorted(kKeywords, {}, &Keyword::name));

constexpr std::array<std::string_view, 7> kTypes = {"array",  "boolean", "integer", "null",
                                                    "number", "object",  "string"};

bool is_count(const Node& node) {
  std::int64_t count = 0;
  return read_integer(node, count) && count >= 0;
}

bool is_texts(const Node& node) {
  return node.kind == Kind::Array && std::ranges::all_of(node.children(), [](const Node& each) {
           return each.kind == Kind::String;
         });
}

bool is_type(const Node& node) {
  return node.kind == Kind::String && std::ranges::find(kTypes, node.characters()) != kTypes.end();
}

bool is_flag(const Node& node) {
  return node.kind == Kind::True || node.kind == Kind::False;
}

bool is_sound(const Node& node, Form form) {
  switch (form) {
    case Form::Any: return true;
    case Form::One: return node.is_object() || is_flag(node);
    case Form::List: return node.kind == Kind::Array && node.size > 0;
    case Form::Named: return node.is_object();
    case Form::Number: return decimal(node).has_value();
    case Form::Count: return is_count(node);
    case Form::Text: return node.kind == Kind::String;
    case Form::Texts: return is_texts(node);
    case Form::TextLists: return node.is_object() && std::ranges::all_of(node.children(), is_texts);
    case Form::Types:
      return is_type(node) || (node.kind == Kind::Array && node.size > 0 &&
                               std::ranges::all_of(node.children(), is_type));
    case Form::Flag: return is_flag(node);
    case Form::Array: return node.kind == Kind::Array;
  }
  return false;
}

std::string key_of_pointer(std::string_view level) {
  std::string key;
  for (std::size_t i = 0; i < level.size(); ++i) {
    if (level[i] == '~' && i + 1 < level.size()) {
      key += level[++i] == '1' ? '/' : '~';
    } else {
      key += level[i];
    }
  }
  return key;
}

// What a local reference ("#", "#/$defs/x") names.
const Node* resolve(const Node& root, std::string_view reference) {
  if (!reference.starts_with('#')) return nullptr;
  reference.remove_prefix(1);
  const Node* node = &root;
  while (!reference.empty()) {
    if (reference.front() != '/') return nullptr;
    reference.remove_prefix(1);
    const std::size_t end = std::min(reference.find('/'), reference.size());
    const std::string key = key_of_pointer(reference.substr(0, end));
    reference.remove_prefix(end);
    if (node->is_object()) {
      node = find(*node, key);
    } else if (node->kind == Kind::Array && !key.empty() && key.size() < 6 &&
               std::ranges::all_of(key, [](char digit) { return digit >= '0' && digit <= '9'; }) &&
               std::stoul(key) < node->size) {
      node = &node->children()[std::stoul(key)];
    } else {
      return nullptr;
    }
    if (node == nullptr) return nullptr;
  }
  return node->is_object() || is_flag(*node) ? node : nullptr;
}

}  // namespace

class SchemaLoad {
 public:
  explicit SchemaLoad(Schema& schema) : schema_(schema) {}

  std::string fault;

  bool schema(const Node& node, const std::string& at, int depth) {
    if (is_flag(node)) return true;
    if (!node.is_object()) return fail(at, "is no schema");
    if (depth > kSchemaDepthMax) return fail(at, "nests too deep");
    for (const Node& member : node.children()) {
      const std::string here = at + '/' + pointer_key(member.name());
      if (member.name().starts_with("x-")) continue;
      const auto known = std::ranges::lower_bound(kKeywords, member.name(), {}, &Keyword::name);
      if (known == kKeywords.end() || known->name != member.name())
        return fail(here, "the keyword \"" + std::string(member.name()) + "\" is not known");
      if (!is_sound(member, known->form)) return fail(here, "is not of the form it must have");
      if (!keyword(member, *known, here, depth)) return false;
    }
    return true;
  }

 private:
  bool fail(const std::string& at, const std::string& why) {
    fault = (at.empty() ? "/" : at) + ": " + why;
    return false;
  }
  bool pattern(std::string_view text, const std::string& at) {
    auto compiled = sql::Pattern::compile(text);
    if (!compiled) return fail(at, compiled.error().detail);
    schema_.patterns_.emplace(text, std::move(*compiled));
    return true;
  }
  bool keyword(const Node& node, const Keyword& known, const std::string& at, int depth) {
    if (known.form == Form::One) return schema(node, at, depth + 1);
    if (known.form == Form::List || known.form == Form::Named) {
      for (std::size_t i = 0; i < node.size; ++i) {
        const Node& child = node.children()[i];
        const std::string here =
            at + '/' + (node.is_object() ? pointer_key(child.name()) : std::to_string(i));
        if (known.name == "patternProperties" && !pattern(child.name(), here)) return false;
        if (!schema(child, here, depth + 1)) return false;
      }
    }
    if (known.name == "pattern") return pattern(node.characters(), at);
    if (known.name == "multipleOf" &&
        json::compare(*decimal(node), json::decimal_of(std::int64_t{0})) <= 0)
      return fail(at, "must be above 0");
    if (known.name == "$ref") {
      const Node* const target = resolve(schema_.root_, node.characters());
      if (target == nullptr)
        return fail(at,
                    "leads to no schema of this file: \"" + std::string(node.characters()) + '"');
      if (!schema_.targets_.emplace(node.characters(), target).second) return true;
      return schema(*target, at, depth + 1);
    }
    return true;
  }

  Schema& schema_;
};

Result<std::unique_ptr<const Schema>> Schema::compile(std::string text) {
  auto schema = std::make_unique<Schema>();
  schema->text_ = std::move(text);
  JsonReader reader;
  if (reader.read(schema->text_, 0, schema->arena_, schema->root_) != Reading::Good)
    return Error{ErrorCode::InvalidArgument, "is no JSON"};
  SchemaLoad load(*schema);
  if (!load.schema(schema->root_, "", 0)) return Error{ErrorCode::InvalidArgument, load.fault};
  return std::unique_ptr<const Schema>(std::move(schema));
}

}  // namespace twinmq::shadow
