#include "modules/shadow/schema.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "json/decimal.hpp"
#include "modules/shadow/json_patch.hpp"
#include "modules/shadow/json_text.hpp"

namespace twinmq::shadow {
namespace {

constexpr int kDepthMax = 200;
constexpr std::uint32_t kStepsMax = 200'000;

enum class Form : std::uint8_t {
  Any,         // says nothing, or is looked at elsewhere
  One,         // a schema
  List,        // schemas in an array
  Named,       // schemas in an object
  Number,
  Count,       // a whole number, not negative
  Text,
  Texts,
  TextLists,   // arrays of texts in an object
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

std::optional<json::Decimal> decimal(const Node& node) {
  if (node.kind != Kind::Number) return std::nullopt;
  return json::read_decimal(node.characters(), json::Exponents::Signed);
}

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
    case Form::Any:
      return true;
    case Form::One:
      return node.is_object() || is_flag(node);
    case Form::List:
      return node.kind == Kind::Array && node.size > 0;
    case Form::Named:
      return node.is_object();
    case Form::Number:
      return decimal(node).has_value();
    case Form::Count:
      return is_count(node);
    case Form::Text:
      return node.kind == Kind::String;
    case Form::Texts:
      return is_texts(node);
    case Form::TextLists:
      return node.is_object() && std::ranges::all_of(node.children(), is_texts);
    case Form::Types:
      return is_type(node) || (node.kind == Kind::Array && node.size > 0 &&
                               std::ranges::all_of(node.children(), is_type));
    case Form::Flag:
      return is_flag(node);
    case Form::Array:
      return node.kind == Kind::Array;
  }
  return false;
}

// "~1" is a slash in a pointer, "~0" a tilde.
std::string pointer_key(std::string_view key) {
  std::string text;
  for (const char character : key) {
    if (character == '~') {
      text += "~0";
    } else if (character == '/') {
      text += "~1";
    } else {
      text += character;
    }
  }
  return text;
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

std::size_t code_points(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }));
}

}  // namespace

// --- Reading a schema

class SchemaLoad {
 public:
  explicit SchemaLoad(Schema& schema) : schema_(schema) {}

  std::string fault;

