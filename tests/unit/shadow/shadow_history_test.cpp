#include "modules/shadow/shadow_history.hpp"

#include <catch2/catch.hpp>

#include "unit/shadow/trees.hpp"

namespace twinmq::shadow::test {
namespace {

const std::string kKey("dT\0n", 4);

std::string entry(std::int64_t version, EpochSeconds changed, const char* desired) {
  Arena arena;
  Document document;
  document.version = version;
  document.changed = changed;
  document.desired = read(desired, arena, changed);
  std::string record;
  write_record(document, record);
  return write_history({"client", "who", "1.2.3.4:5"}, "update", record);
}

}  // namespace

TEST_CASE("versions of a shadow lie in their order and tell whose they are", "[shadow]") {
  CHECK(history_key(kKey, 9) < history_key(kKey, 10));
  CHECK(history_key(kKey, 255) < history_key(kKey, 256));
  CHECK(record_of_history_key(history_key(kKey, 7)) == kKey);
  const StoreRange range = history_range(kKey, 3, 5);
  CHECK(history_key(kKey, 2) < range.from);
  CHECK(history_key(kKey, 5) < range.to);
  CHECK(history_key(kKey, 6) >= range.to);
  CHECK(record_of_history_key("h").empty());
}

TEST_CASE("versions are told from the latest, with who made them", "[shadow]") {
  StoreEntries found;
  found.entries = {{history_key(kKey, 2), entry(2, 1000, R"({"a":1})")},
                   {history_key(kKey, 3), entry(3, 1010, R"({"a":2})")}};
  const Json answer = Json::parse(history_answer(found, 2, 0, "t"));
  CHECK(answer == Json::parse(R"({"versions":[
      {"version":3,"timestamp":1010,"operation":"update","clientId":"client","principal":"who","peer":"1.2.3.4:5",
       "state":{"desired":{"a":2}}},
      {"version":2,"timestamp":1000,"operation":"update","clientId":"client","principal":"who","peer":"1.2.3.4:5",
       "state":{"desired":{"a":1}}}],"nextBefore":2,"clientToken":"t"})"));
  CHECK(Json::parse(history_answer(found, 1, 1005, std::nullopt))["versions"].size() == 1);
  CHECK(time_of_history(found.entries[0].second) == 1000);
}

TEST_CASE("the difference of two versions is what to set and what to remove", "[shadow]") {
  const Json answer =
      Json::parse(difference_answer(entry(2, 1, R"({"a":1,"b":{"c":1,"d":2},"e":5})"),
                                    entry(4, 2, R"({"a":1,"b":{"c":2},"f":6})"), std::nullopt));
  CHECK(answer == Json::parse(R"({"from":2,"to":4,"changed":{"desired":{"b":{"c":2},"f":6}},
                                  "removed":{"desired":{"b":{"d":null},"e":null}}})"));
}

TEST_CASE("bytes that are no version are passed over", "[shadow]") {
  CHECK_FALSE(time_of_history(""));
  CHECK_FALSE(time_of_history("x"));
  const std::string good = entry(1, 1, R"({"a":1})");
  for (std::size_t size = 0; size < good.size(); ++size)
    CHECK_FALSE(time_of_history(std::string_view(good).substr(0, size)));
  CHECK(difference_answer("x", good, std::nullopt).empty());
}

TEST_CASE("a request for history is whole numbers that make sense", "[shadow]") {
  for (const char* bad : {"x", "[]", R"({"limit":0})", R"({"limit":101})", R"({"before":0})",
                          R"({"from":1})", R"({"from":"1","to":2})", R"({"clientToken":1})"}) {
    HistoryRequest request;
    INFO(bad);
    CHECK(read_history_request(bad, request).code == 400);
  }
  HistoryRequest request;
  CHECK_FALSE(read_history_request("", request));
  CHECK_FALSE(read_history_request(R"({"from":1,"to":2,"clientToken":"t"})", request));
  CHECK(request.from == 1);
  CHECK(request.to == 2);
  CHECK(request.token == "t");
}

}  // namespace twinmq::shadow::test
