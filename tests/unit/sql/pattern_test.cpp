#include "sql/pattern.hpp"

#include <catch2/catch.hpp>

namespace twinmq::sql {

TEST_CASE("a pattern is found anywhere in a text unless it is anchored", "[sql]") {
  const auto pattern = Pattern::compile("b+");
  REQUIRE(pattern);
  CHECK(pattern->found_in("abbc"));
  CHECK_FALSE(pattern->found_in("ac"));
  const auto anchored = Pattern::compile("^b$");
  REQUIRE(anchored);
  CHECK_FALSE(anchored->found_in("ab"));
}

TEST_CASE("what is no pattern is told with its reason", "[sql]") {
  const auto pattern = Pattern::compile("(");
  REQUIRE_FALSE(pattern);
  CHECK_FALSE(pattern.error().detail.empty());
}

}  // namespace twinmq::sql
