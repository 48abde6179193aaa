#include "modules/shadow/schema.hpp"

#include <catch2/catch.hpp>

#include "modules/shadow/shadow_machine.hpp"
#include "unit/shadow/trees.hpp"

namespace twinmq::shadow::test {
namespace {

struct Case {
  const char* schema;
  const char* good;  // texts, one per line
  const char* bad;
};

// A keyword each, with values that keep to it and values that do not.
const Case kCases[] = {
    {R"({"type":"integer"})", "1\n1.0\n-3e2", "1.5\n\"1\"\nnull\ntrue"},
    {R"({"type":["string","null"]})", "\"\"\nnull", "0\n[]\n{}"},
    {R"({"type":"boolean"})", "true\nfalse", "0"},
    {R"({"enum":[1,"a",{"b":[1]}]})", "1.0\n\"a\"\n{\"b\":[1]}", "2\n\"b\"\n{\"b\":[]}"},
    {R"({"const":null})", "null", "0\nfalse"},
    {R"({"minimum":0.1,"maximum":10})", "0.1\n10\n\"x\"",
     "0.0999999999999999999\n10.0000000000000001"},
    {R"({"exclusiveMinimum":0,"exclusiveMaximum":1})", "0.5", "0\n1"},
    {R"({"multipleOf":0.1})", "0.3\n1e3", "0.35"},
    {R"({"minLength":2,"maxLength":2})", "\"ab\"\n\"\xc3\xa9\xc3\xa9\"", "\"a\"\n\"abc\""},
    {R"({"pattern":"^v[0-9]+$"})", "\"v10\"\n5", "\"xv1\"\n\"v\""},
    {R"({"items":{"type":"number"},"minItems":1,"maxItems":2})", "[1]\n[1,2]",
     "[]\n[1,2,3]\n[\"a\"]"},
    {R"({"prefixItems":[{"type":"string"}],"items":false})", "[]\n[\"a\"]", "[1]\n[\"a\",1]"},
    {R"({"uniqueItems":true})", "[1,2]\n[[1],[2]]", "[1,1.0]\n[{\"a\":1},{\"a\":1}]"},
    {R"({"contains":{"type":"string"}})", "[1,\"a\"]", "[1]\n[]"},
    {R"({"contains":{"const":1},"minContains":0,"maxContains":1})", "[]\n[1,2]", "[1,1]"},
    {R"({"required":["a"],"minProperties":1,"maxProperties":2})", R"({"a":1}
{"a":1,"b":2})",
     R"({}
{"b":1}
{"a":1,"b":1,"c":1})"},
    {R"({"properties":{"a":{"type":"string"}},"patternProperties":{"^n_":{"type":"number"}},"additionalProperties":false})",
     R"({"a":"x","n_1":2}
{})",
     R"({"a":1}
{"n_1":"x"}
{"b":1})"},
    {R"({"propertyNames":{"maxLength":2}})", "{\"ab\":1}", "{\"abc\":1}"},
    {R"({"dependentRequired":{"a":["b"]}})", "{\"a\":1,\"b\":1}\n{\"b\":1}", "{\"a\":1}"},
    {R"({"dependentSchemas":{"a":{"required":["b"]}}})", "{\"a\":1,\"b\":1}", "{\"a\":1}"},
    {R"({"allOf":[{"minimum":1},{"maximum":3}]})", "2", "0\n4"},
    {R"({"anyOf":[{"type":"string"},{"minimum":3}]})", "\"x\"\n3", "2"},
    {R"({"oneOf":[{"multipleOf":2},{"multipleOf":3}]})", "2\n3", "6\n5"},
    {R"({"not":{"type":"null"}})", "1", "null"},
    {R"({"if":{"required":["a"]},"then":{"required":["b"]},"else":{"required":["c"]}})",
     "{\"a\":1,\"b\":1}\n{\"c\":1}", "{\"a\":1}\n{}"},
    {R"({"$ref":"#/$defs/a~1b","$defs":{"a/b":{"type":"array","items":{"$ref":"#/$defs/a~1b"}}}})",
     "[[],[[]]]", "[1]\n{}"},
    {R"({"properties":{"x":{"$ref":"#"}},"additionalProperties":false})", "{\"x\":{\"x\":{}}}",
     "{\"x\":{\"y\":1}}"},
    {"true", "1\n{}", ""},
    {"false", "", "1"},
    {R"({"title":"t","format":"email","x-own":[1],"default":5,"$comment":"c"})", "1\n\"no\"", ""},
};

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> all;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    all.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return all;
}

