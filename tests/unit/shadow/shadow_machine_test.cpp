#include "modules/shadow/shadow_machine.hpp"

#include <catch2/catch.hpp>

#include "unit/shadow/trees.hpp"

namespace twinmq::shadow::test {
namespace {

// One shadow with a memory.
struct Shadow {
  explicit Shadow(const ShadowRules& rules = {}) : machine(rules) {}

  Outcome& ask(Operation operation, std::string_view payload) {
    const std::optional<std::string_view> before = stored;
    Outcome& outcome = machine.handle({operation, name, payload, now, extended, directly}, before);
    if (outcome.change == Outcome::Change::Put) stored = outcome.record;
    if (outcome.change == Outcome::Change::Erase) stored.reset();
    return outcome;
  }
  Json update(std::string_view payload) {
    return Json::parse(ask(Operation::Update, payload).body);
  }
  Json get(std::string_view payload = "") { return Json::parse(ask(Operation::Get, payload).body); }
  Json remove(std::string_view payload = "") {
    return Json::parse(ask(Operation::Delete, payload).body);
  }

  void refuses(std::string_view payload, int code, const std::string& message,
               const std::string& token = "") {
    INFO(payload);
    const std::optional<std::string> before = stored;
    const Outcome& outcome = ask(Operation::Update, payload);
    CHECK(outcome.code == code);
    CHECK(outcome.change == Outcome::Change::None);
    CHECK(stored == before);
    REQUIRE(outcome.messages.size() == 1);
    CHECK(outcome.messages[0].topic.ends_with("/update/rejected"));
    CHECK(outcome.messages[0].payload == outcome.body);
    const Json body = Json::parse(outcome.body);
    CHECK(body["code"] == code);
    CHECK(body["message"] == message);
    CHECK(body.value("clientToken", "") == token);
  }

