#include "sinks/csv_line.hpp"

#include <catch2/catch.hpp>

using namespace twinmq::sinks;

namespace {

std::string line(const std::string& payload, const std::vector<std::string>& columns) {
  const auto made = csv_line(payload, columns);
  REQUIRE(made);
  return *made;
}

}  // namespace

TEST_CASE("fields stand in the order of the columns, and what is absent or null is empty") {
  CHECK(line(R"({"c":3,"a":"one","d":4})", {"a", "b", "c"}) == "one,,3");
  CHECK(line(R"({"a":null,"b":true,"c":1.50})", {"a", "b", "c"}) == ",true,1.50");
  CHECK(line("{}", {"a", "b"}) == ",");
  CHECK(line("{}", {"a"}) == "\"\"");
}

TEST_CASE("what would break a field stands between quotes") {
  CHECK(line(R"({"a":"x,y","b":"say \"hi\"","c":"two\nlines","d":" edge"})",
             {"a", "b", "c", "d"}) == "\"x,y\",\"say \"\"hi\"\"\",\"two\nlines\",\" edge\"");
  CHECK(csv_header({"a", "b,c", "d\"e"}) == "a,\"b,c\",\"d\"\"e\"");
}

TEST_CASE("what nests is JSON in its field") {
  CHECK(line(R"({"a":{"b":1},"c":[1,"x"],"d":[]})", {"a", "c", "d"}) ==
        R"("{""b"":1}","[1,""x""]",[])");
}

TEST_CASE("what is no object is no line") {
  for (const char* payload : {"", "1", "[1]", "{", "\"text\""})
    CHECK_FALSE(csv_line(payload, {"a"}));
}
