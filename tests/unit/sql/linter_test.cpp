#include "sql/linter.hpp"

#include <catch2/catch.hpp>

#include "sql_world.hpp"

namespace twinmq::sql {
namespace {

bool feeds_itself(std::string_view filters, std::string_view topic) {
  const auto statement = Statement::compile("SELECT * FROM " + std::string(filters),
                                            {Dialect::Twinmq, Version::Twinmq});
  REQUIRE(statement);
  return may_cover(*statement, topic);
}

}  // namespace

TEST_CASE("a rule that publishes where it listens is found", "[sql]") {
  CHECK(feeds_itself("'loop'", "loop"));
  CHECK(feeds_itself("'sensors/#'", "sensors/s1/alert"));
  CHECK(feeds_itself("'#'", "out"));
  CHECK(feeds_itself("'a', 'b/+'", "b/c"));
  CHECK(feeds_itself("'$aws/things/+/shadow/update'", "$$aws/things/lamp/shadow/update"));
  CHECK_FALSE(feeds_itself("'sensors/#'", "sensors"));
  CHECK_FALSE(feeds_itself("'sensors/+/data'", "sensors/s1"));
  CHECK_FALSE(feeds_itself("'sensors/+/data'", "alerts/s1"));
  CHECK_FALSE(feeds_itself("'#'", "$$aws/things/lamp/shadow/update"));
  CHECK_FALSE(feeds_itself("'+/a'", "$x/a"));
}

TEST_CASE("what a template makes is compared as far as it is known", "[sql]") {
  CHECK(feeds_itself("'sensors/+/data'", "${topic()}"));
  CHECK(feeds_itself("'sensors/+/data'", "sensors/${device}/data"));
  CHECK(feeds_itself("'sensors/+/data'", "${topic(1)}/${ Topic( 2 ) }/${topic(3)}"));
  CHECK(feeds_itself("'sensors/+/data'", "sensors/x-${get({'}': 1}, '}')}-y/data"));
  CHECK(feeds_itself("'sensors/s-1'", "sensors/s-${n}"));
  CHECK(feeds_itself("'sensors/#'", "sensors/${topic()}"));
  CHECK_FALSE(feeds_itself("'sensors/s-1'", "sensors/t-${n}"));
  CHECK_FALSE(feeds_itself("'sensors/+/data'", "alerts/${topic(2)}/data"));
  CHECK_FALSE(feeds_itself("'sensors/+/data'", "${topic(1)}/${topic(2)}/hot"));
  CHECK_FALSE(feeds_itself("'sensors/+/data'", "${topic()}/hot"));
  CHECK_FALSE(feeds_itself("'sensors/#'", "hot/${topic()}"));
  CHECK_FALSE(feeds_itself("'sensors/+'", "sensors/${topic()}"));
  CHECK_FALSE(feeds_itself("'a'", "${topic(99999999999)}/b"));
}

}  // namespace twinmq::sql
