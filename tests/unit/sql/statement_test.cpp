#include "sql/statement.hpp"

#include <catch2/catch.hpp>

#include "sql/fault.hpp"
#include "sql/linter.hpp"
#include "sql/state.hpp"
#include "sql_world.hpp"

namespace twinmq::sql {

TEST_CASE("FROM covers topics as MQTT filters do, but a/# does not cover a", "[sql]") {
  CHECK(filter_covers("a/+/c", "a/b/c"));
  CHECK(filter_covers("#", "a/b"));
  CHECK(filter_covers("a/#", "a/b/c"));
  CHECK(filter_covers("+", "a"));
  CHECK(filter_covers("a/+", "a/"));
  CHECK_FALSE(filter_covers("a/#", "a"));
  CHECK_FALSE(filter_covers("a/+", "a/b/c"));
  CHECK_FALSE(filter_covers("#", "$aws/things/x"));
  CHECK_FALSE(filter_covers("+/b", "$x/b"));
  CHECK(filter_covers("$aws/#", "$aws/things/x"));
  CHECK_FALSE(filter_covers("a/b", "a"));
  CHECK_FALSE(filter_covers("a", "a/b"));
}

TEST_CASE("basic ingest names its rule and hides its prefix", "[sql]") {
  const auto ingest = basic_ingest("$aws/rules/r1/a/b");
  REQUIRE(ingest);
  CHECK(ingest->rule == "r1");
  CHECK(ingest->topic == "a/b");
  CHECK(basic_ingest("$aws/rules/r1")->topic.empty());
  CHECK_FALSE(basic_ingest("$aws/rules/"));
  CHECK_FALSE(basic_ingest("a/b"));
}

TEST_CASE("warnings name what can never be true", "[sql]") {
  const auto warned = [](std::string_view sql, Version version = Version::V2016) {
    return warnings(*Statement::compile(sql, {Dialect::Twinmq, version}));
  };
  CHECK(warned("SELECT a FROM 't' WHERE a > 5").empty());
  CHECK(warned("SELECT a FROM 't' WHERE a > 'x'").size() == 1);
  CHECK(warned("SELECT a FROM 't' WHERE a > 'x'", Version::Twinmq).empty());
  CHECK(warned("SELECT a FROM 't' WHERE a = undefined").at(0).find("isUndefined()") !=
        std::string::npos);
  CHECK(warned("SELECT a FROM 't' WHERE regexp_matches(a, '(?=x)')")
            .at(0)
            .find("no regular expression") != std::string::npos);
  CHECK(warned("SELECT a / 0 AS b FROM 't'").size() == 1);
  CHECK(warned("SELECT upper(a) AS b FROM 't' WHERE b = 'X'").at(0).find("alias") !=
        std::string::npos);
}

TEST_CASE("a condition stands by itself over a document and named values", "[sql]") {
  const auto condition = Condition::compile("state.reported.temp > 20 AND connected = true");
  REQUIRE(condition);
  json::Arena arena;
  Scratch scratch;
  const json::Value document =
      json::read(R"({"state":{"reported":{"temp":21}},"connected":false})", arena).value;
  const NamedValue connected[] = {{"connected", json::Value::boolean(true)}};
  CHECK(condition->holds(document, connected, scratch));
  CHECK_FALSE(condition->holds(document, {}, scratch));
  CHECK_FALSE(Condition::compile("a >"));
  CHECK(describe("a >", Condition::compile("a >").error()).find("column 4") != std::string::npos);
}

TEST_CASE("what statements remember survives being saved", "[sql]") {
  State state;
  state.cell(1, "a", 10).numbers = {1.5, -2};
  state.cell(2, "b", 11).texts = {"x", ""};
  State other;
  REQUIRE(other.restore(state.save()));
  CHECK(other.size() == 2);
  CHECK(other.cell(1, "a", 12).numbers == std::vector<double>{1.5, -2});
  CHECK(other.cell(2, "b", 12).texts == std::vector<std::string>{"x", ""});
  CHECK_FALSE(other.restore(state.save().substr(0, 20)));
  CHECK(other.size() == 0);
}

TEST_CASE("a full memory forgets what was not used for longest", "[sql]") {
  State state(100);
  for (int i = 0; i < 1000; ++i) state.cell(0, std::to_string(i), i);
  CHECK(state.size() <= 100);
  CHECK(state.cell(0, "999", 1000).used == 1000);
}

}  // namespace twinmq::sql
