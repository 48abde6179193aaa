#include "sql/functions.hpp"

#include <catch2/catch.hpp>

#include "sql/conversion.hpp"
#include "sql/digest.hpp"
#include "sql_world.hpp"

namespace twinmq::sql {

TEST_CASE("functions over numbers", "[sql]") {
  const auto [expression, expected] = GENERATE(table<std::string, std::string>({
      {"abs(-5)", "5"},
      {"ceil('2.1')", "3"},
      {"round(-1.5)", "-2"},
      {"round('x')", "undefined"},
      {"trunc(2.888, -3)", "2"},
      {"trunc(2.888, '1.9')", "2.8"},
      {"sign(0)", "0"},
      {"mod(-7, 3)", "-1"},
      {"remainder(8, 0)", "undefined"},
      {"power(2, 10)", "1024"},
      {"sqrt(2)", "1.4142135623730951"},
      {"ln(0)", "undefined"},
      {"log(100)", "2"},
      {"exp(0)", "1"},
      {"asin(2)", "undefined"},
      {"bitnot(13)", "-14"},
      {"bitand(13.9, '5')", "5"},
      {"bitxor(-1, 1)", "-2"},
      {"bitor('x', 1)", "undefined"},
      {"nanvl(NULL, 3)", "3"},
      {"nanvl('x', 3)", "\"x\""},
      {"abs(NULL)", "undefined"},
      {"floor(1E40)", "1E40"},
  }));
  INFO(expression);
  CHECK(value_of(expression) == expected);
}

TEST_CASE("functions over texts", "[sql]") {
  const auto [expression, expected] = GENERATE(table<std::string, std::string>({
      {"concat('a', 1, true)", "\"a1true\""},
      {"concat('a', NULL)", "undefined"},
      {"concat([1], 2, [3])", "[1,2,3]"},
      {"chr(48)", "\"0\""},
      {"chr(-1)", "undefined"},
      {"startswith(NULL, 'a')", "undefined"},
      {"indexof('€uro', 'u')", "1"},
      {"length('€')", "1"},
      {"numbytes('€')", "3"},
      {"length(false)", "5"},
      {"length(missing)", "undefined"},
      {"upper('straße é')", "\"STRAßE É\""},
      {"lower(['HELLO'])", "\"[\\\"hello\\\"]\""},
      {"lpad('a', '2')", "\"  a\""},
      {"rpad('a', 1.9)", "\"a \""},
      {"lpad('a', 'x')", "undefined"},
      {"trim(' \t a \t')", "\"a\""},
      {"rtrim(' a ')", "\" a\""},
      {"replace('aaa', 'a', 'bb')", "\"bbbbbb\""},
      {"replace('abc', '', 'x')", "\"abc\""},
      {"substring('012345', 2, 4)", "\"23\""},
      {"substring('€uro', 1, 2)", "\"u\""},
      {"substring('012345', 4, 2)", "\"\""},
      {"substring('012345', 99)", "\"\""},
      {"regexp_replace('abcd', 'b(.*)', '$1-$0')", "\"acd-bcd\""},
      {"regexp_replace('abc', 'x*', '-')", "\"-a-b-c-\""},
      {"regexp_substr('abc', 'x')", "undefined"},
      {"regexp_matches('abc', '(?=b)')", "undefined"},
      {"regexp_replace('abc', 'b', '$2')", "undefined"},
      {"split('a/b/c', '/')", "[\"a\",\"b\",\"c\"]"},
      {"join([1,'a'], '-')", "\"1-a\""},
      {"mask('secret', 2)", "\"****et\""},
      {"slice([1,2,3,4], 1, 3)", "[2,3]"},
      {"contains([1,2], 2.0)", "true"},
      {"keys({'a':1})", "[\"a\"]"},
      {"size([1,2])", "2"},
  }));
  INFO(expression);
  CHECK(value_of(expression) == expected);
}

TEST_CASE("digests are those of their specifications", "[sql]") {
  CHECK(value_of("md2('')") == "\"8350e5a3e24c153df2275c9f80692773\"");
  CHECK(value_of("md2('abcdefghijklmnopqrstuvwxyz')") == "\"4e8ddff3650292ab5a4108c3aa47940b\"");
  CHECK(value_of("md5('hello')") == "\"5d41402abc4b2a76b9719d911017c592\"");
  CHECK(value_of("sha224('')") == "\"d14a028c2a3a2bc9476102bb288234c415a2b01f828ea62ac5b3e42f\"");
  CHECK(value_of("hmac('what do ya want for nothing?', 'Jefe')") ==
        "\"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843\"");
  CHECK(value_of("tokenize('a', 'k') = tokenize('a', 'k')") == "true");
  CHECK(value_of("tokenize('a', 'k') = tokenize('b', 'k')") == "false");
  CHECK_FALSE(keyed_digest("none", "a", "b"));
}

TEST_CASE("encode and decode carry bytes through texts", "[sql]") {
  CHECK(value_of("encode('hello', 'base64')") == "\"aGVsbG8=\"");
  CHECK(value_of("encode('hello', 'rot13')") == "undefined");
  CHECK(value_of("decode('%%%', 'base64')") == "null");
  CHECK(value_of("decode(missing, 'base64')") == "undefined");
  CHECK(value_of("decode('7b2261223a317d', 'hex').a") == "1");
  CHECK(Bench("SELECT VALUE decode(*, 'cbor').a FROM '#'")
            .run(std::string_view("\xa1\x61\x61\x18\x2a", 5)) == "42");
  CHECK(Bench("SELECT VALUE decode(*, 'msgpack').a FROM '#'")
            .run(std::string_view("\x81\xa1\x61\x2a", 4)) == "42");
  CHECK(Bench("SELECT VALUE decode(*, 'cbor') FROM '#'").run("\xff") == "null");
}

TEST_CASE("what is known about the message can be asked", "[sql]") {
  Bench bench(
      "SELECT topic() AS t, topic(0) AS z, topic('3') AS d, clientid() AS c, sourceip() AS i, "
      "principal() AS p, "
      "username() AS u, timestamp() AS n FROM '#'");
  bench.event.source_ip = "10.0.0.7";
  bench.event.user_name = "alice";
  CHECK(
      bench.run("{}", 5) ==
      R"({"t":"sensors/s1/data","d":"data","c":"dev-1","i":"10.0.0.7","p":"alice","u":"alice","n":5})");
  CHECK(value_of("regexp_matches(newuuid(), "
                 "'^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$')") ==
        "true");
  CHECK(value_of("rand() >= 0 AND rand() < 1") == "true");
}

TEST_CASE("every function is found by its name in any case", "[sql]") {
  for (const Function& function : all_functions()) CHECK(find_function(function.name) == &function);
  CHECK(find_function("ReGexp_Matches") != nullptr);
  CHECK(find_function("nothing") == nullptr);
}

TEST_CASE("functions that remember answer over one message after the other", "[sql]") {
  Bench lagging("SELECT lag(a) AS r FROM '#'");
  CHECK(lagging.run(R"({"a":1})") == "{}");
  CHECK(lagging.run(R"({"a":2})") == R"({"r":1})");

  Bench change("SELECT a FROM '#' WHERE changed(a) OVER (PARTITION BY d)");
  CHECK(change.run(R"({"a":1,"d":"x"})") == R"({"a":1})");
  CHECK(change.run(R"({"a":1,"d":"x"})").starts_with("no match"));
  CHECK(change.run(R"({"a":1,"d":"y"})") == R"({"a":1})");

  Bench rates("SELECT rate(a) AS r FROM '#'");
  rates.run(R"({"a":1})", 1000);
  CHECK(rates.run(R"({"a":6})", 3000) == R"({"r":2.5})");

  Bench limits("SELECT hysteresis(a, 10, 20) AS r FROM '#'");
  CHECK(limits.run(R"({"a":15})") == R"({"r":false})");
  CHECK(limits.run(R"({"a":21})") == R"({"r":true})");
  CHECK(limits.run(R"({"a":15})") == R"({"r":true})");
  CHECK(limits.run(R"({"a":9})") == R"({"r":false})");

  Bench throttled("SELECT 1 AS r FROM '#' WHERE throttle('10s')");
  CHECK(throttled.run("{}", 0) == R"({"r":1})");
  CHECK(throttled.run("{}", 9999).starts_with("no match"));
  CHECK(throttled.run("{}", 10'000) == R"({"r":1})");

  Bench ids("SELECT 1 AS r FROM '#' WHERE once(id, '1m')");
  CHECK(ids.run(R"({"id":"a"})", 0) == R"({"r":1})");
  CHECK(ids.run(R"({"id":"a"})", 59'999).starts_with("no match"));
  CHECK(ids.run(R"({"id":"b"})", 59'999) == R"({"r":1})");

  Bench third("SELECT 1 AS r FROM '#' WHERE every_nth(3)");
  CHECK(third.run("{}") == R"({"r":1})");
  CHECK(third.run("{}").starts_with("no match"));
  CHECK(third.run("{}").starts_with("no match"));
  CHECK(third.run("{}") == R"({"r":1})");

  Bench band("SELECT a FROM '#' WHERE deadband(a, 2)");
  CHECK(band.run(R"({"a":10})") == R"({"a":10})");
  CHECK(band.run(R"({"a":12})").starts_with("no match"));
  CHECK(band.run(R"({"a":12.1})") == R"({"a":12.1})");

  Bench mean("SELECT moving_avg(a, 2) AS m, ewma(a, 0.5) AS e FROM '#'");
  CHECK(mean.run(R"({"a":1})") == R"({"m":1,"e":1})");
  CHECK(mean.run(R"({"a":3})") == R"({"m":2,"e":2})");
  CHECK(mean.run(R"({"a":5})") == R"({"m":4,"e":3.5})");

  Bench strange("SELECT anomaly(a, 20) AS r FROM '#'");
  for (int i = 0; i < 20; ++i)
    CHECK(strange.run("{\"a\":" + std::to_string(10 + i % 3) + "}") == R"({"r":false})");
  CHECK(strange.run(R"({"a":100})") == R"({"r":true})");
}

}  // namespace twinmq::sql
