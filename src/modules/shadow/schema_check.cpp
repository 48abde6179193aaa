// Holding a value against a schema.

#include "modules/shadow/schema.hpp"

#include <algorithm>
#include <optional>
#include <string>

#include "modules/shadow/json_text.hpp"
#include "modules/shadow/schema_node.hpp"

namespace twinmq::shadow {
namespace {

constexpr std::uint32_t kStepsMax = 200'000;

std::size_t code_points(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }));
}

}  // namespace

class SchemaCheck {
 public:
  explicit SchemaCheck(const Schema& schema) : schema_(schema) {}

  std::string fault() const { return fault_; }
  bool gave_up() const { return gave_up_; }

  bool check(const Node& schema, const Node& value, int depth) {
    if (schema.kind == Kind::True) return true;
    if (schema.kind == Kind::False) return fail("nothing is allowed here");
    if (depth > kSchemaDepthMax || ++steps_ > kStepsMax) return give_up();
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
      default: break;
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
      case Kind::Null: return type == "null";
      case Kind::False:
      case Kind::True: return type == "boolean";
      case Kind::Number: {
        if (type == "number") return true;
        const auto number = decimal(value);
        return type == "integer" && number && json::is_whole(*number);
      }
      case Kind::String: return type == "string";
      case Kind::Array: return type == "array";
      case Kind::Object: return type == "object";
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
    if (!bound(schema, *number, "minimum", "is below the minimum of",
               [](int o) { return o >= 0; }) ||
        !bound(schema, *number, "maximum", "is above the maximum of",
               [](int o) { return o <= 0; }) ||
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
          if (same_value(value.children()[i], value.children()[k])) return fail("has equal items");
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

}  // namespace twinmq::shadow
