#include "json/decimal.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

namespace twinmq::json {
namespace {

constexpr int kPowers = 39;

constexpr std::array<Uint128, kPowers> make_powers() {
  std::array<Uint128, kPowers> powers{};
  powers[0] = 1;
  for (std::size_t i = 1; i < kPowers; ++i) powers[i] = powers[i - 1] * 10;
  return powers;
}

constexpr std::array<Uint128, kPowers> kPower = make_powers();

Uint128 power_of_ten(int digits) {
  return kPower[static_cast<std::size_t>(digits)];
}

Uint128 magnitude(Int128 number) {
  return number < 0 ? -static_cast<Uint128>(number) : static_cast<Uint128>(number);
}

Int128 with_sign(Uint128 number, bool negative) {
  return negative ? -static_cast<Int128>(number) : static_cast<Int128>(number);
}

int digits_of(Uint128 number) {
  int digits = 1;
  if (number >= kPower[16]) digits = 17;
  while (digits < kPowers && number >= power_of_ten(digits)) ++digits;
  return digits;
}

Uint128 divided_half_even(Uint128 number, Uint128 divisor, bool sticky) {
  Uint128 quotient = number / divisor;
  const Uint128 left = number % divisor;
  const Uint128 other = divisor - left;
  if (left > other || (left == other && (sticky || (quotient & 1) != 0))) ++quotient;
  return quotient;
}

// Into the 34 digits and the range of exponents. `sticky`: digits below were lost already.
std::optional<Decimal> fitted(Uint128 number, bool negative, std::int64_t exponent,
                              bool sticky = false) {
  for (int digits = digits_of(number); digits > kDigitsMax; digits = digits_of(number)) {
    number = divided_half_even(number, power_of_ten(digits - kDigitsMax), sticky);
    exponent += digits - kDigitsMax;
    sticky = false;
  }
  if (number == 0) {
    if (exponent > 0) exponent = 0;
    if (exponent < -kDigitsMax) exponent = -kDigitsMax;
    return Decimal{0, static_cast<std::int32_t>(exponent)};
  }
  const std::int64_t adjusted = exponent + digits_of(number) - 1;
  if (adjusted > kMagnitudeMax) return std::nullopt;
  if (adjusted < -kMagnitudeMax) return Decimal{};
  return Decimal{with_sign(number, negative), static_cast<std::int32_t>(exponent)};
}

// 256 bits, for products.
struct Wide {
  std::array<std::uint64_t, 4> limbs{};

  bool fits_128() const { return limbs[2] == 0 && limbs[3] == 0; }
  Uint128 low() const { return static_cast<Uint128>(limbs[1]) << 64 | limbs[0]; }

