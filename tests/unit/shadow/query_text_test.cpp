#include "modules/shadow/query_text.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace twinmq::shadow::test {

TEST_CASE("a query is read with its page and its token", "[shadow]") {
  QueryRequest request;
  REQUIRE_FALSE(read_query_request(
      R"({"query":"a = 1","limit":5,"nextToken":"64","clientToken":"t"})", request));
  CHECK(request.query.condition == "a = 1");
  CHECK(request.query.limit == 5);
  CHECK(request.query.after == "64");
  CHECK(request.token == "t");
}

TEST_CASE("what is no query is refused with a reason", "[shadow]") {
  for (const char* bad : {"", "[]", "{}", R"({"query":1})", R"({"query":""})",
                          R"({"query":"a","limit":0})", R"({"query":"a","limit":"5"})",
                          R"({"query":"a","nextToken":5})", R"({"query":"a","clientToken":5})"}) {
    QueryRequest request;
    INFO(bad);
    const Refusal refusal = read_query_request(bad, request);
    CHECK(refusal.code == 400);
    CHECK_FALSE(refusal.message.empty());
  }
}

TEST_CASE("a page is told as JSON", "[shadow]") {
  ShadowPage page;
  page.matches.push_back({{"T", "n"}, R"({"reported":{"a":1}})", 3, 1000, true});
  page.looked_at = 7;
  page.next = "64";
  page.index = "reported.a";
  CHECK(nlohmann::json::parse(query_answer(page, "t")) ==
        nlohmann::json::parse(
            R"({"results":[{"thing":"T","name":"n","version":3,"changed":1000,"connected":true,
                "state":{"reported":{"a":1}}}],"lookedAt":7,"index":"reported.a","nextToken":"64","clientToken":"t"})"));
  CHECK(nlohmann::json::parse(query_answer({}, std::nullopt)) ==
        nlohmann::json::parse(R"({"results":[],"lookedAt":0})"));
  CHECK(nlohmann::json::parse(query_refusal(400, "no \"query\"", "t")) ==
        nlohmann::json::parse(R"({"code":400,"message":"no \"query\"","clientToken":"t"})"));
}

}  // namespace twinmq::shadow::test
