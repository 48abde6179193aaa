#include "sql/packed.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "json/write.hpp"
#include "sql/base64.hpp"
#include "sql/utf8.hpp"

namespace twinmq::sql {
namespace {

std::string cbor(std::string_view hex) {
  json::Arena arena;
  const std::string bytes = from_hex(hex).value();
  const auto value = read_cbor(bytes, arena);
  return value ? json::text_of(*value) : "none";
}

std::string msgpack(std::string_view hex) {
  json::Arena arena;
  const std::string bytes = from_hex(hex).value();
  const auto value = read_msgpack(bytes, arena);
  return value ? json::text_of(*value) : "none";
}

}  // namespace

TEST_CASE("CBOR reads as the examples of RFC 8949 say", "[sql]") {
  CHECK(cbor("1bffffffffffffffff") == "18446744073709551615");
  CHECK(cbor("3bffffffffffffffff") == "-18446744073709551616");
  CHECK(cbor("f93e00") == "1.5");
  CHECK(cbor("fb3ff199999999999a") == "1.1");
  CHECK(cbor("f97c00") == "null");
  CHECK(cbor("bf6346756ef563416d7421ff") == R"({"Fun":true,"Amt":-2})");
  CHECK(cbor("7f657374726561646d696e67ff") == R"("streaming")");
  CHECK(cbor("4401020304") == R"("AQIDBA==")");
  CHECK(cbor("c11a514b67b0") == "1363896240");
  CHECK(cbor("a201020304") == R"({"1":2,"3":4})");
}

TEST_CASE("MessagePack reads as its specification says", "[sql]") {
  CHECK(msgpack("82a7636f6d70616374c3a6736368656d6100") == R"({"compact":true,"schema":0})");
  CHECK(msgpack("d1ff00") == "-256");
  CHECK(msgpack("cfffffffffffffffff") == "18446744073709551615");
  CHECK(msgpack("e0") == "-32");
  CHECK(msgpack("cb3ff8000000000000") == "1.5");
  CHECK(msgpack("dc0002c0c2") == "[null,false]");
}

TEST_CASE("packed documents that are cut, endless or too deep are none", "[sql]") {
  const auto hex = GENERATE(as<std::string>(), "", "a1", "9bffffffffffffffff", "7f6161", "62ff",
                            "ff", "1c", "0000", "81");
  CHECK(cbor(hex) == "none");
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "81";
  CHECK(cbor(deep + "00") == "none");
  std::string deep_pack;
  for (int i = 0; i < 100'000; ++i) deep_pack += "91";
  CHECK(msgpack(deep_pack + "00") == "none");
  CHECK(msgpack("c1") == "none");
  CHECK(msgpack("ddffffffff") == "none");
}

TEST_CASE("base64 goes there and back", "[sql]") {
  for (const std::string bytes : {"", "a", "ab", "abc", "\xff\xfe\x00x"})
    CHECK(from_base64(to_base64(bytes)) == bytes);
  CHECK(from_base64("YQ") == "a");
  CHECK_FALSE(from_base64("Y"));
  CHECK_FALSE(from_base64("Y!=="));
  CHECK_FALSE(from_hex("0"));
}

TEST_CASE("characters are counted, not bytes", "[sql]") {
  CHECK(character_count("a€😀") == 3);
  CHECK(character_offset("a€😀", 2) == 4);
  CHECK(is_utf8("a€😀"));
  CHECK_FALSE(is_utf8("\xc0\x80"));
}

}  // namespace twinmq::sql
