#include "sql/conversion.hpp"

#include <string>

#include "json/write.hpp"
#include "sql/lexer.hpp"

namespace twinmq::sql {

using json::Decimal;
using json::Kind;
using json::Value;

std::optional<Decimal> number_of(const Value& value) {
  if (value.is(Kind::Number)) return value.decimal();
  if (value.is(Kind::String)) return json::read_decimal(value.text());
  return std::nullopt;
}

std::optional<bool> truth_of(const Value& value) {
  if (value.is(Kind::Boolean)) return value.truth();
  if (!value.is(Kind::String)) return std::nullopt;
  if (same_word(value.text(), "true")) return true;
  if (same_word(value.text(), "false")) return false;
  return std::nullopt;
}

std::optional<std::string_view> text_of(const Value& value, Evaluation& evaluation) {
  switch (value.kind()) {
    case Kind::Undefined:
    case Kind::Null: return std::nullopt;
    case Kind::Boolean: return value.truth() ? "true" : "false";
    case Kind::String: return value.text();
    case Kind::Number: {
      char text[json::kDecimalTextMax];
      const Decimal number = value.decimal();
      const std::size_t size = json::write_decimal(
          evaluation.version == Version::V2015 ? number : json::stripped(number), text);
      const std::string_view copy = evaluation.arena.copy({text, size});
      if (copy.empty()) return std::nullopt;
      return copy;
    }
    case Kind::Array:
    case Kind::Object: {
      const std::string text =
          json::text_of(value, evaluation.version == Version::V2015 ? json::Numbers::AsWritten
                                                                    : json::Numbers::Stripped);
      if (!evaluation.spend(text.size() / 16)) return std::nullopt;
      const std::string_view copy = evaluation.arena.copy(text);
      if (copy.empty()) return std::nullopt;
      return copy;
    }
  }
  return std::nullopt;
}

std::optional<std::int64_t> int_of(const Value& value) {
  const auto number = number_of(value);
  if (!number) return std::nullopt;
  return json::to_int64_clamped(*number);
}

Value number_value(const std::optional<Decimal>& number, Evaluation& evaluation) {
  if (!number) return {};
  return Value::number(evaluation.version == Version::V2015 ? *number : json::stripped(*number),
                       evaluation.arena);
}

Value number_value(double number, Evaluation& evaluation) {
  return number_value(json::decimal_of(number), evaluation);
}

Value text_value(std::string_view text, Evaluation& evaluation) {
  if (text.empty()) return Value::string("");
  const std::string_view copy = evaluation.arena.copy(text);
  return copy.empty() ? Value() : Value::string(copy);
}

CastType cast_type_of(std::string_view name) {
  if (name == "int" || name == "integer") return CastType::Int;
  if (name == "double" || name == "decimal") return CastType::Decimal;
  if (name == "bool" || name == "boolean") return CastType::Boolean;
  return CastType::String;
}

Value cast(const Value& value, CastType type, Evaluation& evaluation) {
  if (value.is_null() || value.is_undefined()) return {};
  switch (type) {
    case CastType::String: {
      const auto text = text_of(value, evaluation);
      return text ? Value::string(*text) : Value();
    }
    case CastType::Boolean: {
      if (value.is(Kind::Number)) return Value::boolean(value.decimal().coefficient != 0);
      const auto truth = truth_of(value);
      return truth ? Value::boolean(*truth) : Value();
    }
    case CastType::Int:
    case CastType::Decimal: {
      if (value.is(Kind::Boolean)) return Value::integer(value.truth() ? 1 : 0);
      const auto number = number_of(value);
      if (!number) return {};
      if (type == CastType::Decimal) return number_value(*number, evaluation);
      // A Decimal goes down; of a text's number the fraction is cut.
      return number_value(
          value.is(Kind::String) ? json::truncate(*number, 0) : json::floor(*number), evaluation);
    }
  }
  return {};
}

}  // namespace twinmq::sql