  std::uint64_t divide_by_ten() {
    Uint128 left = 0;
    for (std::size_t i = 4; i-- > 0;) {
      const Uint128 part = left << 64 | limbs[i];
      limbs[i] = static_cast<std::uint64_t>(part / 10);
      left = part % 10;
    }
    return static_cast<std::uint64_t>(left);
  }
};

Wide product(Uint128 a, Uint128 b) {
  const std::uint64_t as[2] = {static_cast<std::uint64_t>(a), static_cast<std::uint64_t>(a >> 64)};
  const std::uint64_t bs[2] = {static_cast<std::uint64_t>(b), static_cast<std::uint64_t>(b >> 64)};
  Wide wide;
  for (std::size_t i = 0; i < 2; ++i) {
    Uint128 carry = 0;
    for (std::size_t k = 0; k < 2; ++k) {
      const Uint128 sum = static_cast<Uint128>(as[i]) * bs[k] + wide.limbs[i + k] + carry;
      wide.limbs[i + k] = static_cast<std::uint64_t>(sum);
      carry = sum >> 64;
    }
    wide.limbs[i + 2] = static_cast<std::uint64_t>(carry);
  }
  return wide;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

Decimal cut(const Decimal& number, int direction) {
  if (number.exponent >= 0) return number;
  const int places = -number.exponent;
  const bool negative = number.coefficient < 0;
  const Uint128 size = magnitude(number.coefficient);
  Uint128 whole = 0;
  bool fraction = size != 0;
  if (places < kPowers) {
    whole = size / power_of_ten(places);
    fraction = size % power_of_ten(places) != 0;
  }
  if (fraction && ((direction < 0 && negative) || (direction > 0 && !negative))) ++whole;
  return {with_sign(whole, negative), 0};
}

}  // namespace

std::optional<Decimal> read_decimal(std::string_view text, Exponents exponents) {
  std::size_t at = 0;
  const bool negative = !text.empty() && text[0] == '-';
  if (negative) ++at;
  Uint128 number = 0;
  std::int64_t exponent = 0;
  bool sticky = false;
  const auto take = [&](char digit, bool fraction) {
    if (number < kPower[36]) {
      number = number * 10 + static_cast<unsigned>(digit - '0');
      if (fraction) --exponent;
    } else {
      sticky = sticky || digit != '0';
      if (!fraction) ++exponent;
    }
  };
  const std::size_t first = at;
  while (at < text.size() && is_digit(text[at])) take(text[at++], false);
  if (at == first) return std::nullopt;
  if (at < text.size() && text[at] == '.') {
    const std::size_t point = ++at;
    while (at < text.size() && is_digit(text[at])) take(text[at++], true);
    if (at == point) return std::nullopt;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    bool down = false;
    if (at < text.size() &&
        (text[at] == '-' || (text[at] == '+' && exponents == Exponents::Signed)))
      down = text[at++] == '-';
    const std::size_t begin = at;
    std::int64_t written = 0;
    for (; at < text.size() && is_digit(text[at]); ++at)
      if (written < 100'000'000) written = written * 10 + (text[at] - '0');
    if (at == begin) return std::nullopt;
    exponent += down ? -written : written;
  }
  if (at != text.size()) return std::nullopt;
  return fitted(number, negative, exponent, sticky);
}

std::optional<Decimal> add(const Decimal& a, const Decimal& b) {
  if (a.exponent == b.exponent) {
    const Int128 sum = a.coefficient + b.coefficient;
    return fitted(magnitude(sum), sum < 0, a.exponent);
  }
  const Decimal& high = a.exponent > b.exponent ? a : b;
  const Decimal& low = a.exponent > b.exponent ? b : a;
  if (high.coefficient == 0)
    return fitted(magnitude(low.coefficient), low.coefficient < 0, low.exponent);
  const int room = kPowers - 2 - digits_of(magnitude(high.coefficient));
  const int apart = high.exponent - low.exponent;
  const int raised = apart < room ? apart : room;
  const Int128 scaled = high.coefficient * static_cast<Int128>(power_of_ten(raised));
  // What is too small to be seen beside the larger number has lost its last digits.
  const int lost = apart - raised;
  const Int128 rest = lost == 0         ? low.coefficient
                      : lost >= kPowers ? 0
                                        : low.coefficient / static_cast<Int128>(power_of_ten(lost));
  const Int128 sum = scaled + rest;
  return fitted(magnitude(sum), sum < 0, std::int64_t{high.exponent} - raised);
}

std::optional<Decimal> subtract(const Decimal& a, const Decimal& b) {
  return add(a, {-b.coefficient, b.exponent});
}

std::optional<Decimal> multiply(const Decimal& a, const Decimal& b) {
  const bool negative = (a.coefficient < 0) != (b.coefficient < 0);
  std::int64_t exponent = std::int64_t{a.exponent} + b.exponent;
  Wide wide = product(magnitude(a.coefficient), magnitude(b.coefficient));
  bool sticky = false;
  while (!wide.fits_128() || wide.low() >= kPower[38]) {
    sticky = wide.divide_by_ten() != 0 || sticky;
    ++exponent;
  }
  return fitted(wide.low(), negative, exponent, sticky);
}

std::optional<Decimal> divide(const Decimal& a, const Decimal& b) {
  if (b.coefficient == 0) return std::nullopt;
  const bool negative = (a.coefficient < 0) != (b.coefficient < 0);
  const Uint128 divisor = magnitude(b.coefficient);
  Uint128 quotient = magnitude(a.coefficient) / divisor;
  Uint128 left = magnitude(a.coefficient) % divisor;
  std::int64_t exponent = std::int64_t{a.exponent} - b.exponent;
  while (left != 0 && quotient < kPower[36]) {
    left *= 10;
    quotient = quotient * 10 + left / divisor;
    left %= divisor;
    --exponent;
  }
  return fitted(quotient, negative, exponent, left != 0);
}

std::optional<Decimal> remainder(const Decimal& a, const Decimal& b) {
  if (b.coefficient == 0) return std::nullopt;
  Uint128 left = magnitude(a.coefficient);
  Uint128 divisor = magnitude(b.coefficient);
  std::int32_t exponent = b.exponent;
  if (a.exponent >= b.exponent) {
    left %= divisor;
    for (int i = a.exponent - b.exponent; i > 0 && left != 0; --i) left = left * 10 % divisor;
  } else {
    exponent = a.exponent;
    const int apart = b.exponent - a.exponent;
    const int room = kPowers - 1 - digits_of(divisor);
    if (apart <= room) {
      divisor *= power_of_ten(apart);
      left %= divisor;
    }
  }
  return fitted(left, a.coefficient < 0, exponent);
}

int compare(const Decimal& a, const Decimal& b) {
  if (a.exponent == b.exponent || a.coefficient == 0 || b.coefficient == 0) {
    if (a.coefficient == b.coefficient) return 0;
    return a.coefficient < b.coefficient ? -1 : 1;
  }
  const auto is_small = [](Int128 number) { return number >= INT64_MIN && number <= INT64_MAX; };
  const std::int32_t apart = a.exponent - b.exponent;
  if (apart >= -18 && apart <= 18 && is_small(a.coefficient) && is_small(b.coefficient)) {
    const Int128 x =
        apart > 0 ? a.coefficient * static_cast<Int128>(power_of_ten(apart)) : a.coefficient;
    const Int128 y =
        apart < 0 ? b.coefficient * static_cast<Int128>(power_of_ten(-apart)) : b.coefficient;
    return x == y ? 0 : x < y ? -1 : 1;
  }
  const bool negative = a.coefficient < 0;
  if (negative != (b.coefficient < 0)) return negative ? -1 : 1;
  Uint128 x = magnitude(a.coefficient);
  Uint128 y = magnitude(b.coefficient);
  const int top_a = digits_of(x) + a.exponent;
  const int top_b = digits_of(y) + b.exponent;
  int order = top_a < top_b ? -1 : 1;
  if (top_a == top_b) {
    if (a.exponent > b.exponent) x *= power_of_ten(a.exponent - b.exponent);
    if (b.exponent > a.exponent) y *= power_of_ten(b.exponent - a.exponent);
    order = x == y ? 0 : x < y ? -1 : 1;
  }
  return negative ? -order : order;
}

bool is_whole(const Decimal& number) {
  if (number.exponent >= 0 || number.coefficient == 0) return true;
  const int places = -number.exponent;
  return places < kPowers && magnitude(number.coefficient) % power_of_ten(places) == 0;
}

Decimal stripped(Decimal number) {
  if (number.coefficient == 0) return {};
  while (number.exponent != 0 && number.coefficient % 10 == 0) {
    number.coefficient /= 10;
    ++number.exponent;
  }
  if (number.exponent > 0 &&
      digits_of(magnitude(number.coefficient)) + number.exponent <= kDigitsMax) {
    number.coefficient *= static_cast<Int128>(power_of_ten(number.exponent));
    number.exponent = 0;
  }
  return number;
}

Decimal floor(const Decimal& number) {
  return cut(number, -1);
}

Decimal ceil(const Decimal& number) {
  return cut(number, 1);
}

Decimal round(const Decimal& number) {
  if (number.exponent >= 0) return number;
  const Decimal half{number.coefficient < 0 ? -5 : 5, -1};
  const auto sum = add(number, half);
  return sum ? cut(*sum, 0) : number;
}

Decimal truncate(const Decimal& number, int places) {
  if (number.exponent >= -places) return number;
  const int lost = -number.exponent - places;
  if (lost >= kPowers) return {};
  return {number.coefficient / static_cast<Int128>(power_of_ten(lost)), -places};
}

Decimal decimal_of(std::int64_t number) {
  return {number, 0};
}

std::optional<Decimal> decimal_of(double number) {
  if (!std::isfinite(number)) return std::nullopt;
  char text[40];
  const auto written = std::to_chars(text, text + sizeof text, number);
  return read_decimal({text, static_cast<std::size_t>(written.ptr - text)}, Exponents::Signed);
}

double to_double(const Decimal& number) {
  constexpr Uint128 kExact = Uint128{1} << 53;
  constexpr double kTens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                              1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                              1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  if (magnitude(number.coefficient) <= kExact && number.exponent >= -22 && number.exponent <= 22) {
    const auto whole = static_cast<double>(static_cast<std::int64_t>(number.coefficient));
    return number.exponent < 0 ? whole / kTens[-number.exponent] : whole * kTens[number.exponent];
  }
  char text[kDecimalTextMax];
  const std::size_t size = write_decimal(number, text);
  double result = 0;
  const auto read = std::from_chars(text, text + size, result);
  if (read.ec == std::errc::result_out_of_range)
    return number.exponent < 0 ? 0.0 : number.coefficient < 0 ? -HUGE_VAL : HUGE_VAL;
  return result;
}

std::int64_t to_int64_clamped(const Decimal& number) {
  const Decimal whole = floor(number);
  constexpr auto kMax = static_cast<Int128>(INT64_MAX);
  Int128 result = whole.coefficient;
  for (int i = whole.exponent; i > 0 && result != 0; --i) {
    if (result > kMax || result < -kMax) break;
    result *= 10;
  }
  if (result > kMax) return INT64_MAX;
  if (result < -kMax) return INT64_MIN;
  return static_cast<std::int64_t>(result);
}

std::size_t write_decimal(const Decimal& number, char* to) {
  char digits[40];
  std::size_t count = 0;
  for (Uint128 left = magnitude(number.coefficient); left != 0 || count == 0;) {
    if (left <= UINT64_MAX) {
      const auto small =
          std::to_chars(digits + count, digits + sizeof digits, static_cast<std::uint64_t>(left));
      // to_chars writes forwards, the loop backwards.
      char* begin = digits + count;
      for (char *a = begin, *b = small.ptr - 1; a < b; ++a, --b) std::swap(*a, *b);
      count = static_cast<std::size_t>(small.ptr - digits);
      break;
    }
    digits[count++] = static_cast<char>('0' + static_cast<int>(left % 10));
    left /= 10;
  }
  char* out = to;
  if (number.coefficient < 0) *out++ = '-';
  const int length = static_cast<int>(count);
  const int adjusted = number.exponent + length - 1;
  const auto digit = [&](int i) { return digits[static_cast<std::size_t>(length - 1 - i)]; };
  if (number.exponent >= 0 && adjusted < kDigitsMax) {
    for (int i = 0; i < length; ++i) *out++ = digit(i);
    if (number.coefficient != 0)
      for (int i = 0; i < number.exponent; ++i) *out++ = '0';
  } else if (number.exponent < 0 && adjusted >= -7) {
    const int point = length + number.exponent;
    if (point <= 0) {
      *out++ = '0';
      *out++ = '.';
      for (int i = point; i < 0; ++i) *out++ = '0';
    }
    for (int i = 0; i < length; ++i) {
      if (i == point && i > 0) *out++ = '.';
      *out++ = digit(i);
    }
  } else {
    *out++ = digit(0);
    if (length > 1) *out++ = '.';
    for (int i = 1; i < length; ++i) *out++ = digit(i);
    *out++ = 'E';
    out = std::to_chars(out, to + kDecimalTextMax, adjusted).ptr;
  }
  return static_cast<std::size_t>(out - to);
}

std::string text_of(const Decimal& number) {
  char text[kDecimalTextMax];
  return {text, write_decimal(number, text)};
}

}  // namespace twinmq::json
