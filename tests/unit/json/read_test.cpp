#include "json/read.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "json/write.hpp"

namespace twinmq::json {
namespace {

std::string again(std::string_view text, Numbers numbers = Numbers::AsWritten) {
  Arena arena;
  const ReadResult result = read(text, arena);
  return result ? text_of(result.value, numbers) : "fault: " + std::string(describe(result.fault));
}

ReadFault fault_of(std::string_view text) {
  Arena arena;
  return read(text, arena).fault;
}

}  // namespace

TEST_CASE("a document comes out as it went in, without blanks", "[json]") {
  CHECK(again(R"( {"a" : [1, 2.50, -3e2 , "x", true,false , null], "b":{} } )") ==
        R"({"a":[1,2.50,-300,"x",true,false,null],"b":{}})");
  CHECK(again("[10.0, 1.50]", Numbers::Stripped) == "[10,1.5]");
  CHECK(again(R"("\u20ac \ud83d\ude00 \"\\\/\n\u0001")") == "\"€ 😀 \\\"\\\\/\\n\\u0001\"");
}

TEST_CASE("of members with one key the last counts", "[json]") {
  CHECK(again(R"({"a":1,"b":2,"a":3})") == R"({"a":3,"b":2})");
  std::string large = "{";
  for (int i = 0; i < 200; ++i)
    large += "\"k" + std::to_string(i % 100) + "\":" + std::to_string(i) + ",";
  large.back() = '}';
  Arena arena;
  const Value value = read(large, arena).value;
  CHECK(value.members().size() == 100);
  CHECK(value.member("k7").small_integer() == 107);
}

TEST_CASE("what is no JSON is refused with its kind of fault", "[json]") {
  CHECK(fault_of("") == ReadFault::Empty);
  CHECK(fault_of(" \n") == ReadFault::Empty);
  const auto text =
      GENERATE(as<std::string>(), "{", "[1,]", "[1 2]", "{\"a\"}", "{\"a\":}", "{a:1}", "'x'", "01",
               "1.", "-", "+1", ".5", "1e", "tru", "truex", "\"a", "\"\\x\"", "\"\\u12\"",
               "\"a\nb\"", "1 2", "nan", "\"\\", "[\"\\\"]");
  CHECK(fault_of(text) == ReadFault::Syntax);
}

TEST_CASE("bytes that are no UTF-8 are no JSON", "[json]") {
  CHECK(fault_of("\"\xff\"") == ReadFault::Utf8);
  CHECK(fault_of("\"\xed\xa0\x80\"") == ReadFault::Utf8);
  CHECK(fault_of(R"("\ud800")") == ReadFault::Utf8);
  CHECK(fault_of(R"("\udc00")") == ReadFault::Utf8);
  CHECK(fault_of(R"("\ud800\u0041")") == ReadFault::Utf8);
}

TEST_CASE("documents nest 64 deep and no deeper", "[json]") {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  CHECK(fault_of(nested(64)) == ReadFault::None);
  CHECK(fault_of(nested(65)) == ReadFault::TooDeep);
  CHECK(fault_of(std::string(1'000'000, '[')) == ReadFault::TooDeep);
}

TEST_CASE("a document larger than the arena's budget is refused", "[json]") {
  Arena arena(1000);
  std::string text = "[0";
  for (int i = 0; i < 1000; ++i) text += ",0";
  CHECK(read(text + "]", arena).fault == ReadFault::OutOfMemory);
}

TEST_CASE("a number beyond the documented magnitude is absent", "[json]") {
  CHECK(again(R"({"a":1e5000,"b":1})") == R"({"b":1})");
  CHECK(again("[1e5000,1]") == "[null,1]");
}

}  // namespace twinmq::json
