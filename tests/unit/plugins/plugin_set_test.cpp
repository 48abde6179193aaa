#include "plugins/plugin_set.hpp"

#include <unistd.h>
#include <catch2/catch.hpp>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <future>
#include <iterator>
#include <string>
#include <vector>

#include "json/read.hpp"
#include "json/write.hpp"
#include "plugins/access_doors.hpp"
#include "plugins/plugin.hpp"
#include "plugins/plugin_sink.hpp"
#include "plugins/transformations.hpp"

namespace twinmq::plugins {
namespace {

PluginConfig sample(std::string name = "sample") {
  PluginConfig config;
  config.name = std::move(name);
  config.path = TWINMQ_SAMPLES "/sample.so";
  config.deadline_milliseconds = 60'000;
  return config;
}

void quiet(LogLevel, std::string_view, const std::string&) {}

std::shared_ptr<PluginSet> opened() {
  auto set = PluginSet::open({sample()}, quiet);
  REQUIRE(set);
  return *set;
}

std::string call(PluginSet& set, std::string_view name, std::string_view arguments) {
  json::Arena arena;
  return json::text_of(set.call(name, json::read(arguments, arena).value.items(), arena));
}

std::string ask(PluginSet& set, std::string_view name, std::string arguments) {
  std::promise<std::string> answer;
  set.submit(name, std::move(arguments),
             [&](std::string text) { answer.set_value(std::move(text)); });
  return answer.get_future().get();
}

}  // namespace

TEST_CASE("functions answer by name, at once or later", "[plugins]") {
  const auto set = opened();
  using Kind = sql::OutsideFunctions::Kind;
  CHECK(set->kind_of("twice") == Kind::Fast);
  CHECK(set->kind_of("slow_twice") == Kind::Pooled);
  CHECK(set->kind_of("range_of") == Kind::Aggregate);
  CHECK(set->kind_of("nobody") == Kind::None);
  CHECK(call(*set, "twice", "[21]") == "42");
  CHECK(call(*set, "echo", R"([{"a":[1,null,"x"]}])") == R"({"a":[1,null,"x"]})");
  CHECK(ask(*set, "slow_twice", "[4]") == "8");
  CHECK(ask(*set, "nobody", "[4]").empty());
}

TEST_CASE("what throws is Undefined, counted and logged once in a while", "[plugins]") {
  std::vector<std::string> lines;
  auto set =
      PluginSet::open({sample()}, [&](LogLevel, std::string_view event, const std::string& detail) {
        lines.push_back(std::string(event) + " " + detail);
      });
  REQUIRE(set);
  CHECK(lines ==
        std::vector<std::string>{"plugin plugin=sample message=\"opened with no greeting\""});
  CHECK(call(**set, "fail", "[]").empty());
  CHECK(call(**set, "twice", R"(["no number"])").empty());
  CHECK(ask(**set, "slow_fail", "[]").empty());
  const PluginStatistics counted = (*set)->statistics().front();
  CHECK(counted.calls == 3);
  CHECK(counted.errors == 3);
  CHECK(lines.size() == 2);
}

TEST_CASE("an aggregate sees every value, and a value it cannot take fails it", "[plugins]") {
  const auto set = opened();
  json::Arena arena;
  const auto over = [&](std::string_view values) {
    return json::text_of(
        set->aggregate("range_of", json::read(values, arena).value.items(), arena));
  };
  CHECK(over("[3,9.5,4]") == "6.5");
  CHECK(over("[]").empty());
  CHECK(over(R"([1,"x"])").empty());
}

TEST_CASE("two plugins cannot have the same names, and none takes those of SQL", "[plugins]") {
  const auto set = PluginSet::open({sample(), sample("second")}, quiet);
  REQUIRE_FALSE(set);
  CHECK(set.error().detail == "plugin \"second\": another plugin has the function twice()");
}

TEST_CASE("what cannot be opened names the plugin and its file", "[plugins]") {
  PluginConfig config = sample();
  config.place = "here.toml:3:1";
  config.path = TWINMQ_SAMPLES "/old_abi.so";
  const auto old = PluginSet::open({config}, quiet);
  REQUIRE_FALSE(old);
  CHECK_THAT(old.error().detail,
             Catch::StartsWith("here.toml:3:1: plugin \"sample\": " TWINMQ_SAMPLES
                               "/old_abi.so was made for version 0"));
  config.path = TWINMQ_SAMPLES "/no_symbol.so";
  CHECK_THAT(PluginSet::open({config}, quiet).error().detail,
             Catch::Contains("has no twinmq_plugin_abi()"));
  config.path = "no_such_plugin";
  CHECK_THAT(PluginSet::open({config}, quiet).error().detail,
             Catch::EndsWith("/lib/twinmq/plugins/no_such_plugin.so"));
}

TEST_CASE("a sink of a plugin delivers, refuses, and tries again after an exception", "[plugins]") {
  const auto set = opened();
  const std::string path = "plugin_set_test." + std::to_string(::getpid());
  CHECK_FALSE(set->open_sink("nobody", "{}", Milliseconds(60'000)));
  const auto broken = set->open_sink("lines", "{}", Milliseconds(60'000));
  REQUIRE_FALSE(broken);
  CHECK(broken.error().detail == "action lines of plugin \"sample\": \"expected a text\"");
  auto sink = set->open_sink("Lines", R"({"path":")" + path + "\"}", Milliseconds(60'000));
  REQUIRE(sink);
  const auto deliver = [&](std::vector<std::string> payloads) {
    std::vector<SinkEntry> batch;
    for (std::string& each : payloads)
      batch.push_back({"id" + std::to_string(batch.size()), "t", "", std::move(each), {}});
    return (*sink)->deliver(batch);
  };
  CHECK(deliver({"1", "2"}).kind == SinkVerdict::Kind::Delivered);
  CHECK(deliver({"1", "2"}).count == 2);
  CHECK(deliver({"\"refuse\""}).kind == SinkVerdict::Kind::Refused);
  const SinkVerdict thrown = deliver({"\"throw\""});
  CHECK(thrown.kind == SinkVerdict::Kind::Retry);
  CHECK(thrown.why == "\"sink threw\"");
  auto waiting = std::async(std::launch::async, [&] { return deliver({"\"wait\""}); });
  while (waiting.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready)
    (*sink)->cancel();
  const SinkVerdict cancelled = waiting.get();
  CHECK(cancelled.why == "cancelled");
  CHECK(deliver({"3"}).why == "an earlier delivery still runs");
  std::ifstream file(path);
  const std::string written(std::istreambuf_iterator<char>(file), {});
  CHECK(written.substr(0, 32) == "id0 t 1\nid1 t 2\nid0 t 1\nid1 t 2\n");
  std::remove(path.c_str());
}

TEST_CASE("a transformation keeps, changes, drops and refuses", "[plugins]") {
  const auto set = opened();
  const auto filter = Transformations::of(*set);
  REQUIRE(filter);
  std::string payload;
  const auto on = [&](std::string_view topic, std::string_view text) {
    return filter->on_publish({topic, text, "c", "p", QoS::AtMostOnce, false}, payload);
  };
  using Verdict = PublishFilter::Verdict;
  CHECK(on("a", "hey") == Verdict::Keep);
  CHECK(on("shout/a", "hey") == Verdict::Modify);
  CHECK(payload == "HEY");
  CHECK(on("a", "drop") == Verdict::Drop);
  CHECK(on("a", "throw") == Verdict::Refuse);
  CHECK(Transformations::of(PluginSet()) == nullptr);
}

namespace {

class Inner final : public Authenticator, public Authorizer {
 public:
  std::optional<AuthenticationResult> decide(const Credentials& credentials) override {
    AuthenticationResult result;
    result.code =
        credentials.username == "known" ? ReasonCode::Success : ReasonCode::BadUserNameOrPassword;
    return result;
  }
  std::unique_ptr<Authentication> start(std::string_view) override { return nullptr; }
  bool may(const Identity&, Action, std::string_view topic, QoS, bool) override {
    return topic != "mine";
  }
  bool checks_receive() const override { return false; }
};

}  // namespace

TEST_CASE("an authenticator of a plugin comes before the broker's own", "[plugins]") {
  const auto set = opened();
  const auto door = PluginAuthenticator::over(*set, std::make_shared<Inner>());
  REQUIRE(door);
  CHECK(door->start("SCRAM-SHA-256") == nullptr);
  const auto enter = [&](std::string_view user) {
    Credentials credentials;
    credentials.has_username = true;
    credentials.username = user;
    CHECK_FALSE(door->decide(credentials));
    const auto conversation = door->start("");
    std::promise<AuthenticationResult> result;
    conversation->begin(credentials,
                        [&](AuthenticationResult answer) { result.set_value(std::move(answer)); });
    return result.get_future().get();
  };
  CHECK(enter("guest").code == ReasonCode::Success);
  CHECK(enter("guest").principal == "somebody");
  CHECK(enter("villain").code == ReasonCode::NotAuthorized);
  CHECK(enter("villain").reason == "go away");
  CHECK(enter("thrower").code == ReasonCode::ServerUnavailable);
  CHECK(enter("known").code == ReasonCode::Success);
  CHECK(enter("unknown").code == ReasonCode::BadUserNameOrPassword);
}

TEST_CASE("an authorizer of a plugin comes before the broker's own", "[plugins]") {
  const auto set = opened();
  const auto door = PluginAuthorizer::over(*set, std::make_shared<Inner>());
  REQUIRE(door);
  CHECK_FALSE(door->checks_receive());
  const Identity nobody{"nobody", "c", {}, {}, {}};
  const Identity somebody{"somebody", "c", {}, {}, {}};
  CHECK_FALSE(door->may(nobody, Action::Publish, "secret/a", QoS::AtMostOnce, false));
  CHECK(door->may(somebody, Action::Publish, "secret/a", QoS::AtMostOnce, false));
  CHECK(door->may(nobody, Action::Publish, "open", QoS::AtMostOnce, false));
  CHECK_FALSE(door->may(nobody, Action::Publish, "mine", QoS::AtMostOnce, false));
}

}  // namespace twinmq::plugins
