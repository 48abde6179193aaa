#include "sql/lookup_table.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "json/write.hpp"
#include "sql/known_files.hpp"
#include "sql_world.hpp"

namespace twinmq::sql {
namespace {

std::string row(const Result<std::shared_ptr<const LookupTable>>& table, std::string_view key) {
  REQUIRE(table);
  const json::Value found = (*table)->row(key);
  return found.is_undefined() ? "undefined" : json::text_of(found);
}

std::string fault(const Result<std::shared_ptr<const LookupTable>>& table) {
  return table ? "" : table.error().detail;
}

constexpr std::size_t kRoom = 1 << 20;

}  // namespace

TEST_CASE("a CSV table has a row for each key of its first column", "[sql]") {
  const auto table = LookupTable::read_csv(
      "\xEF\xBB\xBFid,room,limit,note\r\ns1,\"Hall \"\"A\"\", "
      "left\",80.50,\r\ns2,007,-1,\"two\nlines\"\r\n\r\n7,1e3,1.,+2\n",
      kRoom);
  CHECK(row(table, "s1") == R"({"id":"s1","room":"Hall \"A\", left","limit":80.5,"note":""})");
  CHECK(row(table, "s2") == R"({"id":"s2","room":"007","limit":-1,"note":"two\nlines"})");
  CHECK(row(table, "7") == R"({"id":7,"room":1000,"limit":"1.","note":"+2"})");
  CHECK(row(table, "s3") == "undefined");
}

TEST_CASE("a CSV table that is none is refused with its line", "[sql]") {
  CHECK(fault(LookupTable::read_csv("", kRoom)) == "line 1: expected the names of the columns");
  CHECK(fault(LookupTable::read_csv("a,,b\n", kRoom)) == "line 1: column 2 has no name of its own");
  CHECK(fault(LookupTable::read_csv("a,b,a\n", kRoom)) ==
        "line 1: column 3 has no name of its own");
  CHECK(fault(LookupTable::read_csv("a,b\n1,2\n1\n", kRoom)) ==
        "line 3: expected 2 fields, found 1");
  CHECK(fault(LookupTable::read_csv("a,b\n\"1\n2\",3\n\"4,5\n", kRoom))
            .starts_with("line 4: a quoted field"));
  CHECK(fault(LookupTable::read_csv("a,b\n1,\"2\"3\n", kRoom)).starts_with("line 2:"));
  CHECK(fault(LookupTable::read_csv("a,b\n1,2\"\n", kRoom)).starts_with("line 2:"));
  CHECK(fault(LookupTable::read_csv("a,b\n1,2\n1,3\n", kRoom)) ==
        "line 3: the key \"1\" was there before");
  CHECK(fault(LookupTable::read_csv("a,b\n\xff,2\n", kRoom)) == "it is no UTF-8");
  std::string large = "a,b\n";
  for (int i = 0; i < 1000; ++i) large += std::to_string(i) + ",1\n";
  CHECK(fault(LookupTable::read_csv(large, 4096)) ==
        "it takes more room than rules.files_bytes_max leaves");
}

TEST_CASE("a JSON table is an object of rows or a list of objects", "[sql]") {
  const auto object = LookupTable::read_json(R"({"a": {"x": 1}, "b": 5})", kRoom);
  CHECK(row(object, "a") == R"({"x":1})");
  CHECK(row(object, "b") == "5");
  const auto list = LookupTable::read_json(R"([{"id": 7, "x": 1}, {"id": "k"}])", kRoom);
  CHECK(row(list, "7") == R"({"id":7,"x":1})");
  CHECK(row(list, "k") == R"({"id":"k"})");
  CHECK((*list)->size() == 2);
  CHECK(fault(LookupTable::read_json("{\n\"a\": }", kRoom)).starts_with("line 2: it "));
  CHECK(fault(LookupTable::read_json("5", kRoom)).starts_with("expected an object of rows"));
  CHECK(fault(LookupTable::read_json("[5]", kRoom)).starts_with("element 0:"));
  CHECK(fault(LookupTable::read_json(R"([{"a": 1}, {"a": 1}])", kRoom)) ==
        "element 1: the key 1 was there before");
  CHECK(fault(LookupTable::read_json("{\"a\": \"" + std::string(9000, 'x') + "\\n\"}", 4096)) ==
        "it takes more room than rules.files_bytes_max leaves");
}

TEST_CASE("lookup takes a row or one of its columns", "[sql]") {
  TestWorld world;
  world.files.tables["rooms"] = *LookupTable::read_csv("id,room\ns1,hall\n7,cellar\n", kRoom);
  const auto value = [&](std::string_view expression) {
    const auto statement =
        Statement::compile("SELECT VALUE " + std::string(expression) + " FROM '#'");
    REQUIRE(statement);
    json::Arena document;
    Payload parsed(bytes_of("{}"), document);
    State state;
    Scratch scratch;
    const Evaluated found = statement->evaluate({}, parsed, &world, state, scratch);
    REQUIRE(found.outcome == Outcome::Match);
    return found.value.is_undefined() ? std::string("undefined") : json::text_of(found.value);
  };
  CHECK(value("lookup('rooms', 's1')") == R"({"id":"s1","room":"hall"})");
  CHECK(value("lookup('rooms', 7, 'room')") == "\"cellar\"");
  CHECK(value("lookup('rooms', 's1', 'floor')") == "undefined");
  CHECK(value("lookup('rooms', 's2')") == "undefined");
  CHECK(value("lookup('../rooms', 's1')") == "undefined");
  CHECK(value("coalesce(lookup('rooms', 's2', 'room'), 'none')") == "\"none\"");
  CHECK(value("get_dynamodb('rooms', 'id', 's1', 'arn:aws:iam::1:role/r').room") == "\"hall\"");
}

}  // namespace twinmq::sql
