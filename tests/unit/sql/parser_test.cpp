#include "sql/parser.hpp"

#include <catch2/catch.hpp>

#include "sql/lexer.hpp"
#include "sql_world.hpp"

namespace twinmq::sql {

TEST_CASE("a fault names its place, what was found and what was expected", "[sql]") {
  CHECK(fault_of("SELECT a\nFROM 't' WERE a = 1") ==
        "line 2, column 10: expected WHERE or the end of the statement, found 'WERE'\n  FROM 't' "
        "WERE a = 1\n           ^");
  CHECK(fault_of("SELECT a, FROM 't'")
            .starts_with("line 1, column 11: expected an expression, found 'FROM'"));
  CHECK(fault_of("SELECT a FROM \"t\"", Dialect::Aws)
            .starts_with("line 1, column 15: expected a topic filter in single quotes"));
  CHECK(fault_of("SELECT 'a FROM t")
            .starts_with("line 1, column 8: the quote that opens here is never closed"));
  CHECK(fault_of("SELECT upperr(a) FROM 't'").find("did you mean upper()?") == std::string::npos);
  CHECK(fault_of("SELECT upperr(a) FROM 't'", Dialect::Aws).find("did you mean upper()?") !=
        std::string::npos);
  CHECK(fault_of("SELECT abs(a, b) FROM 't'").find("abs() takes 1 argument, found 2") !=
        std::string::npos);
  CHECK(fault_of("SELECT a + 1 FROM 't'").find("add AS and a name") != std::string::npos);
  CHECK(fault_of("SELECT 1my FROM 't'").find("cannot begin with a digit") != std::string::npos);
  CHECK(fault_of("SELECT a FROM 't/#/x'").find("goes on after #") != std::string::npos);
  CHECK(fault_of("SELECT @x FROM 't'").find("@x is not set") != std::string::npos);
  CHECK(fault_of("SET @x = 1, @x = 2 SELECT @x FROM 't'").find("never changes") !=
        std::string::npos);
  CHECK(fault_of("SELECT VALUE a, b FROM 't'").find("exactly one item") != std::string::npos);
  CHECK(fault_of("SELECT a FROM 't';").find("semicolon") != std::string::npos);
}

TEST_CASE("keywords are not case-sensitive and serve as names after a dot", "[sql]") {
  CHECK(fault_of("select a.end, a.value.from as x from 't' where a.case > 1 and not b.as in [1]")
            .empty());
  CHECK(fault_of("SELECT a FROM 't'\n\tWHERE b").empty());
  CHECK(fault_of("SELECT a").empty());
}

TEST_CASE("the strict dialect refuses what AWS does not have", "[sql]") {
  const auto sql = GENERATE(
      as<std::string>(), "SELECT a[0] AS x FROM 't'", "SELECT a FROM 't' WHERE a LIKE 'x%'",
      "SELECT a FROM 't' WHERE a BETWEEN 1 AND 2", "SELECT a FROM 't', 'u'",
      "SELECT lag(a) AS x FROM 't'", "SELECT CASE WHEN a > 1 THEN 2 END AS x FROM 't'",
      "FOREACH a FROM 't'", "SELECT count(*) AS n FROM 't' GROUP BY TUMBLING('10s')");
  INFO(sql);
  CHECK_FALSE(fault_of(sql, Dialect::Aws).empty());
}

TEST_CASE("statements without end, or nested without end, are refused in short time", "[sql]") {
  const auto nested =
      "SELECT " + std::string(10'000, '(') + "1" + std::string(10'000, ')') + " AS x FROM 't'";
  CHECK(fault_of(nested).find("nests deeper than") != std::string::npos);
  CHECK(fault_of("SELECT " + std::string(10'000, '[') + " FROM 't'").find("nests deeper than") !=
        std::string::npos);
  std::string chain = "SELECT 1";
  for (int i = 0; i < 50'000; ++i) chain += "+1";
  CHECK(fault_of(chain + " AS x FROM 't'").find("chains more than") != std::string::npos);
  CHECK(fault_of("SELECT " + std::string(1'000'000, 'a') + " FROM 't'").find("longer than") !=
        std::string::npos);
  std::string nots = "SELECT ";
  for (int i = 0; i < 10'000; ++i) nots += "NOT ";
  CHECK(fault_of(nots + "a AS x FROM 't'").find("nests deeper than") != std::string::npos);
}

TEST_CASE("tokens keep their place", "[sql]") {
  Lexer lexer("a <> 'it''s'");
  CHECK(lexer.next().source == "a");
  CHECK(lexer.next().source == "<>");
  const Token text = lexer.next();
  CHECK(text.offset == 5);
  CHECK(unquoted(text) == "it's");
  CHECK(lexer.next().kind == TokenKind::End);
}

}  // namespace twinmq::sql
