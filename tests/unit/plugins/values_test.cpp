#include "plugins/values.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <string>
#include <vector>

#include "json/read.hpp"
#include "json/write.hpp"

namespace twinmq::plugins {

TEST_CASE("a value comes back from a plugin as it was shown", "[plugins]") {
  for (const std::string text :
       {"null", "true", "false", "0", "-7", "9007199254740993", "2.5", "-0.001", "\"\"",
        "\"a\\u0000b\"", "[]", "{}", R"([1,[2,{"a":null}],"x"])",
        R"({"a":{"b":[1.5,true]},"c":"d"})"}) {
    json::Arena arena;
    const json::ReadResult read = json::read(text, arena);
    REQUIRE(read);
    CHECK(json::text_of(taken(shown(read.value, arena), arena)) == json::text_of(read.value));
  }
}

TEST_CASE("what is no value is Undefined", "[plugins]") {
  json::Arena arena;
  twinmq_value value{};
  CHECK(taken(value, arena).is_undefined());
  value.kind = 99;
  CHECK(taken(value, arena).is_undefined());
  value.kind = TWINMQ_NUMBER;
  value.as.number = std::nan("");
  CHECK(taken(value, arena).is_undefined());
}

TEST_CASE("what nests too deep or is too large is cut or Undefined, never followed", "[plugins]") {
  std::vector<twinmq_value> levels(200);
  levels[0].kind = TWINMQ_NULL;
  for (std::size_t i = 1; i < levels.size(); ++i) {
    levels[i].kind = TWINMQ_ARRAY;
    levels[i].size = 1;
    levels[i].as.items = &levels[i - 1];
  }
  json::Arena arena;
  CHECK(json::text_of(taken(levels.back(), arena)).size() < 200);
  json::Arena small(64);
  const std::string text(100, 'x');
  twinmq_value value{};
  value.kind = TWINMQ_TEXT;
  value.size = text.size();
  value.as.text = text.data();
  CHECK(taken(value, small).is_undefined());
}

TEST_CASE("an answer keeps the last value, and a failure", "[plugins]") {
  json::Arena arena;
  Answer answer(arena);
  twinmq_value value{};
  value.kind = TWINMQ_INTEGER;
  value.as.integer = 3;
  answer.raw()->give(answer.raw(), &value);
  CHECK(answer.value().small_integer() == 3);
  CHECK_FALSE(answer.failed());
  answer.raw()->fail(answer.raw(), shown("line\nbreak"));
  CHECK(answer.failed());
  CHECK(answer.why() == "\"line\\nbreak\"");
}

}  // namespace twinmq::plugins
