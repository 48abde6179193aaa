// Rules whose functions answer later.

#include <catch2/catch.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "modules/rules/envelope.hpp"
#include "one_shard.hpp"

namespace twinmq::rules {

namespace {

/// Functions whose answers come when the test says so.
class Later final : public sql::OutsideFunctions {
 public:
  Kind kind_of(std::string_view name) const override {
    return name == "fast" ? Kind::Fast : name.starts_with("slow") ? Kind::Pooled : Kind::None;
  }
  json::Value call(std::string_view, std::span<const json::Value> arguments,
                   json::Arena&) override {
    return arguments[0];
  }
  json::Value aggregate(std::string_view, std::span<const json::Value>, json::Arena&) override {
    return {};
  }
  void submit(std::string_view name, std::string arguments,
              std::function<void(std::string)> done) override {
    asked.emplace_back(std::string(name) + arguments, std::move(done));
  }

  std::vector<std::pair<std::string, std::function<void(std::string)>>> asked;
};

struct Waits {
  explicit Waits(std::vector<RuleConfig> with)
      : rules(std::move(with), true,
              {functions,
               [this](std::uint32_t, std::function<void(Service&)> errand) {
                 errands.push_back(std::move(errand));
               },
               [this](const std::string& thing, const std::string& name,
                      std::function<void(std::string)> done) {
                 shadows.emplace_back(thing + "/" + name, std::move(done));
               }}) {}

  void answer(std::size_t place, std::string text) {
    functions->asked[place].second(std::move(text));
    turn();
  }
  void turn() {
    while (!errands.empty()) {
      auto all = std::exchange(errands, {});
      for (auto& each : all) each(rules.service);
    }
  }
  std::vector<std::string> resumed() const {
    std::vector<std::string> payloads;
    for (const Published& each : rules.host.resumed) payloads.push_back(each.payload);
    return payloads;
  }

