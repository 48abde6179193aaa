// What a statement or a message may be made of to hurt: each has a defined answer within its
// budget.
#include <catch2/catch.hpp>
#include <string>

#include "sql_world.hpp"

namespace twinmq::sql {

TEST_CASE("patterns that take other engines for ever are answered at once, or refused", "[sql]") {
  Bench bench("SELECT VALUE regexp_matches(t, '(a+)+$') FROM '#'");
  CHECK(bench.run(R"({"t":")" + std::string(100'000, 'a') + "!\"}") == "false");
  CHECK(value_of("regexp_matches('x', '(?=x)x')") == "undefined");
  CHECK(value_of("regexp_matches('xx', '(x)\\1')") == "undefined");
  CHECK(value_of("regexp_matches('x', '((x{1000}){1000}){1000}')") == "undefined");
  Bench own("SELECT VALUE regexp_matches(t, p) FROM '#'");
  CHECK(own.run(R"({"t":"x","p":")" + std::string(1'000'000, '(') + "\"}") == "undefined");
}

TEST_CASE("numbers that cannot be are Undefined", "[sql]") {
  for (const char* expression : {"1 / 0", "1.5 % 0", "mod(1, 0)", "9.9E999 * 10", "power(10, 1000)",
                                 "sqrt(-1)", "ln(0)", "asin(2)", "0 / 0"}) {
    INFO(expression);
    CHECK(value_of(expression) == "undefined");
  }
  CHECK(value_of("9223372036854775807 + 1") == "9223372036854775808");
  CHECK(value_of("bitnot(9223372036854775808)") != "");
  CHECK(value_of("get([1], 9223372036854775807)") == "undefined");
  CHECK(value_of("substring('abc', -9E300, 9E300)") == "\"abc\"");
  CHECK(value_of("n", R"({"n":1E100000})") == "undefined");
}

TEST_CASE("lists without end are unnested within the budget", "[sql]") {
  Bench bench("FOREACH l AS e DO e.n AS n, l AS all FROM '#'");
  std::string list = R"({"l":[{"n":0})";
  for (int i = 1; i < 50'000; ++i) list += ",{\"n\":1}";
  bench.budget.memory = 1 << 20;
  CHECK(bench.run(list + "]}").starts_with("no match: "));
  bench.budget = {};
  bench.budget.steps = 10'000;
  CHECK(bench.run(list + "]}") == "no match: " + std::string(describe(Outcome::StepsSpent)));
}

TEST_CASE("what is Undefined everywhere or no JSON matches nothing, and harms nothing", "[sql]") {
  Bench bench(
      "SELECT a.b.c + 1 AS x, upper(a.b) AS y, (SELECT v FROM q.r) AS z FROM '#' WHERE a.b.c > 1 "
      "OR isUndefined(a)");
  for (const std::string_view payload :
       {"", "no json", "[1]", "5", "{\"a\":", "{\"a\":{\"b\":[]}}", "\xff\xfe", "null"}) {
    INFO(payload);
    const std::string result = bench.run(payload);
    CHECK((result.starts_with("no match") || result.starts_with("{")));
  }
}

}  // namespace twinmq::sql
