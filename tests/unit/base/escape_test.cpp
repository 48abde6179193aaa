#include "base/escape.hpp"

#include <catch2/catch.hpp>

#include "base/log_throttle.hpp"

using twinmq::escaped;
using twinmq::Instant;
using twinmq::Milliseconds;
using twinmq::base::LogThrottle;

TEST_CASE("a plain word stays as it is") {
  CHECK(escaped("sensor-7/temp") == "sensor-7/temp");
  CHECK(escaped("größe") == "größe");
}

TEST_CASE("what could forge a line or a pair is quoted and escaped") {
  CHECK(escaped("") == R"("")");
  CHECK(escaped("a b") == R"("a b")");
  CHECK(escaped("a=b") == R"("a=b")");
  CHECK(escaped("a\"b\\c") == R"("a\"b\\c")");
  CHECK(escaped("x\r\n2000-01-01 info forged") == R"("x\r\n2000-01-01 info forged")");
  CHECK(escaped("\x1b[2J\t") == R"("\u001b[2J\t")");
  CHECK(escaped(std::string_view("\0", 1)) == R"("\u0000")");
  CHECK(escaped("\u202Eevil") == R"("\u202eevil")");
  CHECK(escaped("\u0085") == R"("\u0085")");
  CHECK(escaped("\u2028") == R"("\u2028")");
}

TEST_CASE("a text that looks like a number is marked as text") {
  CHECK(escaped("42") == R"("42")");
  CHECK(escaped("true") == R"("true")");
}

TEST_CASE("bytes that are no UTF-8 are shown as numbers") {
  CHECK(escaped("\xFF") == R"("\\xFF")");
  CHECK(escaped("a\xC3") == R"("a\\xC3")");
  CHECK(escaped("\xC0\xAF") == R"("\\xC0\\xAF")");
  CHECK(escaped("\xED\xA0\x80") == R"("\\xED\\xA0\\x80")");
  CHECK(escaped("\xF4\x90\x80\x80") == R"("\\xF4\\x90\\x80\\x80")");
  CHECK(escaped("\xE2\x82") == R"("\\xE2\\x82")");
}

TEST_CASE("an event is written a few times in a period and then counted") {
  LogThrottle throttle(2, Milliseconds(100));
  const Instant start{};
  CHECK(throttle.admit("refused", start) == 0);
  CHECK(throttle.admit("refused", start) == 0);
  CHECK_FALSE(throttle.admit("refused", start));
  CHECK_FALSE(throttle.admit("refused", start + Milliseconds(99)));
  CHECK(throttle.admit("other", start) == 0);
  CHECK(throttle.admit("refused", start + Milliseconds(100)) == 2);
  CHECK(throttle.admit("refused", start + Milliseconds(100)) == 0);
}