  std::shared_ptr<Later> functions = std::make_shared<Later>();
  std::vector<std::function<void(Service&)>> errands;
  std::vector<std::pair<std::string, std::function<void(std::string)>>> shadows;
  Rules rules;
};

}  // namespace

TEST_CASE("answers that were cut are none", "[rules]") {
  const std::string bytes = write_answers({5, {{"f[1]", "2"}}});
  const auto answers = read_answers(bytes);
  REQUIRE(answers);
  CHECK(answers->seed == 5);
  CHECK(answers->by_call.at("f[1]") == "2");
  for (std::size_t size = 0; size < bytes.size(); ++size)
    if (size != sizeof answers->seed) CHECK_FALSE(read_answers(bytes.substr(0, size)));
}

TEST_CASE(
    "a message waits for the answers its rules ask for, and what its publisher sends next waits "
    "behind it",
    "[rules]") {
  Waits waits(
      {rule("SELECT slow(n) AS a, slow_too(slow(n)) AS b FROM 'slow'", {republish("out")}, "s"),
       rule("SELECT fast(n) AS n FROM 'fast'", {republish("out")}, "f")});
  CHECK(waits.rules.publish("slow", R"({"n":1})").empty());
  CHECK(waits.rules.publish("fast", R"({"n":2})").empty());
  CHECK(waits.rules.publish("slow", R"({"n":3})").empty());
  CHECK(waits.rules.publish("fast", R"({"n":4})", {}, "dev-2").at(0).payload == R"({"n":4})");
  waits.turn();
  REQUIRE(waits.functions->asked.size() == 2);
  CHECK(waits.functions->asked[0].first == "slow[1]");
  CHECK(waits.functions->asked[1].first == "slow[3]");
  waits.answer(1, "30");
  REQUIRE(waits.functions->asked.size() == 3);
  CHECK(waits.functions->asked[2].first == "slow_too[30]");
  waits.answer(2, "");
  CHECK(waits.resumed().empty());
  waits.answer(0, "10");
  CHECK(waits.functions->asked[3].first == "slow_too[10]");
  waits.answer(3, R"({"x":[1]})");
  CHECK(waits.resumed() ==
        std::vector<std::string>{R"({"a":10,"b":{"x":[1]}})", R"({"n":2})", R"({"a":30})"});
  CHECK(waits.rules.publish("fast", R"({"n":5})").at(0).payload == R"({"n":5})");
}

TEST_CASE(
    "a message that waits runs the rules it was published under, though they are replaced or "
    "removed",
    "[rules]") {
  Waits waits({rule("SELECT slow(n) AS a FROM 't'", {republish("old")}, "s"),
               rule("SELECT slow(n) AS a FROM 't'", {republish("gone")}, "t")});
  CHECK(waits.rules.publish("t", R"({"n":1})").empty());
  waits.rules.put(rule("SELECT n FROM 't'", {republish("new")}, "s"));
  waits.rules.service.remove("t", true);
  waits.answer(0, "10");
  REQUIRE(waits.rules.host.resumed.size() == 2);
  CHECK(waits.rules.host.resumed[0].topic == "old");
  CHECK(waits.rules.host.resumed[0].payload == R"({"a":10})");
  CHECK(waits.rules.publish("t", R"({"n":1})").at(0).topic == "new");
}

TEST_CASE("a message whose rules ask nothing after all is not held for long", "[rules]") {
  Waits waits({rule("SELECT slow(n) AS a FROM 't' WHERE n > 5", {republish("out")})});
  CHECK(waits.rules.publish("t", R"({"n":1})").empty());
  waits.turn();
  CHECK(waits.rules.service.counters("r")->unmatched == 1);
}

TEST_CASE("rules are refused where nobody could wait for their functions", "[rules]") {
  const Later functions;
  const auto fault = [&](std::string sql, std::vector<RuleActionConfig> actions = {}) {
    const auto compiled =
        CompiledRule::compile(rule(std::move(sql), std::move(actions)), &functions);
    return compiled ? std::string() : compiled.error().detail;
  };
  CHECK(fault("SELECT slow(n) AS a, fast(n) AS b FROM 't'").empty());
  CHECK(fault("SELECT aws_lambda('arn:aws:lambda:x:1:function:slow', n) AS a FROM 't'").empty());
  CHECK_THAT(fault("SELECT nobody(n) AS a FROM 't'"),
             Catch::Contains("there is no function nobody()"));
  CHECK_THAT(fault("SELECT slow(n) AS a, lag(n) AS b FROM 't'"),
             Catch::Contains("slow() of a plugin is not declared fast"));
  CHECK(fault("SELECT max(slow(n)) AS a FROM 't' WHERE slow(n) > 1 GROUP BY slow_too(n), COUNT(2)")
            .empty());
  CHECK_THAT(fault("SELECT slow(max(n)) AS a FROM 't' GROUP BY COUNT(2)"),
             Catch::Contains("cannot be used in what a window yields"));
  CHECK_THAT(fault("SELECT max(n) AS a FROM 't' GROUP BY COUNT(2) HAVING slow(max(n)) > 1"),
             Catch::Contains("what a window yields"));
  CHECK_THAT(fault("SELECT fast(n) AS a FROM 't' GROUP BY COUNT(2)"),
             Catch::Contains("is no aggregate"));
  CHECK_THAT(fault("SELECT get_thing_shadow('x') AS a, lag(n) AS b FROM 't'"),
             Catch::Contains("get_thing_shadow() reads the store"));
  CHECK(fault("SELECT n FROM 't'", {republish("${fast(n)}")}).empty());
  CHECK(fault("SELECT n FROM 't'", {republish("${slow(n)}")}).empty());
  CHECK_THAT(fault("SELECT max(n) AS n FROM 't' GROUP BY COUNT(2)", {republish("${slow(n)}")}),
             Catch::Contains("cannot be used in a template of a statement with GROUP BY"));
  RuleConfig failing = rule("SELECT n FROM 't'", {republish("out")});
  failing.error_actions = {republish("${slow(n)}")};
  const auto refused = CompiledRule::compile(failing, &functions);
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().detail, Catch::Contains("cannot be used in an error action"));
}

