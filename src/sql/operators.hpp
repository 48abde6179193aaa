#pragma once
// AWS IoT SQL's operators.

#include "sql/evaluation.hpp"

namespace twinmq::sql {

json::Value logical_and_of_any(const json::Value& a, const json::Value& b);
inline json::Value logical_and(const json::Value& a, const json::Value& b) {
  const bool plain = a.is(json::Kind::Boolean) && b.is(json::Kind::Boolean);
  return plain ? json::Value::boolean(a.truth() && b.truth()) : logical_and_of_any(a, b);
}
json::Value logical_or(const json::Value& a, const json::Value& b);
json::Value logical_not(const json::Value& a);

/// Undefined when a side is.
json::Value equals(const json::Value& a, const json::Value& b);
json::Value unequals(const json::Value& a, const json::Value& b);

/// Less, LessEqual, Greater or GreaterEqual, over numbers; in Version::Twinmq also over two Strings
/// that are not both numbers, by their bytes.
json::Value ordered(Op op, const json::Value& a, const json::Value& b, Version version);

/// Equal to GreaterEqual.
inline json::Value compared(Op op, const json::Value& a, const json::Value& b, Version version) {
  return op == Op::Equal     ? equals(a, b)
         : op == Op::Unequal ? unequals(a, b)
                             : ordered(op, a, b, version);
}

/// Add, Subtract, Multiply, Divide or Remainder. A text on either side of + makes it a
/// concatenation. Whole numbers divide into a decimal where they do not divide evenly; by zero:
/// Undefined.
json::Value arithmetic(Op op, const json::Value& a, const json::Value& b, Evaluation& evaluation);

json::Value in_list(const json::Value& value, const json::Value& list, Evaluation& evaluation);

/// % for any text, _ for any character, \ before either for itself.
json::Value like(const json::Value& value, const json::Value& pattern, Evaluation& evaluation);

}  // namespace twinmq::sql
