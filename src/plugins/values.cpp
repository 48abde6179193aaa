#include "plugins/values.hpp"

#include <charconv>
#include <cmath>

#include "base/escape.hpp"
#include "json/decimal.hpp"

namespace twinmq::plugins {

using json::Kind;
using json::Value;

namespace {

constexpr std::size_t kWhyMax = 500;

twinmq_value of_kind(twinmq_kind kind, std::size_t size = 0) {
  twinmq_value made{};
  made.kind = kind;
  made.size = size;
  return made;
}

twinmq_value shown_items(const Value& value, json::Arena& arena) {
  const auto items = value.items();
  auto* to = arena.array<twinmq_value>(items.size());
  if (to == nullptr) return {};
  for (std::size_t i = 0; i < items.size(); ++i) to[i] = shown(items[i], arena);
  twinmq_value made = of_kind(TWINMQ_ARRAY, items.size());
  made.as.items = to;
  return made;
}

twinmq_value shown_members(const Value& value, json::Arena& arena) {
  const auto members = value.members();
  auto* to = arena.array<twinmq_member>(members.size());
  if (to == nullptr) return {};
  for (std::size_t i = 0; i < members.size(); ++i)
    to[i] = {shown(members[i].key), shown(members[i].value, arena)};
  twinmq_value made = of_kind(TWINMQ_OBJECT, members.size());
  made.as.members = to;
  return made;
}

Value taken_number(double number, json::Arena& arena) {
  if (!std::isfinite(number)) return {};
  char text[64];
  const auto end = std::to_chars(text, text + sizeof text, number);
  const auto decimal =
      json::read_decimal({text, static_cast<std::size_t>(end.ptr - text)}, json::Exponents::Signed);
  return decimal ? Value::number(json::stripped(*decimal), arena) : Value();
}

Value take(const twinmq_value& from, json::Arena& arena, int depth) {
  if (depth > json::kDepthMax) return {};
  const auto size = static_cast<std::size_t>(from.size);
  switch (from.kind) {
    case TWINMQ_NULL: return Value::null();
    case TWINMQ_BOOLEAN: return Value::boolean(from.as.integer != 0);
    case TWINMQ_INTEGER: return Value::integer(from.as.integer);
    case TWINMQ_NUMBER: return taken_number(from.as.number, arena);
    case TWINMQ_TEXT:
      return size == 0 ? Value::string("") : Value::string(arena.copy({from.as.text, size}));
    case TWINMQ_ARRAY: {
      auto* items = arena.array<Value>(size);
      if (items == nullptr) return {};
      for (std::size_t i = 0; i < size; ++i) items[i] = take(from.as.items[i], arena, depth + 1);
      return Value::array({items, size});
    }
    case TWINMQ_OBJECT: {
      auto* members = arena.array<json::Member>(size);
      if (members == nullptr) return {};
      for (std::size_t i = 0; i < size; ++i)
        members[i] = {arena.copy(taken(from.as.members[i].key)),
                      take(from.as.members[i].value, arena, depth + 1)};
      return Value::object({members, size});
    }
    default: return {};
  }
}

}  // namespace

twinmq_value shown(const Value& value, json::Arena& arena) {
  switch (value.kind()) {
    case Kind::Undefined: return {};
    case Kind::Null: return of_kind(TWINMQ_NULL);
    case Kind::Boolean: {
      twinmq_value made = of_kind(TWINMQ_BOOLEAN);
      made.as.integer = value.truth() ? 1 : 0;
      return made;
    }
    case Kind::Number: {
      twinmq_value made = of_kind(value.is_small_integer() ? TWINMQ_INTEGER : TWINMQ_NUMBER);
      if (value.is_small_integer())
        made.as.integer = value.small_integer();
      else
        made.as.number = json::to_double(value.decimal());
      return made;
    }
    case Kind::String: {
      twinmq_value made = of_kind(TWINMQ_TEXT, value.text().size());
      made.as.text = value.text().data();
      return made;
    }
    case Kind::Array: return shown_items(value, arena);
    case Kind::Object: return shown_members(value, arena);
  }
  return {};
}

Value taken(const twinmq_value& value, json::Arena& arena) {
  const Value made = take(value, arena, 0);
  return arena.exhausted() ? Value() : made;
}

Answer::Answer(json::Arena& arena)
    : door_{{sizeof(twinmq_answer), give, fail}, this}, arena_(arena) {}

void Answer::give(twinmq_answer* raw, const twinmq_value* value) {
  Answer& self = *reinterpret_cast<Door*>(raw)->self;
  self.value_ = value == nullptr ? Value() : taken(*value, self.arena_);
}

void Answer::fail(twinmq_answer* raw, twinmq_text why) {
  Answer& self = *reinterpret_cast<Door*>(raw)->self;
  self.failed_ = true;
  self.why_ = escaped(taken(why).substr(0, kWhyMax));
}

}  // namespace twinmq::plugins
