#include "modules/shadow/json_tree.hpp"

#include <catch2/catch.hpp>

#include "unit/shadow/trees.hpp"

namespace twinmq::shadow::test {

TEST_CASE("numbers are compared by value without rounding", "[shadow]") {
  for (const auto& [a, b] :
       std::vector<std::pair<std::string, std::string>>{{"1", "1.0"},
                                                        {"100", "1e2"},
                                                        {"0", "-0.0"},
                                                        {"0", "0e7"},
                                                        {"0.5", "5E-1"},
                                                        {"-12.50", "-1.25e+1"},
                                                        {"1000000000000000000000", "1e21"},
                                                        {"0.001", "1e-3"}}) {
    INFO(a << " and " << b);
    CHECK(same_number(a, b));
    CHECK(same_number(b, a));
  }
  for (const auto& [a, b] :
       std::vector<std::pair<std::string, std::string>>{{"1", "-1"},
                                                        {"1", "10"},
                                                        {"9007199254740993", "9007199254740992"},
                                                        {"0.1", "0.10000000000000000001"},
                                                        {"1e-400", "0"},
                                                        {"1e300", "1e301"},
                                                        {"12", "21"},
                                                        {"101", "11"}})
    CHECK_FALSE(same_number(a, b));
}

TEST_CASE("values of different kinds are never the same", "[shadow]") {
  Arena arena;
  const std::vector<std::string> texts = {
      "null",  "true",       "false",      "0",          "1",           "\"1\"",
      "\"\"",  "[]",         "{}",         "[1]",        "[2]",         "[1,2]",
      "[2,1]", R"({"a":1})", R"({"b":1})", R"({"a":2})", R"([{"a":1}])"};
  for (const std::string& a : texts)
    for (const std::string& b : texts) {
      INFO(a << " and " << b);
      CHECK(same_value(read(a, arena), read(b, arena)) == (a == b));
    }
  CHECK(same_value(read(R"({"a":1,"b":[1.0]})", arena), read(R"({"b":[1],"a":1.00})", arena)));
}

TEST_CASE("only whole numbers without fraction or exponent are integers", "[shadow]") {
  Arena arena;
  std::int64_t value = 0;
  CHECK(read_integer(read("-5", arena), value));
  CHECK(value == -5);
  CHECK(read_integer(read("9223372036854775807", arena), value));
  for (const std::string& text :
       std::vector<std::string>{"9223372036854775808", "1.0", "1e2", "\"1\"", "true", "[1]"})
    CHECK_FALSE(read_integer(read(text, arena), value));
}

TEST_CASE("a tree knows how deep it is and where its nulls are", "[shadow]") {
  Arena arena;
  CHECK(read("1", arena).depth == 0);
  CHECK(read("{}", arena).depth == 0);
  CHECK(read(R"({"a":1})", arena).depth == 1);
  CHECK(read(R"({"a":{},"b":{"c":[1]}})", arena).depth == 3);
  CHECK(read(R"({"a":{"b":null}})", arena).holds_null);
  CHECK_FALSE(read(R"({"a":{"b":null}})", arena).null_in_array);
  CHECK(read(R"({"a":[1,{"b":[{"c":null}]}]})", arena).null_in_array);
}

TEST_CASE("an arena keeps large texts and forgets them", "[shadow]") {
  Arena arena;
  const std::string large(300'000, 'x');
  CHECK(arena.keep(large) == large);
  arena.reset();
  CHECK(arena.keep("small") == "small");
  CHECK(arena.keep(large) == large);
  arena.reset();
  CHECK(arena.keep(std::string(65'536, 'y')).size() == 65'536);
}

}  // namespace twinmq::shadow::test
