#include "modules/shadow/document.hpp"

#include <catch2/catch.hpp>

#include "unit/shadow/trees.hpp"

namespace twinmq::shadow::test {
namespace {

struct Section {
  Arena arena;

  std::string merge(std::string_view old, std::string_view patch, const MergeRules& rules = {}) {
    SectionChange change{SectionChange::Kind::Merged, read(patch, arena, 9)};
    const Node before = read(old, arena, 5);
    const std::string untouched = text_of(before) + metadata_of(before);
    const std::optional<Node> after =
        merged(before.size == 0 ? std::nullopt : std::optional(before), change, rules, arena);
    CHECK(text_of(before) + metadata_of(before) == untouched);
    metadata = after ? metadata_of(*after) : "";
    return after ? text_of(*after) : "absent";
  }
  std::string compare(std::string_view desired, std::string_view reported) {
    const auto section = [this](std::string_view text) {
      return text.empty() ? std::nullopt : std::optional(read(text, arena));
    };
    const std::optional<Node> delta = difference(section(desired), section(reported), arena);
    return delta ? text_of(*delta) : "none";
  }
  std::string metadata;
};

}  // namespace

TEST_CASE("a merge follows AWS's rules key by key", "[shadow]") {
  Section section;
  CHECK(section.merge(R"({"a":1,"b":2})", R"({"b":5,"c":6})") == R"({"a":1,"b":5,"c":6})");
  CHECK(section.metadata == R"({"a":{"timestamp":5},"b":{"timestamp":9},"c":{"timestamp":9}})");
  CHECK(section.merge(R"({"a":1})", R"({"a":1})") == R"({"a":1})");
  CHECK(section.metadata == R"({"a":{"timestamp":9}})");
  CHECK(section.merge(R"({"a":1})", R"({})") == R"({"a":1})");
  CHECK(section.merge(R"({"a":1})", R"({"a":null})") == "absent");
  CHECK(section.merge(R"({"a":{"b":1}})", R"({"a":{"b":null}})") == R"({"a":{}})");
  CHECK(section.merge(R"({"a":{"b":1}})", R"({"a":{}})") == R"({"a":{"b":1}})");
  CHECK(section.merge(R"({"a":5})", R"({"a":{}})") == R"({"a":{}})");
  CHECK(section.merge(R"({"a":[1]})", R"({"a":{"b":2}})") == R"({"a":{"b":2}})");
  CHECK(section.merge(R"({"a":{"b":2}})", R"({"a":[{"b":3}]})") == R"({"a":[{"b":3}]})");
  CHECK(section.merge(R"({})", R"({"z":null})") == "absent");
}

TEST_CASE("a new object leaves its nulls behind", "[shadow]") {
  Section section;
  CHECK(section.merge(R"({"k":1})", R"({"a":{"b":null,"c":1,"d":{"e":null}}})") ==
        R"({"a":{"c":1},"k":1})");
  CHECK(section.merge(R"({"k":1})", R"({"a":{"b":null,"d":{}}})") == R"({"a":{"d":{}},"k":1})");
  CHECK(section.merge(R"({"k":1})", R"({"a":{"b":null}})") == R"({"k":1})");
  CHECK(section.merge(R"({"k":1})", R"({"a":{"b":{"c":null}}})") == R"({"k":1})");
  CHECK(section.merge(R"({"a":7,"k":1})", R"({"a":{"b":null}})") == R"({"k":1})");
  MergeRules keep;
  keep.keep_null_objects = true;
  CHECK(section.merge(R"({"k":1})", R"({"a":{"b":{"c":null}}})", keep) ==
        R"({"a":{"b":{}},"k":1})");
}

TEST_CASE("a difference lists what is desired and not reported", "[shadow]") {
  Section section;
  CHECK(section.compare("", R"({"a":1})") == "none");
  CHECK(section.compare(R"({"a":1})", "") == R"({"a":1})");
  CHECK(section.compare(R"({"a":1})", R"({"a":1.0,"b":2})") == "none");
  CHECK(section.compare(R"({"a":1,"b":{"c":1,"d":2}})", R"({"a":1,"b":{"c":1,"d":3,"e":4}})") ==
        R"({"b":{"d":2}})");
  CHECK(section.compare(R"({"a":{}})", R"({"b":1})") == R"({"a":{}})");
  CHECK(section.compare(R"({"a":{}})", R"({"a":{"b":1}})") == "none");
  CHECK(section.compare(R"({"a":{}})", R"({"a":1})") == R"({"a":{}})");
  CHECK(section.compare(R"({"a":{"b":1}})", R"({"a":[1]})") == R"({"a":{"b":1}})");
  CHECK(section.compare(R"({"a":[1,2]})", R"({"a":[2,1]})") == R"({"a":[1,2]})");
  CHECK(section.compare(R"({"a":[{"x":1,"y":2}]})", R"({"a":[{"y":2,"x":1}]})") == "none");
  CHECK(section.compare(R"({"a":"x"})", R"({"a":"X"})") == R"({"a":"x"})");
  CHECK(section.compare(R"({"a":false})", R"({"a":0})") == R"({"a":false})");
}

TEST_CASE("a record gives back the document with all its times", "[shadow]") {
  Arena arena;
  Document document;
  document.version = INT64_MAX;
  document.changed = 1'700'000'000;
  document.desired = read(
      R"({"a":[1,[{"b":2},{}]],"c":{"d":{"e":"\u0000é"}},"f":-0.5,"g":true,"h":{}})", arena, 12);
  document.reported = read(R"({"a":"x"})", arena, 1'700'000'000);
  std::string record;
  write_record(document, record);
  Document back;
  REQUIRE(read_record(record, arena, back));
  CHECK(shown(back) == shown(document));
  CHECK(back.changed == document.changed);
  CHECK_FALSE(back.deleted);
  CHECK(back.desired->depth == document.desired->depth);
  CHECK(document_bytes(back) == document_bytes(document));
  for (std::size_t size = 0; size < record.size(); ++size)
    CHECK_FALSE(read_record(std::string_view(record).substr(0, size), arena, back));
  CHECK_FALSE(read_record(record + "x", arena, back));
}

TEST_CASE("what remains of a deleted shadow is its version and the time", "[shadow]") {
  Arena arena;
  Document document;
  document.version = 7;
  document.changed = -3;
  document.deleted = true;
  std::string record;
  write_record(document, record);
  Document back;
  REQUIRE(read_record(record, arena, back));
  CHECK(back.version == 7);
  CHECK(back.changed == -3);
  CHECK(back.deleted);
}

TEST_CASE("the size of a document is that of both sections as compact JSON", "[shadow]") {
  Arena arena;
  Document document;
  CHECK(document_bytes(document) == 0);
  document.desired = read(R"({ "a" : "\u00e9" })", arena);
  CHECK(document_bytes(document) == std::string_view(R"({"a":"é"})").size());
  document.reported = read(R"({ "b" : [ 1, 2 ] })", arena);
  CHECK(document_bytes(document) == std::string_view(R"({"a":"é"}{"b":[1,2]})").size());
}

}  // namespace twinmq::shadow::test