TEST_CASE("a window gathers what functions that answer later said of each message", "[rules]") {
  Waits waits({rule("SELECT sum(slow(n)) AS a, d FROM 't' WHERE slow_too(n) GROUP BY d, COUNT(2)",
                    {republish("out")})});
  for (const char* payload : {R"({"n":1,"d":"x"})", R"({"n":2,"d":"x"})", R"({"n":3,"d":"x"})"})
    CHECK(waits.rules.publish("t", payload).empty());
  waits.answer(0, "true");
  waits.answer(1, "false");
  waits.answer(2, "true");
  REQUIRE(waits.functions->asked.size() == 5);
  CHECK(waits.functions->asked[4].first == "slow[3]");
  waits.answer(4, "30");
  CHECK(waits.resumed().empty());
  waits.answer(3, "10");
  CHECK(waits.resumed() == std::vector<std::string>{R"({"a":40,"d":"x"})"});
}

TEST_CASE("answers travel with their message to the shard of its window", "[rules]") {
  const RuleConfig windowed = rule(
      "SELECT count(*) AS c, slow(n) AS g FROM 't' GROUP BY slow(n), COUNT(1)", {republish("out")});
  Waits here({windowed});
  here.rules.host.home = false;
  CHECK(here.rules.publish("t", R"({"n":1})").empty());
  here.answer(0, "7");
  REQUIRE(here.rules.host.resumed.size() == 1);
  const Published forwarded = here.rules.host.resumed[0];
  Waits home({windowed});
  const auto results = home.rules.publish(forwarded.topic, forwarded.payload);
  REQUIRE(results.size() == 1);
  CHECK(results[0].payload == R"({"c":1,"g":7})");
  CHECK(home.functions->asked.empty());
}

TEST_CASE(
    "a message waits for what the texts of its actions ask, unless the statement does not match",
    "[rules]") {
  Waits waits(
      {rule("SELECT n FROM 't' WHERE n > 1", {republish("out/${slow(n)}", "${slow_too(n)}")})});
  CHECK(waits.rules.publish("t", R"({"n":2})").empty());
  REQUIRE(waits.functions->asked.size() == 1);
  CHECK(waits.functions->asked[0].first == "slow[2]");
  waits.answer(0, "20");
  REQUIRE(waits.functions->asked.size() == 2);
  waits.answer(1, "200");
  REQUIRE(waits.rules.host.resumed.size() == 1);
  CHECK(waits.rules.host.resumed[0].topic == "out/20");
  CHECK(waits.rules.host.resumed[0].payload == "200");
  waits.rules.publish("t", R"({"n":1})");
  waits.turn();
  CHECK(waits.functions->asked.size() == 2);
  CHECK(waits.rules.service.counters("r")->unmatched == 1);
}

TEST_CASE("a rule reads shadows that it may get, before it is evaluated", "[rules]") {
  Waits waits({rule("SELECT get_thing_shadow(d, 'light').state.reported.on AS on FROM 't'",
                    {republish("out")}),
               rule("SELECT get_or_default(get_thing_shadow(d), 'unknown') AS whole FROM 't'",
                    {republish("out/${get_thing_shadow(d).v}")}, "s")});
  waits.rules.publish("t", R"({"d":"lamp"})");
  REQUIRE(waits.shadows.size() == 1);
  CHECK(waits.shadows[0].first == "lamp/light");
  waits.shadows[0].second(R"({"state":{"reported":{"on":true}}})");
  waits.turn();
  REQUIRE(waits.shadows.size() == 2);
  CHECK(waits.shadows[1].first == "lamp/");
  waits.shadows[1].second(R"({"v":3})");
  waits.turn();
  REQUIRE(waits.rules.host.resumed.size() == 2);
  CHECK(waits.resumed() == std::vector<std::string>{R"({"on":true})", R"({"whole":{"v":3}})"});
  CHECK(waits.rules.host.resumed[1].topic == "out/3");

  // What may not be got, or has no name, is as absent.
  for (const std::string thing : {"secret", "a/b", "+"}) {
    waits.rules.publish("t", R"({"d":")" + thing + "\"}");
    waits.turn();
  }
  CHECK(waits.shadows.size() == 2);
  CHECK(waits.rules.service.counters("r")->lookups_failed == 3);
}

}  // namespace twinmq::rules
