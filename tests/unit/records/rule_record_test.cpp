#include "records/rule_record.hpp"

#include <catch2/catch.hpp>

using namespace twinmq;
using namespace twinmq::records;

TEST_CASE("a stored rule reads back as it was written, and as nothing else", "[records]") {
  const RuleRecord record{WallTime(Milliseconds(1)), WallTime(Milliseconds(2)),
                          "sql = \"SELECT * FROM 'a'\"\n"};
  const std::string key = rule_key("hot");
  CHECK(rule_of_key(key) == "hot");
  const std::string value = encode_rule(record);
  const auto read = decode_rule(key, value);
  REQUIRE(read);
  CHECK(read->created == record.created);
  CHECK(read->changed == record.changed);
  CHECK(read->definition == record.definition);
  for (std::size_t size = 0; size < value.size(); ++size) {
    const auto cut = decode_rule(key, std::string_view(value).substr(0, size));
    REQUIRE_FALSE(cut);
    CHECK(cut.error().code == ErrorCode::Corrupt);
    CHECK(cut.error().detail.find("hot") != std::string::npos);
  }
  CHECK_FALSE(decode_rule(key, value + "x"));
}