  bool schema(const Node& node, const std::string& at, int depth) {
    if (is_flag(node)) return true;
    if (!node.is_object()) return fail(at, "is no schema");
    if (depth > kDepthMax) return fail(at, "nests too deep");
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
        return fail(at, "leads to no schema of this file: \"" + std::string(node.characters()) + '"');
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

// --- Holding a value against it

class SchemaCheck {
 public:
  explicit SchemaCheck(const Schema& schema) : schema_(schema) {}

  std::string fault() const { return fault_; }
  bool gave_up() const { return gave_up_; }

  bool check(const Node& schema, const Node& value, int depth) {
    if (schema.kind == Kind::True) return true;
    if (schema.kind == Kind::False) return fail("nothing is allowed here");
    if (depth > kDepthMax || ++steps_ > kStepsMax) return give_up();
    if (!types(schema, value) || !references(schema, value, depth)) return false;
    switch (value.kind) {
      case Kind::Number:
        if (!numbers(schema, value)) return false;
        break;
      case Kind::String:
        if (!texts(schema, value)) return false;
        break;
      case Kind::Array:
        if (!arrays(schema, value, depth)) return false;
        break;
      case Kind::Object:
        if (!objects(schema, value, depth)) return false;
        break;
      default:
        break;
    }
    return combinations(schema, value, depth);
  }

 private:
  bool fail(const std::string& why) {
    if (silent_ == 0) fault_ = (path_.empty() ? "/" : path_) + ": " + why;
    return false;
  }
  bool give_up() {
    gave_up_ = true;
    return fail("takes too long to check");
  }
  // What holds or not without being a fault.
  bool holds(const Node& schema, const Node& value, int depth) {
    ++silent_;
    const bool result = check(schema, value, depth + 1);
    --silent_;
    return result;
  }
  bool below(std::string_view key, const Node& schema, const Node& value, int depth) {
    const std::size_t length = path_.size();
    path_ += '/';
    path_ += pointer_key(key);
    const bool result = check(schema, value, depth + 1);
    path_.resize(length);
    return result;
  }
  bool count_fits(const Node& schema, std::string_view least, std::string_view most,
                  std::size_t count, std::string_view what) {
    std::int64_t limit = 0;
    if (const Node* node = find(schema, least);
        node != nullptr && read_integer(*node, limit) && count < static_cast<std::uint64_t>(limit))
      return fail("has fewer " + std::string(what) + " than " + std::to_string(limit));
    if (const Node* node = find(schema, most);
        node != nullptr && read_integer(*node, limit) && count > static_cast<std::uint64_t>(limit))
      return fail("has more " + std::string(what) + " than " + std::to_string(limit));
    return true;
  }

  static bool is(const Node& value, std::string_view type) {
    switch (value.kind) {
      case Kind::Null:
        return type == "null";
      case Kind::False:
      case Kind::True:
        return type == "boolean";
      case Kind::Number: {
        if (type == "number") return true;
        const auto number = decimal(value);
        return type == "integer" && number && json::is_whole(*number);
      }
      case Kind::String:
        return type == "string";
      case Kind::Array:
        return type == "array";
      case Kind::Object:
        return type == "object";
    }
    return false;
  }

  bool types(const Node& schema, const Node& value) {
    if (const Node* type = find(schema, "type")) {
      const auto fits = [&](const Node& each) { return is(value, each.characters()); };
      const bool good =
          type->kind == Kind::String ? fits(*type) : std::ranges::any_of(type->children(), fits);
      if (!good) {
        std::string wanted;
        write_value(*type, wanted);
        return fail("is not of type " + wanted);
      }
    }
    if (const Node* node = find(schema, "const"); node != nullptr && !same_value(*node, value))
      return fail("is not the value it must be");
    if (const Node* node = find(schema, "enum");
        node != nullptr && std::ranges::none_of(node->children(), [&](const Node& each) {
          return same_value(each, value);
        }))
      return fail("is none of the values allowed");
    return true;
  }

  bool references(const Node& schema, const Node& value, int depth) {
    const Node* const reference = find(schema, "$ref");
    if (reference == nullptr) return true;
    return check(*schema_.targets_.find(reference->characters())->second, value, depth + 1);
  }

  bool bound(const Node& schema, const json::Decimal& value, std::string_view keyword,
             std::string_view why, bool (*good)(int)) {
    const Node* const limit = find(schema, keyword);
    if (limit == nullptr || good(json::compare(value, *decimal(*limit)))) return true;
    return fail(std::string(why) + " " + std::string(limit->characters()));
  }

  bool numbers(const Node& schema, const Node& value) {
    const auto number = decimal(value);
    if (!number) return fail("is too large");
    if (!bound(schema, *number, "minimum", "is below the minimum of", [](int o) { return o >= 0; }) ||
        !bound(schema, *number, "maximum", "is above the maximum of", [](int o) { return o <= 0; }) ||
        !bound(schema, *number, "exclusiveMinimum", "is not above", [](int o) { return o > 0; }) ||
        !bound(schema, *number, "exclusiveMaximum", "is not below", [](int o) { return o < 0; }))
      return false;
    const Node* const step = find(schema, "multipleOf");
    if (step == nullptr) return true;
    const auto rest = json::remainder(*number, *decimal(*step));
    if (rest && json::compare(*rest, json::decimal_of(std::int64_t{0})) == 0) return true;
    return fail("is no multiple of " + std::string(step->characters()));
  }

  bool texts(const Node& schema, const Node& value) {
    if (!count_fits(schema, "minLength", "maxLength", code_points(value.characters()),
                    "characters"))
      return false;
    const Node* const pattern = find(schema, "pattern");
    if (pattern == nullptr ||
        schema_.patterns_.find(pattern->characters())->second.found_in(value.characters()))
      return true;
    return fail("does not match the pattern " + std::string(pattern->characters()));
  }

  bool arrays(const Node& schema, const Node& value, int depth) {
    if (!count_fits(schema, "minItems", "maxItems", value.size, "items")) return false;
    const Node* const first = find(schema, "prefixItems");
    const Node* const rest = find(schema, "items");
    const std::size_t prefix = first != nullptr ? first->size : 0;
    for (std::size_t i = 0; i < value.size; ++i) {
      const Node* const each = i < prefix ? &first->children()[i] : rest;
      if (each != nullptr && !below(std::to_string(i), *each, value.children()[i], depth))
        return false;
    }
    if (const Node* unique = find(schema, "uniqueItems");
        unique != nullptr && unique->kind == Kind::True) {
      for (std::size_t i = 0; i < value.size; ++i)
        for (std::size_t k = 0; k < i; ++k) {
          if (++steps_ > kStepsMax) return give_up();
          if (same_value(value.children()[i], value.children()[k]))
            return fail("has equal items");
        }
    }
    return contents(schema, value, depth);
  }

  bool contents(const Node& schema, const Node& value, int depth) {
    const Node* const wanted = find(schema, "contains");
    if (wanted == nullptr) return true;
    std::size_t found = 0;
    for (const Node& item : value.children()) found += holds(*wanted, item, depth) ? 1U : 0U;
    if (find(schema, "minContains") == nullptr && found == 0)
      return fail("holds no item of the kind it must");
    return count_fits(schema, "minContains", "maxContains", found, "items of one kind");
  }

  bool has_all(const Node& names, const Node& value) {
    for (const Node& name : names.children())
      if (find(value, name.characters()) == nullptr)
        return fail("\"" + std::string(name.characters()) + "\" is missing");
    return true;
  }

  bool objects(const Node& schema, const Node& value, int depth) {
    if (!count_fits(schema, "minProperties", "maxProperties", value.size, "keys")) return false;
    if (const Node* required = find(schema, "required");
        required != nullptr && !has_all(*required, value))
      return false;
    for (const Node& member : value.children())
      if (!property(schema, member, depth)) return false;
    if (const Node* dependent = find(schema, "dependentRequired"))
      for (const Node& each : dependent->children())
        if (find(value, each.name()) != nullptr && !has_all(each, value)) return false;
    if (const Node* dependent = find(schema, "dependentSchemas"))
      for (const Node& each : dependent->children())
        if (find(value, each.name()) != nullptr && !check(each, value, depth + 1)) return false;
    return true;
  }

  bool property(const Node& schema, const Node& member, int depth) {
    bool known = false;
    if (const Node* names = find(schema, "propertyNames")) {
      Node name;
      name.kind = Kind::String;
      name.text = member.key;
      name.size = member.key_size;
      if (!below(member.name(), *names, name, depth)) return false;
    }
    if (const Node* properties = find(schema, "properties"))
      if (const Node* own = find(*properties, member.name())) {
        known = true;
        if (!below(member.name(), *own, member, depth)) return false;
      }
    if (const Node* patterns = find(schema, "patternProperties"))
      for (const Node& each : patterns->children()) {
        if (!schema_.patterns_.find(each.name())->second.found_in(member.name())) continue;
        known = true;
        if (!below(member.name(), each, member, depth)) return false;
      }
    const Node* const others = find(schema, "additionalProperties");
    return known || others == nullptr || below(member.name(), *others, member, depth);
  }

  bool combinations(const Node& schema, const Node& value, int depth) {
    if (const Node* all = find(schema, "allOf"))
      for (const Node& each : all->children())
        if (!check(each, value, depth + 1)) return false;
    const auto good = [&](const Node& each) { return holds(each, value, depth); };
    if (const Node* any = find(schema, "anyOf");
        any != nullptr && !std::ranges::any_of(any->children(), good))
      return fail("is of none of the kinds allowed");
    if (const Node* one = find(schema, "oneOf");
        one != nullptr && std::ranges::count_if(one->children(), good) != 1)
      return fail("is not of exactly one of the kinds allowed");
    if (const Node* other = find(schema, "not"); other != nullptr && good(*other))
      return fail("is of a kind that is not allowed");
    if (const Node* condition = find(schema, "if")) {
      const Node* const next = find(schema, good(*condition) ? "then" : "else");
      if (next != nullptr && !check(*next, value, depth + 1)) return false;
    }
    return true;
  }

  const Schema& schema_;
  std::string path_;
  std::string fault_;
  int silent_ = 0;
  bool gave_up_ = false;
  std::uint32_t steps_ = 0;
};

std::string Schema::fault_of(const Node& value) const {
  SchemaCheck check(*this);
  const bool good = check.check(root_, value, 0);
  // What gave up within a `not` must not count as good.
  if (check.gave_up()) return "/: takes too long to check";
  return good ? std::string() : check.fault();
}

// --- Which shadows have to keep to which

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
