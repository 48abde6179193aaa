#include "sql/operators.hpp"

#include <cstring>

#include "sql/conversion.hpp"

namespace twinmq::sql {

using json::Decimal;
using json::Kind;
using json::Value;

Value logical_and_of_any(const Value& a, const Value& b) {
  const auto left = truth_of(a);
  const auto right = truth_of(b);
  return left && right ? Value::boolean(*left && *right) : Value();
}

Value logical_or(const Value& a, const Value& b) {
  const auto left = truth_of(a);
  const auto right = truth_of(b);
  return left && right ? Value::boolean(*left || *right) : Value();
}

Value logical_not(const Value& a) {
  const auto truth = truth_of(a);
  return truth ? Value::boolean(!*truth) : Value();
}

Value equals(const Value& a, const Value& b) {
  if (a.is_undefined() || b.is_undefined()) return {};
  return Value::boolean(json::equal(a, b));
}

Value unequals(const Value& a, const Value& b) {
  if (a.is_undefined() || b.is_undefined()) return {};
  return Value::boolean(!json::equal(a, b));
}

namespace {

bool holds(Op op, int order) {
  switch (op) {
    case Op::Less: return order < 0;
    case Op::LessEqual: return order <= 0;
    case Op::Greater: return order > 0;
    default: return order >= 0;
  }
}

Value concatenated(const Value& a, const Value& b, Evaluation& evaluation) {
  const auto left = text_of(a, evaluation);
  const auto right = text_of(b, evaluation);
  if (!left || !right) return {};
  char* to = evaluation.arena.text(left->size() + right->size());
  if (to == nullptr) return {};
  if (!left->empty()) std::memcpy(to, left->data(), left->size());
  if (!right->empty()) std::memcpy(to + left->size(), right->data(), right->size());
  return Value::string({to, left->size() + right->size()});
}

// The common case: both fit into 64 bits and so does the result.
bool small_arithmetic(Op op, std::int64_t a, std::int64_t b, std::int64_t& result) {
  switch (op) {
    case Op::Add: return !__builtin_add_overflow(a, b, &result);
    case Op::Subtract: return !__builtin_sub_overflow(a, b, &result);
    case Op::Multiply: return !__builtin_mul_overflow(a, b, &result);
    case Op::Divide:
      if (b == 0 || b == -1 || a % b != 0) return false;
      result = a / b;
      return true;
    case Op::Remainder:
      if (b == 0 || b == -1) return false;
      result = a % b;
      return true;
    default: return false;
  }
}

}  // namespace

Value ordered(Op op, const Value& a, const Value& b, Version version) {
  if (a.is_small_integer() && b.is_small_integer()) {
    const auto left = a.small_integer();
    const auto right = b.small_integer();
    return Value::boolean(holds(op, left < right ? -1 : left > right));
  }
  if (a.is(Kind::Number) && b.is(Kind::Number))
    return Value::boolean(holds(op, json::compare(a.decimal(), b.decimal())));
  const auto left = number_of(a);
  const auto right = number_of(b);
  if (left && right) return Value::boolean(holds(op, json::compare(*left, *right)));
  if (version == Version::Twinmq && a.is(Kind::String) && b.is(Kind::String))
    return Value::boolean(holds(op, a.text().compare(b.text())));
  return {};
}

Value arithmetic(Op op, const Value& a, const Value& b, Evaluation& evaluation) {
  if (a.is_small_integer() && b.is_small_integer()) {
    std::int64_t result = 0;
    if (small_arithmetic(op, a.small_integer(), b.small_integer(), result))
      return Value::integer(result);
  }
  if (op == Op::Add) {
    if (a.is(Kind::String) || b.is(Kind::String)) return concatenated(a, b, evaluation);
    if (!a.is(Kind::Number) || !b.is(Kind::Number)) return {};
  }
  const auto left = number_of(a);
  const auto right = number_of(b);
  if (!left || !right) return {};
  switch (op) {
    case Op::Add: return number_value(json::add(*left, *right), evaluation);
    case Op::Subtract: return number_value(json::subtract(*left, *right), evaluation);
    case Op::Multiply: return number_value(json::multiply(*left, *right), evaluation);
    case Op::Divide: {
      const auto quotient = json::divide(*left, *right);
      return number_value(quotient ? std::optional<Decimal>(json::stripped(*quotient)) : quotient,
                          evaluation);
    }
    default: return number_value(json::remainder(*left, *right), evaluation);
  }
}

Value in_list(const Value& value, const Value& list, Evaluation& evaluation) {
  if (value.is_undefined() || !list.is(Kind::Array)) return {};
  if (!evaluation.spend(list.items().size())) return {};
  for (const Value& item : list.items())
    if (json::equal(value, item)) return Value::boolean(true);
  return Value::boolean(false);
}

Value like(const Value& value, const Value& pattern, Evaluation& evaluation) {
  const auto text = text_of(value, evaluation);
  const auto wanted = text_of(pattern, evaluation);
  if (!text || !wanted) return {};
  if (!evaluation.spend(text->size() / 16 * (wanted->size() / 16 + 1))) return {};
  // One place to come back to is enough: the newest % can take up whatever an older one could.
  std::size_t t = 0;
  std::size_t p = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (t < text->size()) {
    const char c = p < wanted->size() ? (*wanted)[p] : '\0';
    if (p < wanted->size() && c == '%') {
      star = ++p;
      resume = t;
      continue;
    }
    const bool escaped = c == '\\' && p + 1 < wanted->size();
    if (p < wanted->size() && c == '_') {
      ++p;
      ++t;
      while (t < text->size() && (static_cast<unsigned char>((*text)[t]) & 0xC0) == 0x80) ++t;
    } else if (p < wanted->size() && (*text)[t] == (escaped ? (*wanted)[p + 1] : c)) {
      p += escaped ? 2 : 1;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star;
      t = ++resume;
    } else {
      return Value::boolean(false);
    }
  }
  while (p < wanted->size() && (*wanted)[p] == '%') ++p;
  return Value::boolean(p == wanted->size());
}

}  // namespace twinmq::sql
