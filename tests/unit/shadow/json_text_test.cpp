#include "modules/shadow/json_text.hpp"

#include <catch2/catch.hpp>

#include "unit/shadow/trees.hpp"

namespace twinmq::shadow::test {
namespace {

Reading reading(std::string_view text) {
  Arena arena;
  JsonReader reader;
  Node node;
  return reader.read(text, 0, arena, node);
}

std::string through(std::string_view text) {
  Arena arena;
  const Node node = read(text, arena);
  std::string out;
  write_value(node, out);
  CHECK(value_bytes(node) == out.size());
  return out;
}

}  // namespace

TEST_CASE("JSON comes out as it went in, compact and with keys in order", "[shadow]") {
  CHECK(through(R"( { "b" : [ 1 , {"x":true} ] , "a" : null } )") ==
        R"({"a":null,"b":[1,{"x":true}]})");
  CHECK(through(R"("\u0041\u00e9\ud83c\udf21\/")") == "\"A\u00e9\U0001F321/\"");
  CHECK(through(R"("\"\\\b\f\n\r\t\u0000\u001f")") == R"("\"\\\b\f\n\r\t\u0000\u001f")");
  CHECK(through("{}") == "{}");
  CHECK(through("[]") == "[]");
  CHECK(through("\xEF\xBB\xBF{}") == "{}");
  CHECK(through(R"({"":1})") == R"({"":1})");
}

TEST_CASE("numbers keep every digit they came with", "[shadow]") {
  for (const std::string& number : std::vector<std::string>{
           "0", "-0", "9007199254740993", "-9223372036854775808", "18446744073709551616", "1.10",
           "1e5", "1E+5", "2.5e-3", "123456789012345678901234567890", "0.1234567890123456789012345",
           "1e308", "1e-400"})
    CHECK(through(number) == number);
}

TEST_CASE("numbers that no receiver could read are no JSON", "[shadow]") {
  for (const std::string& number :
       std::vector<std::string>{"1e309", "1e99999999999999999999", "-10e308"})
    CHECK(reading(number) == Reading::NotJson);
  CHECK(reading(std::string(400, '9')) == Reading::NotJson);
}

TEST_CASE("of several members with one key the last counts", "[shadow]") {
  CHECK(through(R"({"a":1,"b":2,"a":{"c":3},"a":4})") == R"({"a":4,"b":2})");
}

TEST_CASE("keys that mean something to other languages are plain keys", "[shadow]") {
  const std::string text = R"({"__proto__":{"x":1},"constructor":2,"timestamp":3})";
  CHECK(through(text) == text);
}

TEST_CASE("what is no JSON is refused", "[shadow]") {
  using namespace std::string_view_literals;
  for (const std::string_view text :
       {""sv,       " "sv,     "{"sv,           "}"sv,           "{\"a\":1,}"sv,
        "[1,]"sv,   "{a:1}"sv, "{'a':1}"sv,     "01"sv,          "+1"sv,
        ".5"sv,     "1."sv,    "NaN"sv,         "Infinity"sv,    "true false"sv,
        "{} {}"sv,  "\"a"sv,   "\"\\x\""sv,     "\"\\ud800\""sv, "\"\\udc00\""sv,
        "\"\n\""sv, "{}\0"sv,  "{\"a\0\":1}"sv, "// x\n{}"sv,    "nul"sv})
    CHECK(reading(text) == Reading::NotJson);
}

TEST_CASE("bytes that are no UTF-8 are told apart from bad JSON", "[shadow]") {
  CHECK(reading("{\"a\":\"\xff\"}") == Reading::NotUtf8);
  CHECK(reading("\xff\xfe{\0}\0") == Reading::NotUtf8);
  CHECK(reading("{\"a\":\"\xed\xa0\x80\"}") == Reading::NotUtf8);
  CHECK(reading("{\"a\":\"\xc0\xaf\"}") == Reading::NotUtf8);
}

TEST_CASE("a hundred thousand brackets are read without recursion", "[shadow]") {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  Arena arena;
  CHECK(read(deep, arena).depth == UINT16_MAX);
  CHECK(reading(std::string(100'000, '[')) == Reading::NotJson);
}

TEST_CASE("metadata has a time for each leaf in the form of the value", "[shadow]") {
  Arena arena;
  CHECK(metadata_of(read(
            R"({"a":1,"b":{"c":"x","e":{}},"l":[1,[2],{"k":3},{}],"n":null,"timestamp":5})", arena,
            7)) == R"({"a":{"timestamp":7},"b":{"c":{"timestamp":7},"e":{}},)"
                   R"("l":[{"timestamp":7},[{"timestamp":7}],{"k":{"timestamp":7}},{}],)"
                   R"("n":{"timestamp":7},"timestamp":{"timestamp":7}})");
}

}  // namespace twinmq::shadow::test