  ShadowMachine machine;
  ShadowName name{"T", ""};
  EpochSeconds now = 1000;
  bool extended = false;
  bool directly = false;
  std::optional<std::string> stored;
};

constexpr const char* kTooLarge = "The payload exceeds the maximum size allowed";
constexpr const char* kTooDeep = "JSON contains too many levels of nesting; maximum is 6";

std::string nested(int levels, const std::string& leaf) {
  std::string text;
  for (int i = 0; i < levels; ++i) text += R"({"k":)";
  return text + leaf + std::string(static_cast<std::size_t>(levels), '}');
}

}  // namespace

TEST_CASE("the first fault of an update in AWS's order decides", "[shadow]") {
  Shadow shadow;
  shadow.update(R"({"state":{"reported":{"a":1}}})");
  shadow.refuses("{\"state\":\"\xff\"", 415,
                 "Unsupported documented encoding; supported encoding is UTF-8");
  for (const char* payload :
       {"", " ", "{", "not json", "[]", "5", "null", "\"x\"", R"({"state":{}}x)"})
    shadow.refuses(payload, 400, "Invalid JSON");
  const std::string long_token = std::string(65, 't');
  shadow.refuses(R"({"clientToken":")" + long_token + R"("})", 400, "Invalid clientToken");
  shadow.refuses(R"({"clientToken":5,"state":[]})", 400, "Invalid clientToken");
  shadow.refuses(R"({"clientToken":"t"})", 400, "Missing required node: state", "t");
  for (const char* state : {"1", "\"x\"", "[]", "true"})
    shadow.refuses(R"({"clientToken":"t","version":"x","state":)" + std::string(state) + "}", 400,
                   "State node must be an object", "t");
  shadow.refuses(R"({"state":{"desired":[],"reported":1}})", 400, "Desired node must be an object");
  shadow.refuses(R"({"state":{"desired":null,"reported":"x"},"version":-1})", 400,
                 "Reported node must be an object");
  shadow.refuses(R"({"state":{"reported":{"l":[1,[null]]},"desired":)" + nested(9, "1") + "}}", 400,
                 "State contains an invalid node");
  shadow.refuses(
      R"({"clientToken":"t","state":{"desired":)" + nested(9, "1") + R"(},"version":"x"})", 400,
      kTooDeep, "t");
  for (const char* version :
       {"-1", "1.0", "1e0", "\"1\"", "true", "[]", "{}", "9223372036854775808"})
    shadow.refuses(R"({"state":{},"version":)" + std::string(version) + "}", 400,
                   "Invalid version");
  const std::string large(9000, 'x');
  shadow.refuses(R"({"state":{"desired":{"a":")" + large + R"("}},"version":7,"clientToken":"t"})",
                 409, "Version conflict", "t");
  shadow.refuses(R"({"state":{"desired":{"a":")" + large + R"("}},"version":1,"clientToken":"t"})",
                 413, kTooLarge, "t");
}

TEST_CASE("null stands for absent in token and version", "[shadow]") {
  Shadow shadow;
  const Json accepted = shadow.update(R"({"state":{},"clientToken":null,"version":null})");
  CHECK(accepted["version"] == 1);
  CHECK_FALSE(accepted.contains("clientToken"));
}

TEST_CASE("an empty token and one of 64 bytes come back", "[shadow]") {
  Shadow shadow;
  CHECK(shadow.update(R"({"state":{},"clientToken":""})")["clientToken"] == "");
  const std::string token = "\xc3\xa9" + std::string(61, 'x') + "\"";
  CHECK(shadow.update(
            Json{{"state", Json::object()}, {"clientToken", token}}.dump())["clientToken"] ==
        token);
}

TEST_CASE("every message of an update carries its token", "[shadow]") {
  Shadow shadow;
  const Outcome& outcome =
      shadow.ask(Operation::Update, R"({"state":{"desired":{"a":1}},"clientToken":"t"})");
  REQUIRE(outcome.messages.size() == 3);
  for (const ShadowMessage& message : outcome.messages)
    CHECK(Json::parse(message.payload)["clientToken"] == "t");
}

TEST_CASE("a get echoes its token, accepted or rejected", "[shadow]") {
  Shadow shadow;
  CHECK(
      shadow.get(R"({"clientToken":"g"})") ==
      Json::parse(R"({"code":404,"message":"No shadow exists with name: 'T'","clientToken":"g"})"));
  CHECK(shadow.ask(Operation::Get, "").body ==
        R"({"code":404,"message":"No shadow exists with name: 'T'"})");
  shadow.update(R"({"state":{}})");
  CHECK(shadow.get(R"({"clientToken":"g","other":1})")["clientToken"] == "g");
  CHECK(shadow.get("{}")["version"] == 1);
  CHECK(shadow.get("nonsense")["message"] == "Invalid JSON");
  CHECK(shadow.get(R"({"clientToken":")" + std::string(65, 'x') + "\"}")["message"] ==
        "Invalid clientToken");
  CHECK(shadow.get("\xff")["code"] == 415);
}

TEST_CASE("the 404 of a named shadow names the shadow, or thing and shadow", "[shadow]") {
  Shadow shadow;
  shadow.name = {"T", "cfg"};
  CHECK(shadow.get()["message"] == "No shadow exists with name: 'cfg'");
  ShadowRules rules;
  rules.missing_names_thing = true;
  shadow.machine.set_rules(rules);
  CHECK(shadow.remove(R"({"clientToken":"d"})") ==
        Json::parse(
            R"({"code":404,"message":"No shadow exists with name: 'T~cfg'","clientToken":"d"})"));
}

TEST_CASE("a section of null is one leaf in the answer and gone from the document", "[shadow]") {
  Shadow shadow;
  shadow.update(R"({"state":{"desired":{"a":1},"reported":{"a":2}}})");
  shadow.now = 1010;
  const Json accepted = shadow.update(R"({"state":{"desired":null}})");
  CHECK(accepted["state"] == Json::parse(R"({"desired":null})"));
  CHECK(accepted["metadata"] == Json::parse(R"({"desired":{"timestamp":1010}})"));
  CHECK(shadow.get()["state"] == Json::parse(R"({"reported":{"a":2}})"));
}

