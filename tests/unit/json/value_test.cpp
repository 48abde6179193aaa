#include "json/value.hpp"

#include <catch2/catch.hpp>

#include <vector>

#include "json/read.hpp"
#include "json/write.hpp"

namespace twinmq::json {

TEST_CASE("values are equal by what they mean", "[json]") {
  Arena arena;
  const auto same = [&](std::string_view a, std::string_view b) {
    return equal(read(a, arena).value, read(b, arena).value);
  };
  CHECK(same("1", "1.0"));
  CHECK(same("[1,{\"a\":2,\"b\":3}]", "[1,{\"b\":3.0,\"a\":2}]"));
  CHECK_FALSE(same("[1,2]", "[2,1]"));
  CHECK_FALSE(same("1", "\"1\""));
  CHECK_FALSE(same("{\"a\":1}", "{\"a\":1,\"b\":2}"));
  CHECK(same("null", "null"));
}

TEST_CASE("a copy does not need what it was copied from", "[json]") {
  Arena kept;
  Value value;
  {
    std::string text = R"({"a":["long enough text",12345678901234567890123,1.5]})";
    Arena arena;
    value = copy(read(text, arena).value, kept);
    std::fill(text.begin(), text.end(), '!');
  }
  CHECK(text_of(value) == R"({"a":["long enough text",12345678901234567890123,1.5]})");
}

TEST_CASE("an array and an object in an arena outlive what they were made of", "[json]") {
  Arena arena;
  Value value;
  {
    std::vector<Value> items = {Value::integer(1), Value::string("b")};
    std::vector<Member> members = {{"a", Value::array(items, arena)}};
    value = Value::object(members, arena);
    items.assign(2, Value::null());
    members[0] = {"z", Value::null()};
  }
  CHECK(text_of(value) == R"({"a":[1,"b"]})");
  Arena spent(8);
  CHECK(Value::array(value.member("a").items(), spent).is_undefined());
  CHECK(Value::object(value.members(), spent).is_undefined());
}

TEST_CASE("an arena gives the same memory again after a reset", "[json]") {
  Arena arena;
  const char* first = arena.text(100);
  arena.reset();
  CHECK(arena.text(100) == first);
  CHECK(arena.used() >= 100);
}

TEST_CASE("an arena refuses what is beyond its limit until it is reset", "[json]") {
  Arena arena(100);
  CHECK(arena.text(101) == nullptr);
  CHECK(arena.exhausted());
  arena.reset();
  CHECK_FALSE(arena.exhausted());
  CHECK(arena.text(100) != nullptr);
}

}  // namespace twinmq::json
