#pragma once
// Decimal numbers of 34 digits: what JSON numbers mean to rules.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace twinmq::json {

__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 Uint128;

/// coefficient * 10^exponent. |coefficient| < 10^34; the magnitude lies between 1E-999 and
/// 9.99…E999, or is zero. The exponent remembers how a number was written: 1.50 is 150 * 10^-2.
struct Decimal {
  Int128 coefficient = 0;
  std::int32_t exponent = 0;

  bool operator==(const Decimal&) const = delete;  // compare() knows that 1.0 is 1
};

constexpr int kDigitsMax = 34;
constexpr int kMagnitudeMax = 999;

enum class Exponents {
  Plain,   ///< 1E3, 1e-3: what counts as a number inside a String
  Signed,  ///< also 1E+3, as in JSON
};

/// Reads -?digits(.digits)?(e-?digits)?. Nothing: no number, or beyond the magnitudes above; digits
/// after the 34th are rounded away, half to even.
std::optional<Decimal> read_decimal(std::string_view text, Exponents exponents = Exponents::Plain);

/// Nothing when the result is beyond the magnitudes above. Too small a result is zero.
std::optional<Decimal> add(const Decimal& a, const Decimal& b);
std::optional<Decimal> subtract(const Decimal& a, const Decimal& b);
std::optional<Decimal> multiply(const Decimal& a, const Decimal& b);

/// 34 digits where the quotient does not end before. Nothing also for a divisor of zero.
std::optional<Decimal> divide(const Decimal& a, const Decimal& b);

/// What is left after a division cut to a whole number; has the sign of `a`. Nothing: `b` is zero.
std::optional<Decimal> remainder(const Decimal& a, const Decimal& b);

/// Less than, equal to, or greater than zero, as a is to b.
int compare(const Decimal& a, const Decimal& b);

bool is_whole(const Decimal& number);

/// Without zeros at the end: the exponent of a whole number is zero as far as 34 digits reach.
Decimal stripped(Decimal number);

Decimal floor(const Decimal& number);
Decimal ceil(const Decimal& number);
/// To the nearest whole number, halves away from zero.
Decimal round(const Decimal& number);
/// Cut to `places` digits after the point.
Decimal truncate(const Decimal& number, int places);

Decimal decimal_of(std::int64_t number);
/// By the shortest text that means this double. Nothing: not finite, or too large.
std::optional<Decimal> decimal_of(double number);
double to_double(const Decimal& number);
/// A whole number within 64 bits; others are cut towards minus infinity and clamped.
std::int64_t to_int64_clamped(const Decimal& number);

/// Room enough for any number as text.
constexpr std::size_t kDecimalTextMax = 64;

/// Writes the number; plain where it is short enough, as 1.5E40 otherwise. Answers how many bytes.
std::size_t write_decimal(const Decimal& number, char* to);
std::string text_of(const Decimal& number);

}  // namespace twinmq::json
