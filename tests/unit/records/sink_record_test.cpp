#include "records/sink_record.hpp"

#include <catch2/catch.hpp>

using namespace twinmq;
using namespace twinmq::records;

TEST_CASE("a sink's keys sort by lane and sequence, and read back") {
  const std::string key = sink_key(kSinkPrefix, "rule/0", 3, 260);
  CHECK(key.starts_with(sink_prefix(kSinkPrefix, "rule/0")));
  CHECK(key < sink_key(kSinkPrefix, "rule/0", 3, 261));
  CHECK(sink_key(kSinkPrefix, "rule/0", 3, ~std::uint64_t{0}) <
        sink_key(kSinkPrefix, "rule/0", 4, 0));
  const auto parsed = parse_sink_key(key);
  REQUIRE(parsed);
  CHECK(parsed->sink == "rule/0");
  CHECK(parsed->lane == 3);
  CHECK(parsed->sequence == 260);
  CHECK_FALSE(parse_sink_key(key.substr(0, key.size() - 1)));
  CHECK_FALSE(parse_sink_key("r" + key.substr(1)));
}

TEST_CASE("no sink's entries lie among those of another") {
  CHECK_FALSE(sink_key(kSinkPrefix, "ab", 0, 0).starts_with(sink_prefix(kSinkPrefix, "a")));
}

TEST_CASE("an entry that knows where it goes reads back with address and headers") {
  SinkEntry entry;
  entry.payload = "p";
  entry.url = "http://h/in/a";
  entry.headers = {{"X-A", "1"}, {"X-B", ""}};
  const std::string record = encode_sink_entry(entry);
  const auto read = decode_sink_entry(record);
  REQUIRE(read);
  CHECK(read->payload == "p");
  CHECK(read->url == entry.url);
  CHECK(read->headers == entry.headers);
  for (std::size_t size = 0; size < record.size(); ++size)
    CHECK_FALSE(decode_sink_entry(std::string_view(record).substr(0, size)));
  CHECK_FALSE(decode_sink_entry(record + "x"));
}

TEST_CASE("an entry reads back whole, and anything else is corrupt") {
  SinkEntry entry;
  entry.id = "id";
  entry.topic = "a/b";
  entry.content_type = "text/plain";
  entry.payload = std::string("a\0b", 3);
  entry.at = WallTime(Milliseconds(1234));
  const std::string record = encode_sink_entry(entry);
  const auto read = decode_sink_entry(record);
  REQUIRE(read);
  CHECK(read->id == "id");
  CHECK(read->topic == "a/b");
  CHECK(read->content_type == "text/plain");
  CHECK(read->payload == entry.payload);
  CHECK(read->at == entry.at);
  for (std::size_t size = 0; size < record.size(); ++size)
    CHECK_FALSE(decode_sink_entry(std::string_view(record).substr(0, size)));
  CHECK_FALSE(decode_sink_entry(record + "x"));
}
