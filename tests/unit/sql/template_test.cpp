#include "sql/template.hpp"

#include <catch2/catch.hpp>

#include "sql_world.hpp"

namespace twinmq::sql {
namespace {

std::string rendered(std::string_view text, std::string_view payload,
                     std::string_view sql = "SELECT * FROM 't'") {
  const auto statement = Statement::compile(sql);
  const auto made = Template::compile(text, *statement);
  if (!made) return describe(text, made.error());
  json::Arena document;
  Payload parsed(bytes_of(payload), document);
  Event event;
  event.topic = "a/b";
  Scratch scratch;
  std::string to;
  return made->render(event, parsed, nullptr, scratch, {}, to) ? to : "failed";
}

}  // namespace

TEST_CASE("templates put values into texts", "[sql]") {
  CHECK(rendered("plain", "{}") == "plain");
  CHECK(rendered("${topic()}/${v}-${missing}!", R"({"v":1.50})") == "a/b/1.5-!");
  CHECK(rendered("${get({'}': 'x'}, '}')}", "{}") == "x");
  CHECK(rendered("${o}", R"({"o":{"k":[1,"a"]}})") == R"({"k":[1,"a"]})");
  CHECK(rendered("$v {v} $", "{}") == "$v {v} $");
  CHECK(rendered("${@x + 1}", R"({"v":2})", "SET @x = v SELECT * FROM 't'") == "3");
}

TEST_CASE("a template's fault has its place in the template", "[sql]") {
  CHECK(rendered("ab${v", "{}").starts_with("line 1, column 3: this ${ is never closed by }"));
  CHECK(rendered("ab${v +}", "{}").starts_with("line 1, column 8: expected an expression"));
  CHECK(rendered("${a) FROM 'x' WHERE (b}", "{}").find("one expression") != std::string::npos);
  CHECK(rendered("${}", "{}").starts_with("line 1, column 3: expected an expression"));
}

}  // namespace twinmq::sql
