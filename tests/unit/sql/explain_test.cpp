#include "sql/explain.hpp"

#include <catch2/catch.hpp>

#include <map>

#include "sql_world.hpp"

namespace twinmq::sql {
namespace {

Statement compiled(const std::string& sql, Dialect dialect = Dialect::Twinmq) {
  auto statement = Statement::compile(sql, {dialect, default_version(dialect)});
  if (!statement) FAIL(describe(sql, statement.error()));
  return std::move(*statement);
}

std::map<std::string, std::string> values(const std::string& sql, const std::string& payload) {
  const Statement statement = compiled(sql);
  json::Arena document;
  Payload parsed(bytes_of(payload), document);
  Event event;
  event.topic = "a/b";
  std::map<std::string, std::string> all;
  for (const ExplainedValue& each :
       explain_values(statement, Dialect::Twinmq, event, parsed, nullptr))
    all[each.expression] = each.value.value_or("Undefined");
  return all;
}

}  // namespace

TEST_CASE("an expression shows all its parentheses and reads back as itself", "[explain]") {
  for (const std::string text :
       {"((a + (b * 2)) >= 3)", "(NOT (a = 'it''s'))", "CASE WHEN (a > 1) THEN 'x' ELSE null END",
        "CASE a WHEN 1 THEN 2 END", "(a IN [1, 2.5])", "(a BETWEEN 1 AND 2)", "(a LIKE 'x%')",
        "cast(a AS int)", "list[(n - 1)].id", "{'k': [a, true]}",
        "lag(a) OVER (PARTITION BY d WHEN (a > 0))", "(SELECT v FROM e AS x WHERE (n = 't'))",
        "EXISTS (SELECT * FROM e)", "`my-key`.b", "(-a)"}) {
    const Statement once = compiled("SELECT " + text + " AS x FROM 't'");
    CHECK(text_of(once.syntax(), once.syntax().selects[0].items[0].node) == text);
  }
  const Statement plain = compiled("SELECT 1 + a * 2 > 3 AND NOT b AS x FROM 't'");
  CHECK(text_of(plain.syntax(), plain.syntax().selects[0].items[0].node) ==
        "(((1 + (a * 2)) > 3) AND (NOT b))");
}

TEST_CASE("an explanation names clauses and program", "[explain]") {
  const std::string told = explain(compiled(
      "SET @c = (f - 32) * 5 SELECT @c AS c, lag(f) AS before FROM 'in/+', 'x' WHERE f > 1"));
  for (const char* part :
       {"version  twinmq\n", "from     in/+\n", "from     x\n", "set      @c = ((f - 32) * 5)\n",
        "where    (f > 1)\n", "select   c = @c\n", "select   before = lag(f)\n",
        "remembers for 1 functions", "path f\n", "compare f greater 1\n",
        "call lag of 1, memory 0\n"})
    CHECK_THAT(told, Catch::Contains(part));
  const std::string windows = explain(compiled(
      "SELECT d, avg(t) AS a FROM 't' GROUP BY d, HOPPING('60s', '500ms') HAVING count(*) > 1"));
  for (const char* part :
       {"group by d\n", "window   HOPPING(60s, 500ms)\n", "having   (count(*) > 1)\n"})
    CHECK_THAT(windows, Catch::Contains(part));
}

TEST_CASE("each expression over the message has its value", "[explain]") {
  const auto found = values(
      "SET @half = t / 2 SELECT upper(name) AS n, @half AS h, topic(2) AS d FROM 'a/+' WHERE t > "
      "50 AND site.name = 'x'",
      R"({"t":60,"name":"n1"})");
  CHECK(found ==
        std::map<std::string, std::string>{{"t", "60"},
                                           {"(t / 2)", "30"},
                                           {"(t > 50)", "true"},
                                           {"site", "Undefined"},
                                           {"site.name", "Undefined"},
                                           {"(site.name = 'x')", "Undefined"},
                                           {"((t > 50) AND (site.name = 'x'))", "Undefined"},
                                           {"name", "\"n1\""},
                                           {"upper(name)", "\"N1\""},
                                           {"@half", "30"},
                                           {"topic(2)", "\"b\""}});
}

TEST_CASE("elements of nested queries and windows have no value of their own", "[explain]") {
  CHECK(values("SELECT (SELECT v FROM e WHERE v > 1) AS big FROM 't'",
               R"({"e":[{"v":1},{"v":2}]})") ==
        std::map<std::string, std::string>{{"e", R"([{"v":1},{"v":2}])"},
                                           {"(SELECT v FROM e WHERE (v > 1))", R"([{"v":2}])"}});
  CHECK(
      values("SELECT d, avg(t * 2) AS a FROM 't' GROUP BY d, TUMBLING('1s')", R"({"d":1,"t":2})") ==
      std::map<std::string, std::string>{{"d", "1"}, {"t", "2"}, {"(t * 2)", "4"}});
}

}  // namespace twinmq::sql