TEST_CASE("what is neither desired nor reported is left out, or refused when strict", "[shadow]") {
  Shadow shadow;
  const Json accepted =
      shadow.update(R"({"state":{"desired":{"a":1},"delta":{"x":1},"foo":2,"bar":[null]}})");
  CHECK(accepted["state"] == Json::parse(R"({"desired":{"a":1}})"));
  ShadowRules rules;
  rules.request.strict_state = true;
  shadow.machine.set_rules(rules);
  shadow.refuses(R"({"state":{"delta":{},"foo":2}})", 400, "State contains an invalid node: 'foo'");
  CHECK(shadow.update(R"({"state":{"delta":{},"desired":{}}})")["version"] == 2);
}

TEST_CASE("eight levels are accepted and nine are not, arrays counted", "[shadow]") {
  Shadow shadow;
  const auto state = [](const std::string& section) {
    return R"({"state":{"reported":)" + section + "}}";
  };
  CHECK(shadow.update(state(nested(8, "1")))["version"] == 1);
  CHECK(shadow.update(state(nested(8, "{}")))["version"] == 2);
  CHECK(shadow.update(state(nested(8, "[]")))["version"] == 3);
  shadow.refuses(state(nested(9, "1")), 400, kTooDeep);
  shadow.refuses(state(nested(8, "[1]")), 400, kTooDeep);
  shadow.refuses(state(nested(5000, "1")), 400, kTooDeep);
}

TEST_CASE("a document may be exactly as large as allowed", "[shadow]") {
  ShadowRules rules;
  rules.document_bytes_max = 100;
  Shadow shadow(rules);
  // {"a":"…"} has eight bytes beside the text.
  const auto text = [](std::size_t bytes) {
    return R"({"state":{"desired":{"a":")" + std::string(bytes, 'x') + R"("}}})";
  };
  shadow.refuses(text(93), 413, kTooLarge);
  CHECK(shadow.update(text(92))["version"] == 1);
  shadow.refuses(R"({"state":{"reported":{}, "desired":{"b":1}}})", 413, kTooLarge);
  CHECK(shadow.update(R"({"state":{"desired":{"a":null,"b":1}}})")["version"] == 2);
}

