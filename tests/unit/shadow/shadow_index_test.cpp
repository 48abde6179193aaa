#include "modules/shadow/shadow_index.hpp"

#include <catch2/catch.hpp>

#include "unit/shadow/trees.hpp"

namespace twinmq::shadow::test {
namespace {

const std::vector<std::string> kPaths = {"reported.v"};

std::set<std::string> keys_of(const std::string& value) {
  Arena arena;
  Document document;
  document.reported = read(R"({"v":)" + value + "}", arena);
  return index_keys(kPaths, std::string("dT\0", 3), document);
}

bool finds(const std::string& condition, const std::string& value) {
  const auto range = range_of(condition, kPaths);
  INFO(condition);
  REQUIRE(range);
  for (const std::string& key : keys_of(value))
    if (key >= range->from && key < range->to) return true;
  return false;
}

}  // namespace

TEST_CASE("an index is in the order of its values", "[shadow]") {
  std::string last;
  for (const char* value : {"false", "true", "-1e300", "-5", "-4.5", "0", "0.001", "7", "1e20"}) {
    INFO(value);
    const auto keys = keys_of(value);
    REQUIRE(keys.size() == 1);
    CHECK(last < *keys.begin());
    last = *keys.begin();
    CHECK(record_of_index_key(last, kPaths[0]) == std::string("dT\0", 3));
  }
  for (const char* value :
       {R"("")", R"("\u0000")", R"("\u0001")", R"("a")", R"("a\u0000")", R"("ab")"}) {
    INFO(value);
    const auto keys = keys_of(value);
    REQUIRE(keys.size() == 1);
    CHECK(last < *keys.begin());
    last = *keys.begin();
    CHECK(record_of_index_key(last, kPaths[0]) == std::string("dT\0", 3));
  }
}

TEST_CASE("every document that a comparison holds for lies in its range", "[shadow]") {
  CHECK(finds("reported.v = 5", "5.0"));
  CHECK_FALSE(finds("reported.v = 5", "6"));
  CHECK(finds("reported.v < 20 AND connected = false", "-3"));
  CHECK(finds("20 > reported.v", "19"));
  CHECK_FALSE(finds("20 > reported.v", "21"));
  CHECK(finds("reported.v >= -1", "-1"));
  CHECK_FALSE(finds("reported.v >= -1 AND reported.v <= 3", "4"));
  CHECK(finds("reported.v BETWEEN 1 AND 3", "\"2\""));
  CHECK(finds("reported.v = true", "true"));
  CHECK_FALSE(finds("reported.v = true", "false"));
  CHECK(finds("reported.v = 'a'", "\"a\""));
  CHECK_FALSE(finds("reported.v = 'a'", "\"ab\""));
  CHECK(finds("reported.v > 'a'", "\"ab\""));
  CHECK(finds("reported.v <= 'ab'", "\"a\""));
  CHECK_FALSE(finds("reported.v < 'ab'", "\"b\""));
  const std::string long_text(100, 'x');
  CHECK(finds("reported.v = '" + long_text + "'", "\"" + long_text + "\""));
}

TEST_CASE("a condition that is not bound to an index has no range", "[shadow]") {
  for (const char* condition : {"reported.v < 20 OR connected = true", "NOT reported.v = 5",
                                "reported.v <> 5", "reported.w = 5", "reported.v + 1 = 5",
                                "reported.v > '5'", "true", "reported.v = reported.w", "(("}) {
    INFO(condition);
    CHECK_FALSE(range_of(condition, kPaths));
  }
}

TEST_CASE("arrays, objects and null are in no index", "[shadow]") {
  CHECK(keys_of("[1]").empty());
  CHECK(keys_of("{}").empty());
  CHECK(keys_of("\"12\"").size() == 2);
}

}  // namespace twinmq::shadow::test
