#include <twinmq/store.hpp>

#include <catch2/catch.hpp>
#include <string>

using twinmq::Batch;

TEST_CASE("a batch keeps its changes in order, whatever bytes they hold", "[base][store]") {
  Batch batch;
  CHECK(batch.empty());
  const std::string key("k\0y", 3);
  batch.put(key, "value");
  batch.erase("gone");
  batch.erase_range("from", "to");
  batch.put("", "");
  REQUIRE(batch.size() == 4);
  CHECK(batch[0].kind == Batch::Kind::Put);
  CHECK(batch[0].key == key);
  CHECK(batch[0].value == "value");
  CHECK(batch[1].kind == Batch::Kind::Erase);
  CHECK(batch[1].key == "gone");
  CHECK(batch[2].kind == Batch::Kind::EraseRange);
  CHECK(batch[2].key == "from");
  CHECK(batch[2].value == "to");
  CHECK(batch[3].key.empty());
  CHECK(batch[3].value.empty());
}

TEST_CASE("a batch appended to another stands behind it", "[base][store]") {
  Batch first, second;
  first.put("a", "1");
  second.put("b", "2");
  second.erase("c");
  first.append(second);
  REQUIRE(first.size() == 3);
  CHECK(first[0].value == "1");
  CHECK(first[1].key == "b");
  CHECK(first[1].value == "2");
  CHECK(first[2].key == "c");
  CHECK(first.bytes() == 5);
  first.clear();
  CHECK(first.empty());
  CHECK(first.bytes() == 0);
}
