#include "json/decimal.hpp"

#include <catch2/catch.hpp>

namespace twinmq::json {
namespace {

Decimal number(std::string_view text) {
  return read_decimal(text, Exponents::Signed).value();
}

std::string sum(std::string_view a, std::string_view b) {
  return text_of(add(number(a), number(b)).value());
}

}  // namespace

TEST_CASE("numbers are read and written with all their digits", "[decimal]") {
  const auto text =
      GENERATE(as<std::string>(), "0", "7", "-7", "54.98", "10.0", "1.50", "0.001", "-0.5",
               "9007199254740993", "1234567890123456789012345678901234",
               "0.1234567890123456789012345678901234", "1E40", "1.5E-12", "-9.999E999", "1E-999");
  CHECK(text_of(number(text)) == text);
}

TEST_CASE("what AWS does not call a number is none", "[decimal]") {
  const auto text = GENERATE(as<std::string>(), "", "-", "+5", ".5", "5.", "1E", "1E+3", " 1", "1 ",
                             "1e3x", "0x10", "--1");
  CHECK_FALSE(read_decimal(text));
}

TEST_CASE("a number beyond the documented magnitudes is none, one below them is zero",
          "[decimal]") {
  CHECK_FALSE(read_decimal("1E1000"));
  CHECK_FALSE(read_decimal("12E999"));
  CHECK(text_of(number("1E-1000")) == "0");
  CHECK_FALSE(multiply(number("1E999"), number("10")));
}

TEST_CASE("sums of numbers of very different size keep 34 digits", "[decimal]") {
  CHECK(sum("0.1", "0.2") == "0.3");
  CHECK(sum("1E20", "1E-10") == "100000000000000000000.0000000001");
  CHECK(text_of(stripped(number(sum("1E900", "1")))) == "1E900");
  CHECK(sum("9999999999999999999999999999999999", "1") == "1.000000000000000000000000000000000E34");
}

TEST_CASE("products and quotients are exact as far as 34 digits reach", "[decimal]") {
  CHECK(text_of(*multiply(number("12345678901234567890"), number("98765432109876543210"))) ==
        "1.219326311370217952237463801111264E39");
  CHECK(text_of(*divide(number("1"), number("3"))) == "0.3333333333333333333333333333333333");
  CHECK(text_of(*divide(number("2"), number("3"))) == "0.6666666666666666666666666666666667");
  CHECK(text_of(*divide(number("7.5"), number("2.5"))) == "3");
  CHECK_FALSE(divide(number("1"), number("0")));
}

TEST_CASE("a remainder has the sign of the dividend", "[decimal]") {
  CHECK(text_of(*remainder(number("-7"), number("3"))) == "-1");
  CHECK(text_of(*remainder(number("8.5"), number("3"))) == "2.5");
  CHECK(text_of(*remainder(number("1E30"), number("7"))) == "1");
  CHECK_FALSE(remainder(number("1"), number("0.0")));
}

TEST_CASE("numbers compare by value, however they are written", "[decimal]") {
  CHECK(compare(number("1"), number("1.000")) == 0);
  CHECK(compare(number("1E3"), number("1000")) == 0);
  CHECK(compare(number("-1E300"), number("1E-300")) < 0);
  CHECK(compare(number("-2.5"), number("-2.4")) < 0);
  CHECK(compare(number("0"), number("-0.0")) == 0);
}

TEST_CASE("rounding goes where its name says", "[decimal]") {
  CHECK(text_of(floor(number("-1.2"))) == "-2");
  CHECK(text_of(ceil(number("-1.2"))) == "-1");
  CHECK(text_of(round(number("-1.5"))) == "-2");
  CHECK(text_of(round(number("1.5"))) == "2");
  CHECK(text_of(round(number("2.49999"))) == "2");
  CHECK(text_of(truncate(number("2.888"), 2)) == "2.88");
}

TEST_CASE("doubles come and go by their shortest text", "[decimal]") {
  CHECK(text_of(*decimal_of(0.1)) == "0.1");
  CHECK(to_double(number("54.98")) == 54.98);
  CHECK(to_double(number("1E400")) > 1e308);
  CHECK(to_double(number("1E-400")) == 0);
  CHECK_FALSE(decimal_of(1.0 / 0.0));
  CHECK(to_int64_clamped(number("-2.1")) == -3);
  CHECK(to_int64_clamped(number("-2.411E247")) == INT64_MIN);
}

}  // namespace twinmq::json
