// Functions over numbers.

#include <cmath>

#include "sql/conversion.hpp"
#include "sql/functions.hpp"

namespace twinmq::sql {
namespace {

using json::Decimal;
using json::Int128;
using json::Kind;
using json::Value;

template <typename Step>
Value with_number(const Call& call, Step step) {
  const auto number = number_of(call[0]);
  return number ? number_value(step(*number), call.evaluation) : Value();
}

template <double (*Step)(double)>
Value by_double(const Call& call) {
  const auto number = number_of(call[0]);
  return number ? number_value(Step(json::to_double(*number)), call.evaluation) : Value();
}

template <double (*Step)(double, double)>
Value by_doubles(const Call& call) {
  const auto a = number_of(call[0]);
  const auto b = number_of(call[1]);
  return a && b ? number_value(Step(json::to_double(*a), json::to_double(*b)), call.evaluation)
                : Value();
}

Value absolute(const Call& call) {
  return with_number(call, [](Decimal number) {
    if (number.coefficient < 0) number.coefficient = -number.coefficient;
    return number;
  });
}

Value ceiling(const Call& call) {
  return with_number(call, [](const Decimal& number) { return json::ceil(number); });
}

Value flooring(const Call& call) {
  return with_number(call, [](const Decimal& number) { return json::floor(number); });
}

Value rounding(const Call& call) {
  return with_number(call, [](const Decimal& number) { return json::round(number); });
}

Value sign(const Call& call) {
  const auto number = number_of(call[0]);
  return number ? Value::integer(number->coefficient < 0 ? -1 : number->coefficient > 0) : Value();
}

Value trunc(const Call& call) {
  const auto number = number_of(call[0]);
  const auto places = int_of(call[1]);
  if (!number || !places) return {};
  const auto clamped = static_cast<int>(*places < 0                  ? 0
                                        : *places > json::kDigitsMax ? json::kDigitsMax
                                                                     : *places);
  return number_value(json::stripped(json::truncate(*number, clamped)), call.evaluation);
}

Value modulo(const Call& call) {
  const auto a = number_of(call[0]);
  const auto b = number_of(call[1]);
  return a && b ? number_value(json::remainder(*a, *b), call.evaluation) : Value();
}

// A whole number of up to 34 digits; decimals go down first.
std::optional<Int128> bits_of(const Value& value) {
  const auto number = number_of(value);
  if (!number) return std::nullopt;
  const Decimal whole = json::stripped(json::floor(*number));
  if (whole.exponent > 0) return std::nullopt;
  return whole.coefficient;
}

template <Int128 (*Step)(Int128, Int128)>
Value bitwise(const Call& call) {
  const auto a = bits_of(call[0]);
  const auto b = bits_of(call[1]);
  if (!a || !b) return {};
  return Value::number({Step(*a, *b), 0}, call.evaluation.arena);
}

Int128 bits_and(Int128 a, Int128 b) {
  return a & b;
}
Int128 bits_or(Int128 a, Int128 b) {
  return a | b;
}
Int128 bits_xor(Int128 a, Int128 b) {
  return a ^ b;
}

Value bitnot(const Call& call) {
  const auto bits = bits_of(call[0]);
  return bits ? Value::number({~*bits, 0}, call.evaluation.arena) : Value();
}

Value random(const Call& call) {
  if (call.evaluation.world == nullptr) return number_value(0.5, call.evaluation);
  const std::uint64_t bits = call.evaluation.world->random() >> 11;
  return number_value(static_cast<double>(bits) * 0x1.0p-53, call.evaluation);
}

Value nanvl(const Call& call) {
  return call[0].is_undefined() || call[0].is_null() ? call[1] : call[0];
}

constexpr Function kFunctions[] = {
    {"abs", 1, 1, absolute},
    {"ceil", 1, 1, ceiling},
    {"floor", 1, 1, flooring},
    {"round", 1, 1, rounding},
    {"trunc", 2, 2, trunc},
    {"sign", 1, 1, sign},
    {"mod", 2, 2, modulo},
    {"remainder", 2, 2, modulo},
    {"power", 2, 2, by_doubles<std::pow>},
    {"sqrt", 1, 1, by_double<std::sqrt>},
    {"exp", 1, 1, by_double<std::exp>},
    {"ln", 1, 1, by_double<std::log>},
    {"log", 1, 1, by_double<std::log10>},
    {"sin", 1, 1, by_double<std::sin>},
    {"cos", 1, 1, by_double<std::cos>},
    {"tan", 1, 1, by_double<std::tan>},
    {"asin", 1, 1, by_double<std::asin>},
    {"acos", 1, 1, by_double<std::acos>},
    {"atan", 1, 1, by_double<std::atan>},
    {"sinh", 1, 1, by_double<std::sinh>},
    {"cosh", 1, 1, by_double<std::cosh>},
    {"tanh", 1, 1, by_double<std::tanh>},
    {"atan2", 2, 2, by_doubles<std::atan2>},
    {"bitand", 2, 2, bitwise<bits_and>},
    {"bitor", 2, 2, bitwise<bits_or>},
    {"bitxor", 2, 2, bitwise<bits_xor>},
    {"bitnot", 1, 1, bitnot},
    {"rand", 0, 0, random},
    {"nanvl", 2, 2, nanvl},
};

}  // namespace

std::span<const Function> number_functions() {
  return kFunctions;
}

}  // namespace twinmq::sql
