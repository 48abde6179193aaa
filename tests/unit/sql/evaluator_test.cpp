#include "sql/evaluator.hpp"

#include <catch2/catch.hpp>

#include "sql/compiler.hpp"
#include "sql/operators.hpp"
#include "sql_world.hpp"

namespace twinmq::sql {

TEST_CASE("a result is built from items in their order", "[sql]") {
  CHECK(Bench("SELECT *, a + 1 AS a, 'x' AS b.c, 'y' AS b.d FROM '#'").run(R"({"a":1})") ==
        R"({"a":2,"b":{"c":"x","d":"y"}})");
  CHECK(Bench("SELECT a AS b.c, * FROM '#'").run(R"({"a":1,"b":5})") == R"({"b":5,"a":1})");
  CHECK(Bench("SELECT {'x': a}, topic(2) FROM '#'").run(R"({"a":1})") == R"({"x":1,"topic":"s1"})");
  CHECK(Bench("SELECT * AS message FROM '#'").run("[1]") == R"({"message":[1]})");
  CHECK(Bench("SELECT * FROM '#'").run("80") == "80");
  CHECK(Bench("SELECT *, 1 AS a FROM '#'").run("80") == R"({"a":1})");
  CHECK(Bench("SELECT VALUE * FROM '#'").run("{ \"a\" : 1 }") == R"({"a":1})");
  CHECK(Bench("SELECT value, value.x AS y FROM '#'").run(R"({"value":{"x":1}})") ==
        R"({"value":{"x":1},"y":1})");
}

TEST_CASE("a payload that is no JSON passes through SELECT * alone", "[sql]") {
  CHECK(Bench("SELECT * FROM '#'").run("not json") == "raw");
  CHECK(Bench("SELECT VALUE * FROM '#'").run("not json") == "raw");
  CHECK(Bench("SELECT *, topic(1) AS t FROM '#'").run("not json") == R"({"t":"sensors"})");
  CHECK(Bench("SELECT * FROM '#' WHERE a = 1").run("not json").starts_with("no match"));
  CHECK(Bench("SELECT VALUE decode(encode(*,'base64'),'base64') FROM '#' WHERE "
              "decode(encode(*,'base64'),'base64') > 50")
            .run("80") == "80");
}

TEST_CASE("operators convert as AWS documents", "[sql]") {
  const auto [expression, expected] = GENERATE(table<std::string, std::string>({
      {"1 + 2 * 3", "7"},
      {"(1 + 2) * 3", "9"},
      {"-2 - -3", "1"},
      {"7 / 2", "3.5"},
      {"6 / 3", "2"},
      {"1 / 0", "undefined"},
      {"5 % 0", "undefined"},
      {"'2' + 3", "\"23\""},
      {"'2' - 1", "1"},
      {"'x' - 1", "undefined"},
      {"10.0 + 0", "10"},
      {"'a' + true", "\"atrue\""},
      {"'a' + {'k': 1.50}", "\"a{\\\"k\\\":1.5}\""},
      {"'a' + NULL", "undefined"},
      {"true AND 'TRUE'", "true"},
      {"false AND missing", "undefined"},
      {"true OR missing", "undefined"},
      {"NOT 'x'", "undefined"},
      {"NOT false AND false", "false"},
      {"false OR true AND false", "false"},
      {"1 < 2 AND 2 < 3", "true"},
      {"'10' > 9", "true"},
      {"'b' > 'a'", "undefined"},
      {"NULL < 1", "undefined"},
      {"1 = '1'", "false"},
      {"NULL = NULL", "true"},
      {"NULL <> 1", "true"},
      {"{'a':1,'b':2} = {'b':2.0,'a':1}", "true"},
      {"[1,2] <> [2,1]", "true"},
      {"2 IN [1,2.0]", "true"},
      {"2 IN 5", "undefined"},
      {"NOT 2 IN [1]", "true"},
      {"2 NOT IN [1]", "true"},
      {"9223372036854775807 + 1", "9223372036854775808"},
      {"9999999999999999999999999999999999 * 10", "9.999999999999999999999999999999999E34"},
      {"9E999 * 10", "undefined"},
      {"get([1,2],1)", "2"},
      {"[1,[2,3]][1][0]", "2"},
      {"{'a':{'b':3}}.a.b", "3"},
      {"cast(-2.1 AS Int)", "-3"},
      {"cast('-2.1' AS Int)", "-2"},
      {"cast(true AS Decimal)", "1"},
      {"cast('yes' AS Bool)", "undefined"},
      {"cast(5 AS Boolean)", "true"},
      {"cast([1, 'a'] AS String)", "\"[1,\\\"a\\\"]\""},
      {"- '5'", "-5"},
      {"1E3", "1000"},
      {"1E-3", "0.001"},
  }));
  INFO(expression);
  CHECK(value_of(expression) == expected);
}

TEST_CASE("decimals stay as written in the first version", "[sql]") {
  CHECK(value_of("a + 0", R"({"a":10.0})", Version::V2015) == "10.0");
  CHECK(value_of("a + 0", R"({"a":10.0})", Version::V2016) == "10");
}

TEST_CASE("CASE takes the first hit, and Undefined as subject yields Undefined", "[sql]") {
  CHECK(value_of("CASE a WHEN 1 THEN 'one' WHEN 2 THEN 'two' ELSE 'many' END", R"({"a":2})") ==
        "\"two\"");
  CHECK(value_of("CASE missing WHEN 1 THEN 'one' ELSE 'many' END") == "undefined");
  CHECK(value_of("CASE a WHEN 1 THEN 'one' END", R"({"a":2})") == "undefined");
  CHECK(value_of("CASE a WHEN missing THEN 'x' WHEN 2 THEN CASE b WHEN 3 THEN 'in' END END",
                 R"({"a":2,"b":3})") == "\"in\"");
  CHECK(value_of("CASE WHEN a > 5 THEN 'high' WHEN a > 1 THEN 'low' ELSE 'none' END",
                 R"({"a":2})") == "\"low\"");
}

TEST_CASE("nested queries see the element and nothing else", "[sql]") {
  const char* payload =
      R"({"n":"out","e":[{"n":"t","v":1},{"n":"h","v":2},{"v":3}],"o":{"v":9},"s":[1,2,3]})";
  CHECK(value_of("(SELECT n FROM e WHERE v > 1)", payload) == R"([{"n":"h"},{}])");
  CHECK(value_of("(SELECT VALUE n FROM e)", payload) == R"(["t","h"])");
  CHECK(value_of("(SELECT VALUE v FROM o)", payload) == "[9]");
  CHECK(value_of("(SELECT VALUE x FROM s AS x WHERE x <> 2)", payload) == "[1,3]");
  CHECK(value_of("(SELECT * FROM missing)", payload) == "[]");
  CHECK(value_of("EXISTS (SELECT * FROM e WHERE v = 3)", payload) == "true");
  CHECK(value_of("EXISTS (SELECT * FROM e WHERE v = 4)", payload) == "false");
  CHECK(value_of("(SELECT VALUE (SELECT VALUE y FROM x AS y WHERE y > 1) FROM m AS x)",
                 R"({"m":[[1,2],[3]]})") == "[[2],[3]]");
}

TEST_CASE("the version of the house orders texts, those of AWS do not", "[sql]") {
  CHECK(value_of("'b' > 'a'", "{}", Version::Twinmq) == "true");
  CHECK(value_of("'10' > '9'", "{}", Version::Twinmq) == "true");
  CHECK(value_of("'b' > 'a'", "{}", Version::V2016) == "undefined");
}

TEST_CASE("the superset's operators work", "[sql]") {
  const auto [expression, expected] = GENERATE(table<std::string, std::string>({
      {"5 BETWEEN 1 AND 5", "true"},
      {"6 NOT BETWEEN 1 AND 5", "true"},
      {"missing BETWEEN 1 AND 5", "undefined"},
      {"'sensor-12' LIKE 'sensor-%'", "true"},
      {"'abc' LIKE 'a_c'", "true"},
      {"'a€c' LIKE 'a_c'", "true"},
      {"'50%' LIKE '50\\%'", "true"},
      {"'aXbXc' LIKE '%X%d'", "false"},
      {"'x' NOT LIKE 'y%'", "true"},
      {"1 != 2", "true"},
      {"coalesce(missing, NULL, 3)", "3"},
      {"2 IN (1, 2)", "true"},
      {"`my-key`", "7"},
      {"o.`k 1`", "8"},
      {"o['k 1']", "8"},
      {"'x' IN ('y')", "undefined"},
  }));
  INFO(expression);
  CHECK(value_of(expression, R"({"my-key":7,"o":{"k 1":8}})") == expected);
}

TEST_CASE("FOREACH yields one result for each element", "[sql]") {
  Bench bench("FOREACH e AS s DO s.n AS name, site INCASE s.v > 1 FROM '#' WHERE site = 'a'");
  CHECK(bench.run(R"({"site":"a","e":[{"n":"t","v":1},{"n":"h","v":2}]})") ==
        R"([{"name":"h","site":"a"}])");
  CHECK(bench.run(R"({"site":"b","e":[]})").starts_with("no match"));
  CHECK(Bench("FOREACH e FROM '#'").run(R"({"e":[1,2]})") == "[1,2]");
}

TEST_CASE("an evaluation ends when its work or its memory is spent", "[sql]") {
  Bench work("SELECT (SELECT VALUE (SELECT VALUE b FROM l AS b) FROM l AS a) AS r FROM '#'");
  std::string list = R"({"l":[[0])";
  for (int i = 0; i < 3000; ++i) list += ",[0]";
  work.budget.steps = 1000;
  CHECK(work.run(list + "]}") == "no match: " + std::string(describe(Outcome::StepsSpent)));

  Bench memory(
      "SET @a = 'xxxxxxxxxxxxxxxxxxxxxxxx', @b = replace(@a, 'x', @a), @c = replace(@b, 'x', @b), "
      "@d = replace(@c, 'x', @c) "
      "SELECT @d FROM '#'");
  CHECK(memory.run("{}") == "no match: " + std::string(describe(Outcome::MemorySpent)));
}

TEST_CASE("WHERE fires for the Boolean true alone", "[sql]") {
  CHECK(Bench("SELECT 1 AS r FROM '#' WHERE a").run(R"({"a":true})") == R"({"r":1})");
  CHECK(Bench("SELECT 1 AS r FROM '#' WHERE a").run(R"({"a":"true"})") ==
        "no match: WHERE is no Boolean");
  CHECK(Bench("SELECT 1 AS r FROM '#' WHERE a").run(R"({"a":false})") ==
        "no match: WHERE is false");
  CHECK(Bench("SELECT 1 AS r FROM '#' WHERE a")
            .run("{}")
            .starts_with("no match: WHERE is Undefined"));
}

TEST_CASE("a look-up without answer ends the rule unless it is caught", "[sql]") {
  CHECK(Bench("SELECT get_thing_shadow('lamp', 'arn:aws:iam::1:role/r').state.reported.on AS r "
              "FROM '#'")
            .run("{}") == R"({"r":true})");
  CHECK(Bench("SELECT get_thing_shadow('lamp', 'settings').name AS r FROM '#'").run("{}") ==
        R"({"r":"settings"})");
  CHECK(Bench("SELECT get_thing_shadow('lamp', 'settings', 'role').name AS r FROM '#'").run("{}") ==
        R"({"r":"settings"})");
  CHECK(Bench("SELECT get_thing_shadow('none', 'role') AS r FROM '#'").run("{}") ==
        "no match: a look-up outside the message had no answer");
  CHECK(
      Bench("SELECT get_or_default(get_thing_shadow('none', 'role'), 5) AS r FROM '#'").run("{}") ==
      R"({"r":5})");
  CHECK(Bench("SELECT aws_lambda('twice', 4) AS r FROM '#'").run("{}") == R"({"r":8})");
  CHECK(Bench("SELECT twice(4) AS r FROM '#'").run("{}") == R"({"r":8})");
}

}  // namespace twinmq::sql
