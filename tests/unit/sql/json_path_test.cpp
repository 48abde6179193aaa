#include "sql/json_path.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "sql_world.hpp"

namespace twinmq::sql {
namespace {

std::string at(const std::string& path,
               std::string_view payload = R"({"a":{"b":[1,2,{"c":3}],"x y":4},"c":5})") {
  return Bench("SELECT VALUE json_path(*, p) FROM '#'")
      .run("{\"p\":\"" + path + "\"," + std::string(payload.substr(1)));
}

}  // namespace

TEST_CASE("a path leads to one value", "[sql]") {
  CHECK(at("$.a.b[0]") == "1");
  CHECK(at("$.a.b[-1].c") == "3");
  CHECK(at("$['a']['x y']") == "4");
  CHECK(at("$.a.b[3]") == "undefined");
  CHECK(at("$.a.b.c") == "undefined");
  CHECK(at("$.c[0]") == "undefined");
}

TEST_CASE("a path with a star or two dots leads to a list", "[sql]") {
  CHECK(at("$.a.b[*]") == R"([1,2,{"c":3}])");
  CHECK(at("$.a.*") == R"([[1,2,{"c":3}],4])");
  CHECK(at("$..c") == "[5,3]");
  CHECK(at("$.a.b[*].c") == "[3]");
  CHECK(at("$.nothing[*]") == "[]");
}

TEST_CASE("what is no path is Undefined, and a long walk ends", "[sql]") {
  for (const char* path : {"", "a", "$a", "$.", "$..", "$[", "$[1", "$['a", "$[x]", "$.a..",
                           "$[99999999999999999999]"}) {
    INFO(path);
    CHECK(at(path) == "undefined");
  }
  std::string wide = "[0";
  for (int i = 0; i < 1000; ++i) wide += ",[0,0,0]";
  json::Arena arena;
  const json::Value document = json::read(arena.copy(wide + "]"), arena).value;
  CHECK(json_path(document, "$[*][*]", arena, 100'000).items().size() == 3000);
  CHECK(json_path(document, "$[*][*]", arena, 1000).is_undefined());
  CHECK(json_path(document, "$..x", arena, 1000).is_undefined());
}

}  // namespace twinmq::sql
