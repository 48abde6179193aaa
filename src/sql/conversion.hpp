#pragma once
// AWS IoT SQL's conversions between types.

#include <cstdint>
#include <optional>
#include <string_view>

#include "sql/evaluation.hpp"

namespace twinmq::sql {

/// A Number, or a String that reads as one.
std::optional<json::Decimal> number_of(const json::Value& value);

/// A Boolean, or a String true or false in any case.
std::optional<bool> truth_of(const json::Value& value);

/// The value's text: Strings as they are, arrays and objects as compact JSON. Nothing for Null and
/// Undefined, or when the arena is spent.
std::optional<std::string_view> text_of(const json::Value& value, Evaluation& evaluation);

/// A number by the rounding of function arguments: downwards, clamped to 64 bits.
std::optional<std::int64_t> int_of(const json::Value& value);

/// A result: in all versions but 2015-10-08 without zeros at its end. Undefined for nothing.
json::Value number_value(const std::optional<json::Decimal>& number, Evaluation& evaluation);
json::Value number_value(double number, Evaluation& evaluation);

/// A text copied into the arena.
json::Value text_value(std::string_view text, Evaluation& evaluation);

enum class CastType : std::uint8_t { String, Int, Decimal, Boolean };
CastType cast_type_of(std::string_view name);
json::Value cast(const json::Value& value, CastType type, Evaluation& evaluation);

}  // namespace twinmq::sql