TEST_CASE("a payload above the limit is refused unread", "[shadow]") {
  Shadow shadow;
  shadow.refuses(std::string(200'000, '['), 413, kTooLarge);
}

TEST_CASE("a shadow that is not there has version 0", "[shadow]") {
  Shadow shadow;
  shadow.refuses(R"({"state":{},"version":1})", 409, "Version conflict");
  CHECK(shadow.update(R"({"state":{},"version":0})")["version"] == 1);
  Shadow second;
  ShadowRules rules;
  rules.first_version_one = true;
  second.machine.set_rules(rules);
  second.refuses(R"({"state":{},"version":2})", 409, "Version conflict");
  CHECK(second.update(R"({"state":{},"version":1})")["version"] == 1);
}

TEST_CASE("versions count on for 48 hours after a deletion", "[shadow]") {
  Shadow shadow;
  shadow.update(R"({"state":{"reported":{"a":1}}})");
  CHECK(shadow.remove(R"({"clientToken":"d"})") ==
        Json::parse(R"({"version":1,"timestamp":1000,"clientToken":"d"})"));
  CHECK(shadow.get()["code"] == 404);
  CHECK(shadow.remove()["code"] == 404);
  const std::string remains = *shadow.stored;
  shadow.now = 1000 + 172'799;
  CHECK_FALSE(shadow.machine.is_forgotten(remains, shadow.now));
  CHECK(shadow.update(R"({"state":{}})")["version"] == 3);
  CHECK_FALSE(shadow.machine.is_forgotten(*shadow.stored, shadow.now + 1'000'000));
  shadow.stored = remains;
  shadow.now = 1000 + 172'800;
  CHECK(shadow.machine.is_forgotten(remains, shadow.now));
  CHECK(shadow.update(R"({"state":{},"version":0})")["version"] == 1);
}

TEST_CASE("without tombstones a deleted shadow starts again", "[shadow]") {
  ShadowRules rules;
  rules.tombstone_seconds = 0;
  Shadow shadow(rules);
  shadow.update(R"({"state":{}})");
  CHECK(shadow.ask(Operation::Delete, "").change == Outcome::Change::Erase);
  CHECK_FALSE(shadow.stored);
  CHECK(shadow.update(R"({"state":{}})")["version"] == 1);
}

TEST_CASE("a payload that a delete cannot read is ignored", "[shadow]") {
  Shadow shadow;
  for (const std::string& payload :
       {std::string("\xff"), std::string("[1]"), std::string(R"({"clientToken":7})"),
        R"({"clientToken":")" + std::string(65, 'x') + "\"}"}) {
    shadow.update(R"({"state":{}})");
    const Json gone = shadow.remove(payload);
    CHECK(gone.size() == 2);
  }
}

TEST_CASE("what is answered directly is not published as well", "[shadow]") {
  Shadow shadow;
  shadow.directly = true;
  CHECK(shadow.ask(Operation::Get, "").messages.empty());
  CHECK(shadow.ask(Operation::Update, "x").messages.empty());
  CHECK(shadow.ask(Operation::Update, R"({"state":{"desired":{"a":1}}})").messages.size() == 3);
  CHECK(shadow.ask(Operation::Get, "").messages.empty());
  CHECK(shadow.ask(Operation::Delete, "").messages.size() == 2);  // what was desired is removed
}

TEST_CASE("a damaged record is told as a failure of the service and stays as it is", "[shadow]") {
  Shadow shadow;
  shadow.stored = "\x01garbage";
  shadow.refuses(R"({"state":{}})", 500, "Internal service failure");
}

TEST_CASE("the last version there is cannot be passed", "[shadow]") {
  Shadow shadow;
  Document document;
  document.version = INT64_MAX;
  shadow.stored.emplace();
  write_record(document, *shadow.stored);
  shadow.refuses(R"({"state":{}})", 500, "Internal service failure");
  CHECK(shadow.remove()["version"] == INT64_MAX);
}

TEST_CASE("names that AWS does not know are refused", "[shadow]") {
  Shadow shadow;
  shadow.name = {"bad name", ""};
  shadow.refuses(R"({"state":{}})", 400, "Invalid thing name");
  shadow.name = {"T", "a.b"};
  shadow.refuses(R"({"state":{}})", 400, "Invalid shadow name");
}

TEST_CASE("a request refused before it is looked at gets its token back", "[shadow]") {
  Shadow shadow;
  const Outcome& outcome = shadow.machine.refuse(
      {Operation::Get, shadow.name, R"({"clientToken":"t"})", 5}, 429, "Too many requests");
  REQUIRE(outcome.messages.size() == 1);
  CHECK(outcome.messages[0].topic == "$aws/things/T/shadow/get/rejected");
  CHECK(
      Json::parse(outcome.body) ==
      Json::parse(R"({"code":429,"message":"Too many requests","timestamp":5,"clientToken":"t"})"));
}

TEST_CASE("a full document repeats the delta's metadata when told to", "[shadow]") {
  ShadowRules rules;
  rules.delta_metadata = true;
  Shadow shadow(rules);
  shadow.update(R"({"state":{"desired":{"a":1,"b":2},"reported":{"a":1}}})");
  CHECK(shadow.get()["metadata"]["delta"] == Json::parse(R"({"b":{"timestamp":1000}})"));
}

TEST_CASE("a key called timestamp is a key like any other", "[shadow]") {
  Shadow shadow;
  shadow.update(R"({"state":{"desired":{"x":{"timestamp":5}}}})");
  shadow.now = 1010;
  shadow.update(R"({"state":{"desired":{"x":{"y":6}}}})");
  const Json document = shadow.get();
  CHECK(document["state"]["desired"] == Json::parse(R"({"x":{"timestamp":5,"y":6}})"));
  CHECK(document["metadata"]["desired"] ==
        Json::parse(R"({"x":{"timestamp":{"timestamp":1000},"y":{"timestamp":1010}}})"));
}

TEST_CASE("a device is told which desired keys vanished", "[shadow]") {
  Shadow shadow;
  const auto removed = [&](std::string_view payload) {
    for (const ShadowMessage& message : shadow.ask(Operation::Update, payload).messages)
      if (message.topic == "$twinmq/things/T/shadow/removed") return Json::parse(message.payload);
    return Json();
  };
  CHECK(removed(R"({"state":{"desired":{"a":1,"b":{"c":1,"d":2},"e":3}}})").is_null());
  CHECK(removed(R"({"state":{"desired":{"a":2,"e":{"f":1}},"reported":{"a":1}}})").is_null());
  CHECK(
      removed(R"({"state":{"desired":{"a":null,"b":{"c":null},"zzz":null}},"clientToken":"t"})") ==
      Json::parse(
          R"({"version":3,"timestamp":1000,"state":{"a":null,"b":{"c":null}},"clientToken":"t"})"));
  CHECK(removed(R"({"state":{"reported":null}})").is_null());
  CHECK(removed(R"({"state":{"desired":null}})")["state"] == Json::parse(R"({"b":null,"e":null})"));
}

TEST_CASE("an update below $twinmq may ask for values that must be there", "[shadow]") {
  Shadow shadow;
  shadow.update(R"({"state":{"desired":{"led":"on"},"reported":{"led":"off","n":1}}})");
  shadow.extended = true;
  const Outcome& refused = shadow.ask(
      Operation::Update,
      R"({"state":{"desired":{"x":1}},"if":{"reported":{"led":"on"}},"clientToken":"t"})");
  CHECK(refused.code == 409);
  REQUIRE(refused.messages.size() == 1);
  CHECK(refused.messages[0].topic == "$twinmq/things/T/shadow/update/rejected");
  CHECK(Json::parse(refused.body)["message"] == "Condition not met");
  CHECK(Json::parse(refused.body)["clientToken"] == "t");
  CHECK(shadow.update(R"({"state":{"desired":{"x":1}},"if":{"desired":{"x":2}}})")["code"] == 409);
  CHECK(shadow.update(R"({"state":{"desired":{"x":1}},"if":{"reported":{"led":null}}})")["code"] ==
        409);
  for (const char* bad : {"1", "[]", R"({"state":{}})", R"({"desired":1})"})
    CHECK(shadow.update(R"({"state":{},"if":)" + std::string(bad) + "}")["message"] ==
          "Invalid condition");
  const Outcome& accepted = shadow.ask(
      Operation::Update,
      R"({"state":{"desired":{"x":1}},"if":{"reported":{"n":1.0},"desired":{"x":null}}})");
  CHECK(accepted.code == 200);
  CHECK(accepted.messages.back().topic == "$twinmq/things/T/shadow/update/accepted");
  CHECK(accepted.messages.front().topic == "$aws/things/T/shadow/update/delta");
}

TEST_CASE("desired keys with a time to live are removed like keys set to null", "[shadow]") {
  Shadow shadow;
  shadow.extended = true;
  CHECK(
      shadow.update(
          R"({"state":{"desired":{"open":true,"o":{"x":1,"y":2},"stay":1}},"ttl":{"open":30,"o":60}})")
          ["version"] == 1);
  CHECK(expiry_of(*shadow.stored) == 1030);
  shadow.now = 1029;
  CHECK(shadow.ask(Operation::Expire, "").change == Outcome::Change::None);
  shadow.now = 1030;
  const Outcome& first = shadow.ask(Operation::Expire, "");
  CHECK(first.expiry_before == 1030);
  CHECK(first.expiry_after == 1060);
  REQUIRE(first.messages.size() == 3);
  CHECK(first.messages[0].topic == "$aws/things/T/shadow/update/delta");
  CHECK(first.messages[1].topic == "$aws/things/T/shadow/update/documents");
  CHECK(first.messages[2].topic == "$twinmq/things/T/shadow/removed");
  CHECK(Json::parse(first.messages[2].payload) ==
        Json::parse(R"({"version":2,"timestamp":1030,"state":{"open":null}})"));
  shadow.now = 2000;
  shadow.ask(Operation::Expire, "");
  CHECK(expiry_of(*shadow.stored) == 0);
  shadow.extended = false;
  CHECK(shadow.get()["state"]["desired"] == Json::parse(R"({"o":{},"stay":1})"));
  CHECK(shadow.get()["version"] == 3);
}

TEST_CASE("a new value without a time to live stays, and a new time counts anew", "[shadow]") {
  Shadow shadow;
  shadow.extended = true;
  shadow.update(R"({"state":{"desired":{"a":1,"b":1}},"ttl":10})");
  shadow.now = 1005;
  shadow.update(R"({"state":{"desired":{"a":2}}})");
  shadow.update(R"({"state":{"desired":{"b":2}},"ttl":10})");
  CHECK(expiry_of(*shadow.stored) == 1015);
  shadow.now = 1020;
  shadow.ask(Operation::Expire, "");
  shadow.extended = false;
  CHECK(shadow.get()["state"]["desired"] == Json::parse(R"({"a":2})"));
}

TEST_CASE("a time to live is whole seconds for keys that the update desires", "[shadow]") {
  Shadow shadow;
  shadow.extended = true;
  for (const char* bad :
       {R"({"state":{"desired":{"a":1}},"ttl":0})", R"({"state":{"desired":{"a":1}},"ttl":1.5})",
        R"({"state":{"desired":{"a":1}},"ttl":"5"})", R"({"state":{"reported":{"a":1}},"ttl":5})",
        R"({"state":{"desired":{"a":1}},"ttl":{"b":5}})",
        R"({"state":{"desired":{"a":1}},"ttl":{"a":{"b":5}}})",
        R"({"state":{"desired":{"a":1}},"ttl":9999999999})"})
    shadow.refuses(bad, 400, "Invalid ttl");
  CHECK(shadow.update(R"({"state":{"desired":{"a":1}},"ttl":null})")["version"] == 1);
  shadow.extended = false;
  CHECK(shadow.update(R"({"state":{"desired":{"a":1}},"ttl":"AWS ignores this"})")["version"] == 2);
}

TEST_CASE("a patch changes arrays element by element", "[shadow]") {
  Shadow shadow;
  shadow.update(R"({"state":{"desired":{"l":[1,2,3],"o":{"a/b":{"~":1}}}}})");
  shadow.extended = true;
  shadow.now = 1010;
  const auto patch = [&](std::string_view operations) {
    return Json::parse(
        shadow
            .ask(Operation::Patch, R"({"clientToken":"p","patch":)" + std::string(operations) + "}")
            .body);
  };
  CHECK(
      patch(
          R"([{"op":"replace","path":"/desired/l/1","value":9},{"op":"add","path":"/desired/l/-","value":4},
                  {"op":"remove","path":"/desired/l/0"},{"op":"add","path":"/reported/x","value":{"y":1}},
                  {"op":"test","path":"/desired/l","value":[9,3,4.0]},
                  {"op":"copy","from":"/reported/x/y","path":"/reported/z"},
                  {"op":"move","from":"/desired/o/a~1b/~0","path":"/reported/m"}])") ==
      Json::parse(R"({"version":2,"timestamp":1010,"clientToken":"p"})"));
  shadow.extended = false;
  const Json document = shadow.get();
  CHECK(document["state"]["desired"] == Json::parse(R"({"l":[9,3,4],"o":{"a/b":{}}})"));
  CHECK(document["state"]["reported"] == Json::parse(R"({"m":1,"x":{"y":1},"z":1})"));
  CHECK(document["metadata"]["desired"]["l"][0]["timestamp"] == 1010);
  shadow.extended = true;
  for (
      const char* bad :
      {R"({})", R"([1])", R"([{"op":"add"}])", R"([{"op":"remove","path":"/desired/none"}])",
       R"([{"op":"add","path":"/desired/l/9","value":1}])",
       R"([{"op":"add","path":"/desired/l/01","value":1}])",
       R"([{"op":"fly","path":"/desired/l"}])", R"([{"op":"add","path":"/other","value":1}])",
       R"([{"op":"replace","path":"/desired","value":5}])",
       R"([{"op":"add","path":"/desired/n","value":null}])",
       R"([{"op":"test","path":"/desired/l","value":1}])",
       R"([{"op":"move","from":"/desired","path":"/desired/x"}])",
       R"([{"op":"replace","path":"","value":{}}])",
       R"([{"op":"add","path":"/desired/~2","value":1}])",
       R"([{"op":"add","path":"/desired/q","value":1},{"op":"test","path":"/desired/q","value":2}])"}) {
    INFO(bad);
    CHECK(patch(bad)["code"] == 400);
  }
  shadow.extended = false;
  CHECK(shadow.get()["version"] == 2);
}

}  // namespace twinmq::shadow::test
