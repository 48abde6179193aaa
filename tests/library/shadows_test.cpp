// Device shadows through the public headers.

#include <catch2/catch.hpp>

#include <future>
#include <string>

#include <twinmq/shadow.hpp>

#include "library/plain_client.hpp"

namespace library_test {
namespace {

using namespace twinmq;

template <typename Ask>
ShadowReply reply_of(Ask ask) {
  std::promise<ShadowReply> told;
  ask([&](const ShadowReply& reply) { told.set_value(reply); });
  auto future = told.get_future();
  REQUIRE(future.wait_for(kPatience) == std::future_status::ready);
  return future.get();
}

TEST_CASE("the host updates, reads, lists and deletes shadows, and watches them") {
  const auto broker = start_broker();
  Shadows& shadows = broker->shadows();
  Arrivals<ShadowChange> changes;
  const auto watch =
      shadows.watch({"+", ""}, [&](const ShadowChange& change) { changes.add(change); });
  REQUIRE(watch.has_value());

  const ShadowReply updated = reply_of([&](Shadows::Done done) {
    shadows.update({"lamp", ""}, R"({"state":{"desired":{"on":true}},"clientToken":"t"})", done);
  });
  CHECK(updated.code == 200);
  CHECK(updated.version == 1);
  CHECK(updated.document.find(R"("clientToken":"t")") != std::string::npos);
  const ShadowReply got = reply_of([&](Shadows::Done done) { shadows.get({"lamp", ""}, done); });
  CHECK(got.document.find(R"("delta":{"on":true})") != std::string::npos);
  const ShadowReply stale = reply_of([&](Shadows::Done done) {
    shadows.update({"lamp", ""}, R"({"state":{},"version":7})", done);
  });
  CHECK(stale.code == 409);
  CHECK(stale.message == "Version conflict");
  CHECK(stale.document.empty());

  for (const char* name : {"b", "a", "c"})
    CHECK(reply_of([&](Shadows::Done done) {
      shadows.update({"lamp", name}, R"({"state":{}})", done);
    }));
  std::promise<std::vector<std::string>> names;
  shadows.list("lamp", "", 2, [&](Result<std::vector<std::string>> found, bool more) {
    CHECK(more);
    names.set_value(found.has_value() ? *found : std::vector<std::string>());
  });
  auto listed = names.get_future();
  REQUIRE(listed.wait_for(kPatience) == std::future_status::ready);
  CHECK(listed.get() == std::vector<std::string>{"a", "b"});

  CHECK(reply_of([&](Shadows::Done done) { shadows.erase({"lamp", ""}, done); }).version == 1);
  CHECK(reply_of([&](Shadows::Done done) { shadows.get({"lamp", ""}, done); }).code == 404);
  const auto change = changes.take();
  CHECK(change.shadow == ShadowId{"lamp", ""});
  CHECK(change.documents.find(R"("current")") != std::string::npos);
  broker->stop(Milliseconds(1000));
  CHECK(reply_of([&](Shadows::Done done) { shadows.get({"lamp", ""}, done); }).code == 503);
}

ShadowPage page_of(Shadows& shadows, ShadowQuery query) {
  std::promise<ShadowPage> told;
  shadows.query(std::move(query), [&](const Result<ShadowPage>& page) {
    if (!page) UNSCOPED_INFO(page.error().detail);
    told.set_value(page ? *page : ShadowPage{{}, "failed", 0, {}});
  });
  auto future = told.get_future();
  REQUIRE(future.wait_for(kPatience) == std::future_status::ready);
  return future.get();
}

TEST_CASE("the host queries all shadows, by an index and without one, page by page") {
  const auto broker = start_broker([](Config& config) {
    config.shadow.queries = true;
    config.shadow.indexes = {"reported.battery"};
  });
  Shadows& shadows = broker->shadows();
  for (int i = 0; i < 20; ++i)
    CHECK(reply_of([&](Shadows::Done done) {
      shadows.update({"lamp" + std::to_string(i), ""},
                     R"({"state":{"reported":{"battery":)" + std::to_string(i) + R"(,"room":"r)" +
                         std::to_string(i % 2) + "\"}}}",
                     done);
    }));

  const ShadowPage low = page_of(shadows, {"reported.battery < 3 AND connected = false", "", 100});
  CHECK(low.matches.size() == 3);
  CHECK(low.index == "reported.battery");
  CHECK(low.next.empty());

  std::size_t found = 0;
  std::string next;
  do {
    const ShadowPage page = page_of(shadows, {"reported.room = 'r1'", next, 4});
    CHECK(page.matches.size() <= 4);
    CHECK(page.index.empty());
    for (const ShadowMatch& match : page.matches) {
      CHECK(match.state.find("\"r1\"") != std::string::npos);
      CHECK(match.version == 1);
      CHECK_FALSE(match.connected);
    }
    found += page.matches.size();
    next = page.next;
  } while (!next.empty() && found < 100);
  CHECK(found == 10);

  std::promise<ErrorCode> fault;
  shadows.query({"reported.room =", "", 10}, [&](const Result<ShadowPage>& page) {
    fault.set_value(page ? ErrorCode::Internal : page.error().code);
  });
  auto told = fault.get_future();
  REQUIRE(told.wait_for(kPatience) == std::future_status::ready);
  CHECK(told.get() == ErrorCode::InvalidArgument);
}

}  // namespace
}  // namespace library_test
