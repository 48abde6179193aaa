#include "modules/shadow/cbor.hpp"

#include <catch2/catch.hpp>

#include "modules/shadow/shadow_machine.hpp"
#include "unit/shadow/trees.hpp"

namespace twinmq::shadow::test {
namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) text += static_cast<char>(value);
  return text;
}

std::string cbor(const Json& json) {
  const auto binary = Json::to_cbor(json);
  return {binary.begin(), binary.end()};
}

std::string written(std::string_view json) {
  Arena arena;
  std::string out;
  write_cbor(read(json, arena), out);
  return out;
}

}  // namespace

TEST_CASE("CBOR says what JSON says", "[shadow]") {
  for (const char* text :
       {"0",     "23",         "24",         "255",
        "256",   "65536",      "4294967296", "18446744073709551615",
        "-1",    "-24",        "-25",        "-9223372036854775808",
        "1.5",   "-0.1",       "1e300",      "true",
        "false", "null",       "\"\"",       "\"\xc3\xa9\"",
        "[]",    "[1,[2,[]]]", "{}",         R"({"a":{"b":[1,null,"x"]},"c":1.25})"}) {
    INFO(text);
    const Json json = Json::parse(text);
    const auto read_back = json_of_cbor(cbor(json));
    REQUIRE(read_back);
    CHECK(Json::parse(*read_back) == json);
    CHECK(Json::from_cbor(written(text)) == json);
  }
}

TEST_CASE("CBOR of unknown length, halves and the self-described tag are read", "[shadow]") {
  CHECK(json_of_cbor(bytes({0x9F, 1, 2, 0xFF})) == "[1,2]");
  CHECK(json_of_cbor(bytes({0xBF, 0x61, 'a', 0xF5, 0xFF})) == R"({"a":true})");
  CHECK(json_of_cbor(bytes({0x7F, 0x61, 'a', 0x61, 'b', 0xFF})) == "\"ab\"");
  CHECK(json_of_cbor(bytes({0xF9, 0x3E, 0x00})) == "1.5");
  CHECK(json_of_cbor(bytes({0xD9, 0xD9, 0xF7, 0x01})) == "1");
}

TEST_CASE("what is no CBOR, or has no word in JSON, is refused", "[shadow]") {
  for (const std::string& bad :
       {bytes({}), bytes({0x18}), bytes({0x61}), bytes({0x82, 1}), bytes({0xA1, 1, 1}),
        bytes({0x41, 'a'}), bytes({0xF7}), bytes({0xF9, 0x7C, 0x00}), bytes({0xC1, 1}),
        bytes({1, 1}), bytes({0xFF}), bytes({0x9F, 1}), bytes({0x1F}),
        bytes({0x7F, 0x41, 'a', 0xFF}), bytes({0x1C}),
        bytes({0xBB, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF})})
    CHECK_FALSE(json_of_cbor(bad));
  CHECK_FALSE(json_of_cbor(std::string(100'000, '\x81')));
}

TEST_CASE("a request in CBOR is answered in CBOR on topics of its own", "[shadow]") {
  ShadowMachine machine({});
  const auto ask = [&](Operation operation, const std::string& payload,
                       std::optional<std::string> stored) {
    const std::optional<std::string_view> before = stored;
    return machine.handle({operation, {"T", "n"}, payload, 1000, true, false, true}, before);
  };
  const Outcome updated =
      ask(Operation::Update,
          cbor(Json::parse(R"({"state":{"desired":{"a":1.5}},"clientToken":"t"})")), std::nullopt);
  REQUIRE(updated.code == 200);
  CHECK(updated.messages.front().topic == "$aws/things/T/shadow/name/n/update/delta");
  CHECK(updated.messages.back().topic == "$twinmq/things/T/shadow/name/n/cbor/update/accepted");
  CHECK(Json::from_cbor(updated.messages.back().payload)["clientToken"] == "t");
  const Outcome got = ask(Operation::Get, "", updated.record);
  CHECK(got.messages.back().topic == "$twinmq/things/T/shadow/name/n/cbor/get/accepted");
  CHECK(Json::from_cbor(got.messages.back().payload)["state"]["desired"]["a"] == 1.5);
  const Outcome refused = ask(Operation::Update, "{}", updated.record);
  CHECK(refused.messages.back().topic == "$twinmq/things/T/shadow/name/n/cbor/update/rejected");
  CHECK(Json::from_cbor(refused.messages.back().payload)["message"] == "Invalid CBOR");
}

TEST_CASE("changes are told in CBOR too where that is asked for, with the same contents",
          "[shadow]") {
  ShadowRules rules;
  rules.cbor_events = true;
  ShadowMachine machine(rules);
  const auto update = [&](const char* payload, std::optional<std::string> stored) {
    const std::optional<std::string_view> before = stored;
    return machine.handle({Operation::Update, {"T", ""}, payload, 1000}, before);
  };
  const Outcome made = update(R"({"state":{"desired":{"a":1,"b":[2.5,"x"]}}})", std::nullopt);
  const Outcome less = update(R"({"state":{"desired":{"a":null}}})", made.record);
  const auto told = [&](const char* topic) -> std::string {
    for (const ShadowMessage& message : less.messages)
      if (message.topic == topic) return message.payload;
    return {};
  };
  for (const char* event : {"update/delta", "update/documents"})
    CHECK(Json::from_cbor(told((std::string("$twinmq/things/T/shadow/cbor/") + event).c_str())) ==
          Json::parse(told((std::string("$aws/things/T/shadow/") + event).c_str())));
  CHECK(Json::from_cbor(told("$twinmq/things/T/shadow/cbor/removed")) ==
        Json::parse(told("$twinmq/things/T/shadow/removed")));
  CHECK(less.messages.back().topic == "$aws/things/T/shadow/update/accepted");
  for (const ShadowMessage& message : less.messages)
    CHECK(read_topic(message.topic).kind == TopicKind::Answer);
  CHECK(update("{}", less.record).messages.size() == 1);
}

}  // namespace twinmq::shadow::test
