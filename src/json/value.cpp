#include "json/value.hpp"

#include <memory>

namespace twinmq::json {
namespace {

bool equal_within(const Value& a, const Value& b, int depth);

bool equal_objects(const Value& a, const Value& b, int depth) {
  if (a.members().size() != b.members().size()) return false;
  std::size_t at = 0;
  for (const Member& member : a.members()) {
    // Usually both have the same order.
    const Member& beside = b.members()[at++];
    const Value other = beside.key == member.key ? beside.value : b.member(member.key);
    if (other.is_undefined() || !equal_within(member.value, other, depth)) return false;
  }
  return true;
}

bool equal_within(const Value& a, const Value& b, int depth) {
  if (a.kind() != b.kind() || depth == 0) return false;
  switch (a.kind()) {
    case Kind::Undefined:
    case Kind::Null: return true;
    case Kind::Boolean: return a.truth() == b.truth();
    case Kind::Number:
      if (a.is_small_integer() && b.is_small_integer())
        return a.small_integer() == b.small_integer();
      return compare(a.decimal(), b.decimal()) == 0;
    case Kind::String: return same_text(a.text(), b.text());
    case Kind::Array: {
      if (a.items().size() != b.items().size()) return false;
      for (std::size_t i = 0; i < a.items().size(); ++i)
        if (!equal_within(a.items()[i], b.items()[i], depth - 1)) return false;
      return true;
    }
    case Kind::Object: return equal_objects(a, b, depth - 1);
  }
  return false;
}

Value copy_within(const Value& value, Arena& arena, int depth) {
  if (depth == 0) return {};
  switch (value.kind()) {
    case Kind::Number: return Value::number(value.decimal(), arena);
    case Kind::String: return Value::string(arena.copy(value.text()));
    case Kind::Array: {
      Value* items = arena.array<Value>(value.items().size());
      if (items == nullptr) return {};
      std::size_t at = 0;
      for (const Value& item : value.items()) items[at++] = copy_within(item, arena, depth - 1);
      return Value::array({items, at});
    }
    case Kind::Object: {
      Member* members = arena.array<Member>(value.members().size());
      if (members == nullptr) return {};
      std::size_t at = 0;
      for (const Member& member : value.members())
        members[at++] = {arena.copy(member.key), copy_within(member.value, arena, depth - 1)};
      return Value::object({members, at});
    }
    default: return value;
  }
}

}  // namespace

Value Value::number(const Decimal& decimal, Arena& arena) {
  Value made(Kind::Number);
  made.size_ = std::bit_cast<std::uint32_t>(decimal.exponent);
  if (decimal.coefficient >= INT64_MIN && decimal.coefficient <= INT64_MAX) {
    made.integer_ = static_cast<std::int64_t>(decimal.coefficient);
    return made;
  }
  Int128* coefficient = arena.array<Int128>(1);
  if (coefficient == nullptr) return {};
  *coefficient = decimal.coefficient;
  made.big_ = true;
  made.coefficient_ = coefficient;
  return made;
}

Value Value::array(std::span<const Value> items, Arena& arena) {
  Value* to = arena.array<Value>(items.size());
  if (to == nullptr) return {};
  std::uninitialized_copy(items.begin(), items.end(), to);
  return array({to, items.size()});
}

Value Value::object(std::span<const Member> members, Arena& arena) {
  Member* to = arena.array<Member>(members.size());
  if (to == nullptr) return {};
  std::uninitialized_copy(members.begin(), members.end(), to);
  return object({to, members.size()});
}

bool equal(const Value& a, const Value& b) {
  return equal_within(a, b, 2 * kDepthMax);
}

Value copy(const Value& value, Arena& arena) {
  return copy_within(value, arena, 2 * kDepthMax);
}

}  // namespace twinmq::json
