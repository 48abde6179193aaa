// Functions over arrays, objects and absent values.

#include <algorithm>

#include "sql/conversion.hpp"
#include "sql/functions.hpp"
#include "sql/json_path.hpp"
#include "sql/lexer.hpp"
#include "sql/utf8.hpp"

namespace twinmq::sql {
namespace {

using json::Kind;
using json::Member;
using json::Value;

constexpr std::size_t kTransformBytesMax = std::size_t{128} << 10;

Value get(const Call& call) {
  const Value& from = call[0];
  if (from.is(Kind::Object))
    return call[1].is(Kind::String) ? from.member(call[1].text()) : Value();
  const auto index = int_of(call[1]);
  if (!index || *index < 0) return {};
  if (from.is(Kind::Array)) return from.item(static_cast<std::size_t>(*index));
  if (!from.is(Kind::String)) return {};
  const std::string_view text = from.text();
  const std::size_t begin = character_offset(text, static_cast<std::size_t>(*index));
  if (begin == text.size()) return {};
  std::size_t end = begin;
  next_character(text, end);
  return Value::string(text.substr(begin, end - begin));
}

Value is_null(const Call& call) {
  return Value::boolean(call[0].is_null());
}

Value is_undefined(const Call& call) {
  return Value::boolean(call[0].is_undefined());
}

Value get_or_default(const Call& call) {
  if (!call[0].is_undefined() && !call[0].is_null()) return call[0];
  call.evaluation.lookup_failed = false;
  return call[1];
}

// The element's own keys win over the attributes'.
Value enriched(const Value& attributes, const Value& element, Evaluation& evaluation) {
  if (!element.is(Kind::Object)) return element;
  const std::size_t room = attributes.members().size() + element.members().size();
  Member* members = evaluation.arena.array<Member>(room);
  if (members == nullptr || !evaluation.spend(room)) return {};
  auto* end = std::copy(element.members().begin(), element.members().end(), members);
  for (const Member& attribute : attributes.members())
    if (element.member(attribute.key).is_undefined()) *end++ = attribute;
  return Value::object({members, static_cast<std::size_t>(end - members)});
}

Value transform(const Call& call) {
  const Value& attributes = call[1];
  const Value& values = call[2];
  if (!call[0].is(Kind::String) || call[0].text() != "enrichArray") return {};
  if (!attributes.is(Kind::Object) || !values.is(Kind::Array)) return {};
  const auto one = text_of(attributes, call.evaluation);
  const auto other = text_of(values, call.evaluation);
  if (!one || !other || one->size() + other->size() > kTransformBytesMax) return {};
  Value* items = call.evaluation.arena.array<Value>(values.items().size());
  if (items == nullptr) return {};
  std::size_t at = 0;
  for (const Value& value : values.items())
    items[at++] = enriched(attributes, value, call.evaluation);
  return Value::array({items, at});
}

Value coalesce(const Call& call) {
  for (const Value& value : call.arguments)
    if (!value.is_undefined() && !value.is_null()) return value;
  return call.size() == 0 ? Value() : call[call.size() - 1];
}

template <Kind kKind>
Value is_kind(const Call& call) {
  return Value::boolean(call[0].is(kKind));
}

Value keys(const Call& call) {
  if (!call[0].is(Kind::Object)) return {};
  Value* items = call.evaluation.arena.array<Value>(call[0].members().size());
  if (items == nullptr) return {};
  std::size_t at = 0;
  for (const Member& member : call[0].members()) items[at++] = Value::string(member.key);
  return Value::array({items, at});
}

Value values(const Call& call) {
  if (!call[0].is(Kind::Object)) return {};
  Value* items = call.evaluation.arena.array<Value>(call[0].members().size());
  if (items == nullptr) return {};
  std::size_t at = 0;
  for (const Member& member : call[0].members()) items[at++] = member.value;
  return Value::array({items, at});
}

Value size(const Call& call) {
  if (call[0].is(Kind::Array))
    return Value::integer(static_cast<std::int64_t>(call[0].items().size()));
  if (call[0].is(Kind::Object))
    return Value::integer(static_cast<std::int64_t>(call[0].members().size()));
  return {};
}

Value contains(const Call& call) {
  if (!call[0].is(Kind::Array) || call[1].is_undefined()) return {};
  if (!call.evaluation.spend(call[0].items().size())) return {};
  for (const Value& item : call[0].items())
    if (json::equal(item, call[1])) return Value::boolean(true);
  return Value::boolean(false);
}

Value slice(const Call& call) {
  if (!call[0].is(Kind::Array)) return {};
  const auto from = int_of(call[1]);
  const auto to = call.size() == 3 ? int_of(call[2]) : std::optional<std::int64_t>(INT64_MAX);
  if (!from || !to) return {};
  const auto count = static_cast<std::int64_t>(call[0].items().size());
  const auto begin = std::clamp<std::int64_t>(*from, 0, count);
  const auto end = std::clamp<std::int64_t>(*to, begin, count);
  return Value::array(call[0].items().subspan(static_cast<std::size_t>(begin),
                                              static_cast<std::size_t>(end - begin)));
}

Value split(const Call& call) {
  const auto text = text_of(call[0], call.evaluation);
  const auto separator = text_of(call[1], call.evaluation);
  if (!text || !separator || separator->empty() || !call.evaluation.spend(text->size() / 4))
    return {};
  std::size_t count = 1;
  for (std::size_t at = text->find(*separator); at != std::string_view::npos;
       at = text->find(*separator, at + separator->size()))
    ++count;
  Value* items = call.evaluation.arena.array<Value>(count);
  if (items == nullptr) return {};
  std::size_t begin = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t end = std::min(text->find(*separator, begin), text->size());
    items[i] = Value::string(text->substr(begin, end - begin));
    begin = end + separator->size();
  }
  return Value::array({items, count});
}

Value join(const Call& call) {
  const auto separator = text_of(call[1], call.evaluation);
  if (!call[0].is(Kind::Array) || !separator) return {};
  std::string result;
  bool first = true;
  for (const Value& item : call[0].items()) {
    const auto text = text_of(item, call.evaluation);
    if (!text) return {};
    if (result.size() + text->size() > call.evaluation.arena.limit()) return {};
    if (!first) result += *separator;
    first = false;
    result += *text;
  }
  return text_value(result, call.evaluation);
}

// json_path(x, '$.a[*].b'): a part of x, or a list of parts.
Value path(const Call& call) {
  constexpr std::size_t kValuesMax = 100'000;
  if (!call[1].is(Kind::String) || !call.evaluation.spend(call[1].text().size() + 8)) return {};
  const auto most = std::min(
      kValuesMax, static_cast<std::size_t>(std::max<std::int64_t>(call.evaluation.steps, 1)));
  return json_path(call[0], call[1].text(), call.evaluation.arena, most);
}

constexpr Function kFunctions[] = {
    {"json_path", 2, 2, path, true},
    {"get", 2, 2, get},
    {"isnull", 1, 1, is_null},
    {"isundefined", 1, 1, is_undefined},
    {"get_or_default", 1, 2, get_or_default},
    {"transform", 3, 3, transform},
    {"coalesce", 1, kAnyNumber, coalesce, true},
    {"is_string", 1, 1, is_kind<Kind::String>, true},
    {"is_number", 1, 1, is_kind<Kind::Number>, true},
    {"is_boolean", 1, 1, is_kind<Kind::Boolean>, true},
    {"is_array", 1, 1, is_kind<Kind::Array>, true},
    {"is_object", 1, 1, is_kind<Kind::Object>, true},
    {"keys", 1, 1, keys, true},
    {"values", 1, 1, values, true},
    {"size", 1, 1, size, true},
    {"contains", 2, 2, contains, true},
    {"slice", 2, 3, slice, true},
    {"split", 2, 2, split, true},
    {"join", 2, 2, join, true},
};

}  // namespace

std::span<const Function> collection_functions() {
  return kFunctions;
}

}  // namespace twinmq::sql