std::string fault(const std::string& schema, const std::string& value) {
  Arena arena;
  auto compiled = Schema::compile(schema);
  INFO(schema);
  REQUIRE(compiled);
  return (*compiled)->fault_of(read(value, arena));
}

std::string load_fault(const std::string& schema) {
  const auto compiled = Schema::compile(schema);
  INFO(schema);
  REQUIRE_FALSE(compiled);
  return compiled.error().detail;
}

}  // namespace

TEST_CASE("every keyword lets pass what keeps to it and nothing else", "[shadow]") {
  for (const Case& each : kCases) {
    INFO(each.schema);
    for (const std::string& good : lines(each.good)) {
      INFO(good);
      CHECK(fault(each.schema, good).empty());
    }
    for (const std::string& bad : lines(each.bad)) {
      INFO(bad);
      CHECK_FALSE(fault(each.schema, bad).empty());
    }
  }
}

TEST_CASE("a fault says where and why", "[shadow]") {
  CHECK(fault(R"({"properties":{"a/b":{"items":{"maximum":3}}}})", R"({"a/b":[1,4]})") ==
        "/a~1b/1: is above the maximum of 3");
  CHECK(fault(R"({"required":["x"]})", "{}") == "/: \"x\" is missing");
  CHECK(fault(R"({"properties":{"o":{"anyOf":[{"type":"null"}]}}})", R"({"o":1})") ==
        "/o: is of none of the kinds allowed");
}

TEST_CASE("a schema that cannot be kept to exactly is not loaded", "[shadow]") {
  CHECK(load_fault("{") == "is no JSON");
  CHECK(load_fault(R"({"properties":{"a":{"unevaluatedProperties":false}}})") ==
        "/properties/a/unevaluatedProperties: the keyword \"unevaluatedProperties\" is not known");
  for (const char* bad :
       {"1", R"({"type":"text"})", R"({"minimum":"1"})", R"({"maxLength":-1})", R"({"allOf":[]})",
        R"({"required":"a"})", R"({"pattern":"("})", R"({"patternProperties":{"(":true}})",
        R"({"multipleOf":0})", R"({"$ref":"#/$defs/none"})", R"({"$ref":"other.json"})",
        R"({"enum":1})", R"({"uniqueItems":1})", R"({"properties":{"a":1}})"}) {
    INFO(bad);
    CHECK_FALSE(load_fault(bad).empty());
  }
}

TEST_CASE("a schema that turns in a circle comes to an end", "[shadow]") {
  CHECK_FALSE(fault(R"({"$ref":"#"})", "1").empty());
  CHECK_FALSE(fault(R"({"anyOf":[{"$ref":"#"},{"$ref":"#"}]})", "1").empty());
  CHECK_FALSE(fault(R"({"not":{"$ref":"#"}})", "1").empty());
}

TEST_CASE("a form with stars means any characters in their place", "[shadow]") {
  CHECK(has_form("lamp-1", "lamp-*"));
  CHECK(has_form("", "*"));
  CHECK(has_form("a-b-c", "*-*c"));
  CHECK_FALSE(has_form("lamp", "lamp-*"));
  CHECK_FALSE(has_form("x", ""));
  CHECK_FALSE(has_form("abc", "*b"));
}

TEST_CASE("only the shadows that a schema names keep to it", "[shadow]") {
  auto set = SchemaSet::compile(
      {{"lamp-*", "", "f", R"({"properties":{"reported":{"required":["a"]}}})"}});
  REQUIRE(set);
  ShadowRules rules;
  rules.schemas = *set;
  ShadowMachine machine(rules);
  const auto code = [&](ShadowName name, const char* payload) {
    return machine.handle({Operation::Update, name, payload, 1, false, false}, std::nullopt).code;
  };
  CHECK(code({"lamp-1", ""}, R"({"state":{"reported":{"b":1}}})") == 400);
  CHECK(code({"lamp-1", ""}, R"({"state":{"reported":{"a":1}}})") == 200);
  CHECK(code({"lamp-1", "n"}, R"({"state":{"reported":{"b":1}}})") == 200);
  CHECK(code({"door", ""}, R"({"state":{"reported":{"b":1}}})") == 200);
}

}  // namespace twinmq::shadow::test
