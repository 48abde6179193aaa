#include "modules/rules/rules_service.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "modules/rules/compiled_rule.hpp"
#include "modules/rules/envelope.hpp"
#include "modules/rules/rule_actions.hpp"
#include "modules/rules/rule_world.hpp"
#include "modules/rules/running_rule.hpp"
#include "modules/rules/seen_message.hpp"
#include "mqtt/properties.hpp"
#include "rules_world.hpp"
#include "sql/statement.hpp"

namespace twinmq::rules {
namespace {

RuleConfig rule(std::string sql, std::vector<RuleActionConfig> actions, std::string name = "r") {
  RuleConfig config;
  config.name = std::move(name);
  config.sql = std::move(sql);
  config.actions = std::move(actions);
  return config;
}

RuleActionConfig republish(std::string topic, std::string payload = {}) {
  RuleActionConfig action;
  action.topic = std::move(topic);
  action.payload = std::move(payload);
  return action;
}

/// One shard with rules; messages come with the tags of every filter that covers their topic.
class Rules {
 public:
  explicit Rules(std::vector<RuleConfig> rules, bool home = true, const Outside& outside = {})
      : service({}, compile_all(rules, outside.functions.get()), nullptr, nullptr, outside) {
    host.home = home;
    service.attach(host);
  }

  std::vector<Published> publish(std::string_view topic, std::string_view payload, std::string_view properties = {},
                                 std::string_view publisher = "dev-1") {
    std::vector<std::uint32_t> tags;
    for (const auto& [filter, tag] : host.filters)
      if (sql::filter_covers(filter, topic) && tag != 0) tags.push_back(tag);
    MessageParts parts;
    parts.topic = topic;
    parts.payload = payload;
    parts.properties = properties;
    parts.publisher = publisher;
    parts.qos = QoS::AtLeastOnce;
    Collected reaction;
    service.on_message({parts, tags, "alice", "10.0.0.7:1234"}, reaction);
    batch = reaction.batch;
    return reaction.published;
  }

  void put(const RuleConfig& config, std::size_t place = 0) {
    service.put({compile_all({config}).at(0).rule, place});
  }

  Host host;
  RulesService service;
  Batch batch;
};

}  // namespace

TEST_CASE("a rule publishes its result where its template says", "[rules]") {
  RuleActionConfig action = republish("alerts/${topic(2)}/${get(*, 'site')}");
  action.qos = 1;
  action.retain = true;
  action.content_type = "application/json";
  action.user_properties = {"from=${clientid()}", "at=${timestamp()}"};
  Rules rules({rule("SELECT t AS temperature, principal() AS who, sourceip() AS ip FROM 'sensors/+/data' WHERE t > 50", {action})});
  CHECK(rules.publish("sensors/s1/data", R"({"t":50})").empty());
  const auto published = rules.publish("sensors/s1/data", R"({"t":51,"site":"a"})");
  REQUIRE(published.size() == 1);
  CHECK(published[0].topic == "alerts/s1/a");
  CHECK(published[0].payload == R"({"temperature":51,"who":"alice","ip":"10.0.0.7"})");
  CHECK(published[0].qos == QoS::AtLeastOnce);
  CHECK(published[0].retain);
  const MessageProperties properties = mqtt::decode_message_properties(published[0].properties);
  CHECK(properties.content_type == "application/json");
  CHECK(properties.user_properties[0].second == "dev-1");
  CHECK(properties.user_properties[1].second == "1700000000000");
  CHECK(rules.service.counters("r")->matched == 1);
  CHECK(rules.service.counters("r")->unmatched == 1);
  CHECK(rules.service.counters("r")->actions_done == 1);
}

TEST_CASE("SELECT * hands on the very bytes", "[rules]") {
  Rules rules({rule("SELECT * FROM 'a'", {republish("b")})});
  CHECK(rules.publish("a", "{ \"x\" : 1.0 }").at(0).payload == "{ \"x\" : 1.0 }");
  CHECK(rules.publish("a", "\xff\x00").at(0).payload == "\xff");
}

TEST_CASE("a/# in FROM does not cover a, though it does for MQTT clients", "[rules]") {
  Rules rules({rule("SELECT * FROM 'a/#'", {republish("b")})});
  MessageParts parts;
  parts.topic = "a";
  const std::uint32_t tags[] = {rules.host.filters.at("a/#")};
  Collected reaction;
  rules.service.on_message({parts, tags, {}, {}}, reaction);
  CHECK(reaction.published.empty());
}

TEST_CASE("several rules see one message, each once, in their order", "[rules]") {
  Rules rules({rule("SELECT * FROM 'a/+', 'a/b'", {republish("one")}, "r1"), rule("SELECT * FROM 'a/b'", {republish("two")}, "r2"),
               rule("SELECT * FROM '#'", {republish("three")}, "r3")});
  std::string topics;
  for (const Published& each : rules.publish("a/b", "{}")) topics += each.topic + " ";
  CHECK(topics == "one two three ");
}

TEST_CASE("a rule that is not enabled sees nothing", "[rules]") {
  RuleConfig config = rule("SELECT * FROM 'a'", {republish("b")});
  config.enabled = false;
  Rules rules({config});
  CHECK(rules.publish("a", "{}").empty());
  CHECK(rules.publish("$aws/rules/r/a", "{}").empty());
}

TEST_CASE("basic ingest reaches the rule it names and hides the prefix", "[rules]") {
  Rules rules({rule("SELECT topic() AS t, topic(2) AS level FROM 'Buildings/#'", {republish("out")}, "Building")});
  CHECK(rules.publish("$aws/rules/Building/Buildings/B5/Lights", "{}").at(0).payload == R"({"t":"Buildings/B5/Lights","level":"B5"})");
  CHECK(rules.publish("$aws/rules/Nobody/x", "{}").empty());
  CHECK(rules.host.lines.back() == "rule not found topic=$aws/rules/Nobody/x");
}

TEST_CASE("what an action may not do goes to the error action", "[rules]") {
  const auto topic = GENERATE(as<std::string>(), "forbidden", "$SYS/x", "$aws/events/presence/connected/c", "$twinmq/rules/state/r", "a/#", "");
  RuleConfig config = rule("SELECT * FROM 'a'", {republish("${get(*, 'to')}")});
  config.error_actions = {republish("errors/${topic()}")};
  Rules rules({config});
  const auto published = rules.publish("a", "{\"to\":\"" + topic + "\"}");
  REQUIRE(published.size() == 1);
  CHECK(published[0].topic == "errors/a");
  CHECK(published[0].payload.find(R"("ruleName":"r","topic":"a","cloudwatchTraceId":"2a000000-0000-4000-aa00-000000000000","clientId":"dev-1")") != std::string::npos);
  CHECK(published[0].payload.find(R"("failedAction":"RepublishAction")") != std::string::npos);
  CHECK(rules.service.counters("r")->actions_failed == 1);
}

TEST_CASE("a message has one trace id for all its rules, made when the first of them asks", "[rules]") {
  RuleConfig failing = rule("SELECT 1 AS one FROM 't'", {republish("forbidden")}, "failing");
  failing.error_actions = {republish("errors")};
  Rules rules({rule("SELECT VALUE traceid() FROM 't'", {republish("out/${traceid()}")}, "a"),
               rule("SELECT VALUE traceid() FROM 't'", {republish("b")}, "b"), failing, rule("SELECT * FROM 'quiet'", {republish("q")}, "q")});
  const int before = rules.host.drawn;
  rules.publish("quiet", "{}");
  CHECK(rules.host.drawn == before);
  const auto first = rules.publish("t", "{}");
  CHECK(rules.host.drawn == before + 2);
  rules.host.chance = 43;
  const auto second = rules.publish("t", "{}");
  CHECK(first.at(0).payload == "\"2a000000-0000-4000-aa00-000000000000\"");
  CHECK(first[0].topic == "out/2a000000-0000-4000-aa00-000000000000");
  CHECK(first.at(1).payload == first[0].payload);
  CHECK(first.at(2).payload.find(R"("cloudwatchTraceId":)" + first[0].payload) != std::string::npos);
  CHECK(second.at(0).payload != first[0].payload);
}

TEST_CASE("the trace id travels with the message to the home of a rule that remembers", "[rules]") {
  const RuleConfig stays = rule("SELECT VALUE traceid() FROM 't'", {republish("here")}, "stays");
  const RuleConfig travels = rule("SELECT traceid() AS id, lag(x) AS x FROM 't'", {republish("there")}, "travels");
  Rules away({travels, stays}, false);
  const auto sent = away.publish("t", "{}");
  REQUIRE(sent.size() == 2);
  Rules home({travels});
  home.host.chance = 7;
  CHECK(home.publish(sent[0].topic, sent[0].payload).at(0).payload == R"({"id":)" + sent[1].payload + "}");
}

TEST_CASE("accountid() is what the configuration says", "[rules]") {
  Rules rules({rule("SELECT VALUE accountid() FROM 't'", {republish("out")})});
  CHECK(rules.publish("t", "{}").at(0).payload == R"("123456789012")");
  RulesConfig other;
  other.account_id = "000000000001";
  rules.service.set_limits(other);
  CHECK(rules.publish("t", "{}").at(0).payload == R"("000000000001")");
}

TEST_CASE("a rule is warned of when it sees what it publishes", "[rules]") {
  const auto warnings = [](const RuleConfig& config) { return CompiledRule::compile(config)->warnings(); };
  CHECK(warnings(rule("SELECT * FROM 'sensors/#' WHERE a = 1", {republish("alerts/${topic(2)}")})).empty());
  CHECK(warnings(rule("SELECT * FROM 'loop'", {republish("out"), republish("loop")})) ==
        std::vector<std::string>{"FROM covers \"loop\", where an action publishes: the rule sees what it made itself, until "
                                 "limits.hops_max ends that"});
  CHECK_THAT(warnings(rule("SELECT * FROM 'a/+'", {republish("a/${get(*, 'to')}")})).at(0), Catch::StartsWith("FROM may cover"));
  RuleActionConfig shadow;
  shadow.kind = RuleActionKind::Shadow;
  shadow.thing = "${topic(3)}";
  shadow.shadow = "s";
  CHECK(warnings(rule("SELECT * FROM '$aws/things/+/shadow/name/s/update'", {shadow})).size() == 1);
  CHECK(warnings(rule("SELECT * FROM '$aws/things/+/shadow/update'", {shadow})).empty());
  RuleConfig failing = rule("SELECT * FROM 'errors/#'", {});
  failing.error_actions = {republish("errors/r")};
  CHECK(warnings(failing).size() == 1);
  CHECK_THAT(warnings(rule("SELECT a FROM 't' WHERE a = undefined", {})).at(0), Catch::Contains("use isUndefined()"));
}

TEST_CASE("shadow and log actions do what they say", "[rules]") {
  RuleActionConfig shadow;
  shadow.kind = RuleActionKind::Shadow;
  shadow.thing = "${topic(2)}";
  RuleActionConfig named = shadow;
  named.shadow = "config";
  RuleActionConfig log;
  log.kind = RuleActionKind::Log;
  log.message = "saw ${t}";
  Rules rules({rule("SELECT t FROM 'things/+'", {shadow, named, log})});
  const auto published = rules.publish("things/lamp", R"({"t":1})");
  REQUIRE(published.size() == 2);
  CHECK(published[0].topic == "$aws/things/lamp/shadow/update");
  CHECK(published[0].payload == R"({"state":{"reported":{"t":1}}})");
  CHECK(published[1].topic == "$aws/things/lamp/shadow/name/config/update");
  CHECK(rules.host.lines.back() == "rule rule=r message=saw 1");
}

TEST_CASE("templates see variables that SET names and the payload, not the result", "[rules]") {
  Rules rules({rule("SET @d = device.id SELECT 1 AS x FROM 'a'", {republish("out/${@d}", "${device.id}:${x}")})});
  const auto published = rules.publish("a", R"({"device":{"id":"d7"}})");
  CHECK(published.at(0).topic == "out/d7");
  CHECK(published.at(0).payload == "d7:");
}

TEST_CASE("FOREACH acts once for each element", "[rules]") {
  Rules rules({rule("FOREACH list AS e DO e.v AS v FROM 'a'", {republish("out")})});
  const auto published = rules.publish("a", R"({"list":[{"v":1},{"v":2}]})");
  REQUIRE(published.size() == 2);
  CHECK(published[1].payload == R"({"v":2})");
}

TEST_CASE("a rule that remembers sends its messages to its home and answers there", "[rules]") {
  const RuleConfig config = rule("SELECT lag(v) AS before, clientid() AS c FROM 'a'", {republish("out")});
  Rules away({config}, false);
  const auto sent = away.publish("a", R"({"v":1})");
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].topic == "$twinmq/rules/state/r");
  CHECK(away.service.home_key(sent[0].topic) == "r");
  CHECK(away.service.forbids(sent[0].topic, false));
  Rules home({config});
  CHECK(home.publish("$twinmq/rules/state/r", sent[0].payload).at(0).payload == R"({"c":"dev-1"})");
  CHECK(home.publish("$twinmq/rules/state/r", sent[0].payload).at(0).payload == R"({"before":1,"c":"dev-1"})");
  CHECK(home.publish("$twinmq/rules/state/r", "junk").empty());
}

TEST_CASE("what a persistent rule remembers is written with the message", "[rules]") {
  RuleConfig config = rule("SELECT a FROM 'a' WHERE once(id, '1h')", {republish("out")});
  config.persist = true;
  Rules rules({config});
  rules.publish("a", R"({"id":"x"})");
  REQUIRE(rules.batch.size() == 1);
  CHECK(rules.batch[0].key.starts_with(std::string_view("Rr\0", 3)));
}

TEST_CASE("a rule that is put sees the next message, and one that is removed none", "[rules]") {
  Rules rules({rule("SELECT * FROM 'a'", {republish("one")}, "r1")});
  rules.put(rule("SELECT * FROM 'a', 'b'", {republish("two")}, "r2"), 7);
  rules.put(rule("SELECT * FROM 'a'", {republish("zero")}, "r0"), 7);
  std::string topics;
  for (const Published& each : rules.publish("a", "{}")) topics += each.topic + " ";
  CHECK(topics == "one zero two ");
  CHECK(rules.publish("b", "{}").size() == 1);
  rules.service.remove("r2", true);
  CHECK(rules.publish("a", "{}").size() == 2);
  CHECK_FALSE(rules.host.filters.contains("b"));
  rules.service.remove("r1", true);
  rules.service.remove("r0", true);
  CHECK_FALSE(rules.host.filters.contains("a"));
  CHECK_FALSE(rules.service.counters("r1"));
  rules.put(rule("SELECT * FROM 'c'", {republish("three")}, "r3"));
  CHECK(rules.publish("c", "{}").at(0).topic == "three");
  CHECK(rules.host.counted[Metric::RuleMatched] == 7);
}

TEST_CASE("a rule that is replaced remembers while its statement is the same", "[rules]") {
  const std::string statement = "SELECT lag(v) AS before FROM 'a'";
  Rules rules({rule(statement, {republish("one")})});
  rules.publish("a", R"({"v":1})");
  rules.put(rule(statement, {republish("two")}));
  CHECK(rules.publish("a", R"({"v":2})").at(0).payload == R"({"before":1})");
  CHECK(rules.publish("a", R"({"v":2})").at(0).topic == "two");
  CHECK(rules.service.counters("r")->matched == 3);
  rules.put(rule(statement + " WHERE v > 0", {republish("three")}));
  CHECK(rules.publish("a", R"({"v":3})").at(0).payload == "{}");
  CHECK(rules.service.counters("r")->matched == 1);
  REQUIRE(rules.host.reacted.size() == 1);
  CHECK(rules.host.reacted[0].kind == Batch::Kind::EraseRange);
  CHECK(rules.host.reacted[0].key == std::string_view("Rr\0", 3));
  CHECK(rules.host.reacted[0].value == std::string_view("Rr\1", 3));
}

TEST_CASE("a rule can be switched off and on", "[rules]") {
  RuleConfig config = rule("SELECT lag(v) AS before FROM 'a'", {republish("out")});
  Rules rules({config});
  rules.publish("a", R"({"v":1})");
  config.enabled = false;
  rules.put(config);
  CHECK(rules.publish("a", R"({"v":2})").empty());
  config.enabled = true;
  rules.put(config);
  CHECK(rules.publish("a", R"({"v":3})").at(0).payload == R"({"before":1})");
}

TEST_CASE("a rule that cannot be read names itself and the place", "[rules]") {
  const auto complaint = [](const RuleConfig& config) {
    const auto compiled = CompiledRule::compile(config);
    return compiled ? std::string() : compiled.error().detail;
  };
  CHECK(complaint(rule("SELECT a FORM 'x'", {})).starts_with("rule \"r\": sql: line 1, column 10:"));
  CHECK(complaint(rule("SELECT a FROM 'x'", {republish("a/${b")})).find("never closed") != std::string::npos);
  CHECK(complaint(rule("SELECT a FROM 'x'", {republish("a/${nofunc(}")})).find("line 1, column") != std::string::npos);
  CHECK(complaint(rule("SELECT a FROM 'x'", {republish("a/${lag(b)}")})).find("remember") != std::string::npos);
  CHECK(complaint(rule("SELECT a FROM 'x'", {republish("")})).find("needs a topic") != std::string::npos);
  CHECK(complaint(rule("SELECT a FROM 'x'", {}, "a-b")).find("letters, digits and _") != std::string::npos);
  CHECK(complaint(rule("SELECT a FROM 'x'", std::vector(11, republish("t")))).find("at most 10") != std::string::npos);
}

TEST_CASE("an envelope that was cut is none", "[rules]") {
  const std::string bytes = write_envelope({"t", "p", "x", "c", "u", "a", 2, true, "i", "w"});
  const auto envelope = read_envelope(bytes);
  REQUIRE(envelope);
  CHECK(envelope->payload == "p");
  CHECK(envelope->peer == "a");
  CHECK(envelope->trace_id == "i");
  CHECK(envelope->answers == "w");
  for (std::size_t size = 0; size < bytes.size(); ++size) CHECK_FALSE(read_envelope(bytes.substr(0, size)));
}

TEST_CASE("answers that were cut are none", "[rules]") {
  const std::string bytes = write_answers({5, {{"f[1]", "2"}}});
  const auto answers = read_answers(bytes);
  REQUIRE(answers);
  CHECK(answers->seed == 5);
  CHECK(answers->by_call.at("f[1]") == "2");
  for (std::size_t size = 0; size < bytes.size(); ++size)
    if (size != sizeof answers->seed) CHECK_FALSE(read_answers(bytes.substr(0, size)));
}

namespace {

/// Functions whose answers come when the test says so.
class Later final : public sql::OutsideFunctions {
 public:
  Kind kind_of(std::string_view name) const override {
    return name == "fast" ? Kind::Fast : name.starts_with("slow") ? Kind::Pooled : Kind::None;
  }
  json::Value call(std::string_view, std::span<const json::Value> arguments, json::Arena&) override { return arguments[0]; }
  json::Value aggregate(std::string_view, std::span<const json::Value>, json::Arena&) override { return {}; }
  void submit(std::string_view name, std::string arguments, std::function<void(std::string)> done) override {
    asked.emplace_back(std::string(name) + arguments, std::move(done));
  }

  std::vector<std::pair<std::string, std::function<void(std::string)>>> asked;
};

struct Waits {
  explicit Waits(std::vector<RuleConfig> with)
      : rules(std::move(with), true,
              {functions, [this](std::uint32_t, std::function<void(Service&)> errand) { errands.push_back(std::move(errand)); },
               [this](const std::string& thing, const std::string& name, std::function<void(std::string)> done) {
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

TEST_CASE("a message waits for the answers its rules ask for, and what its publisher sends next waits behind it", "[rules]") {
  Waits waits({rule("SELECT slow(n) AS a, slow_too(slow(n)) AS b FROM 'slow'", {republish("out")}, "s"),
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
  CHECK(waits.resumed() == std::vector<std::string>{R"({"a":10,"b":{"x":[1]}})", R"({"n":2})", R"({"a":30})"});
  CHECK(waits.rules.publish("fast", R"({"n":5})").at(0).payload == R"({"n":5})");
}

TEST_CASE("a message that waits runs the rules it was published under, though they are replaced or removed", "[rules]") {
  Waits waits({rule("SELECT slow(n) AS a FROM 't'", {republish("old")}, "s"), rule("SELECT slow(n) AS a FROM 't'", {republish("gone")}, "t")});
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
    const auto compiled = CompiledRule::compile(rule(std::move(sql), std::move(actions)), &functions);
    return compiled ? std::string() : compiled.error().detail;
  };
  CHECK(fault("SELECT slow(n) AS a, fast(n) AS b FROM 't'").empty());
  CHECK(fault("SELECT aws_lambda('arn:aws:lambda:x:1:function:slow', n) AS a FROM 't'").empty());
  CHECK_THAT(fault("SELECT nobody(n) AS a FROM 't'"), Catch::Contains("there is no function nobody()"));
  CHECK_THAT(fault("SELECT slow(n) AS a, lag(n) AS b FROM 't'"), Catch::Contains("slow() of a plugin is not declared fast"));
  CHECK(fault("SELECT max(slow(n)) AS a FROM 't' WHERE slow(n) > 1 GROUP BY slow_too(n), COUNT(2)").empty());
  CHECK_THAT(fault("SELECT slow(max(n)) AS a FROM 't' GROUP BY COUNT(2)"), Catch::Contains("cannot be used in what a window yields"));
  CHECK_THAT(fault("SELECT max(n) AS a FROM 't' GROUP BY COUNT(2) HAVING slow(max(n)) > 1"), Catch::Contains("what a window yields"));
  CHECK_THAT(fault("SELECT fast(n) AS a FROM 't' GROUP BY COUNT(2)"), Catch::Contains("is no aggregate"));
  CHECK_THAT(fault("SELECT get_thing_shadow('x') AS a, lag(n) AS b FROM 't'"), Catch::Contains("get_thing_shadow() reads the store"));
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

TEST_CASE("a rule does not see what its principal may not receive", "[rules]") {
  Rules rules({rule("SELECT * FROM '#'", {republish("out")})});
  CHECK(rules.publish("forbidden", "{}").empty());
  CHECK(rules.publish("free", "{}").size() == 1);
  CHECK(rules.service.counters("r")->refused == 1);
  CHECK(rules.service.counters("r")->matched == 1);
  CHECK(rules.service.may_subscribe("r", "free"));
  CHECK_FALSE(rules.service.may_subscribe("r", "forbidden"));
}

TEST_CASE("what rules tell each other and what is ingested is hidden from clients", "[rules]") {
  Rules rules({});
  CHECK(rules.service.hides("$twinmq/rules/state/r"));
  CHECK(rules.service.hides("$aws/rules/r/t"));
  CHECK_FALSE(rules.service.hides("$aws/things/t/shadow/get"));
  CHECK(rules.service.forbids("$twinmq/rules/state/r", false));
  CHECK(rules.service.forbids("$aws/rules/r/t", true));
  CHECK_FALSE(rules.service.forbids("$aws/rules/r/t", false));
}

TEST_CASE("what decode() cannot read is counted for its rule", "[rules]") {
  Rules rules({rule("SELECT decode(d, 'hex') AS d FROM 't'", {republish("out")})});
  CHECK(rules.publish("t", R"({"d":"zz"})").at(0).payload == R"({"d":null})");
  CHECK(rules.publish("t", R"({"d":"31"})").at(0).payload == R"({"d":1})");
  CHECK(rules.service.counters("r")->undecodable == 1);
}

TEST_CASE("a window gathers what functions that answer later said of each message", "[rules]") {
  Waits waits({rule("SELECT sum(slow(n)) AS a, d FROM 't' WHERE slow_too(n) GROUP BY d, COUNT(2)", {republish("out")})});
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
  const RuleConfig windowed = rule("SELECT count(*) AS c, slow(n) AS g FROM 't' GROUP BY slow(n), COUNT(1)", {republish("out")});
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

TEST_CASE("a window that closes takes nothing from the rules that see the same message after it", "[rules]") {
  const std::string large(3 << 20, 'x');  // beyond what an arena keeps when it is emptied
  const std::vector<RuleConfig> all = {
      rule("SELECT count(*) AS n FROM 't' GROUP BY COUNT(1)", {republish("w1")}, "w1"),
      rule("SELECT d, t, name FROM 't'", {republish("plain")}, "plain"),
      rule("SELECT d, sum(t) AS s FROM 't' GROUP BY d, COUNT(1)", {republish("w2/${get(*, 'd')}")}, "w2"),
      rule("SELECT VALUE length(large) FROM 't'", {republish("large/${get(*, 'd')}")}, "large")};
  Rules rules(all);
  const auto published = rules.publish("t", R"({"d":"x\u0041","t":5,"name":"n\n","large":")" + large + "\"}");
  REQUIRE(published.size() == 4);
  CHECK(published[0].payload == R"({"n":1})");
  CHECK(published[1].payload == R"({"d":"xA","t":5,"name":"n\n"})");
  CHECK(published[2].topic == "w2/xA");
  CHECK(published[2].payload == R"({"d":"xA","s":5})");
  CHECK(published[3].topic == "large/xA");
  CHECK(published[3].payload == std::to_string(large.size()));
}

TEST_CASE("a window that closes is an event, where somebody hears it", "[rules]") {
  Rules rules({rule("SELECT count(*) AS n FROM 't' GROUP BY d, TUMBLING('10s')", {republish("out")}, "time"),
               rule("SELECT count(*) AS n FROM 'c' GROUP BY d, COUNT(2)", {republish("out")}, "count"),
               rule("SELECT count(*) AS n FROM '$twinmq/events/window/+' GROUP BY COUNT(1)", {republish("out")}, "listener")});
  rules.host.heard = true;
  rules.publish("t", R"({"d":1})");
  rules.publish("t", R"({"d":2})");
  const auto pass = [&](std::int64_t seconds) {
    rules.host.at.steady += Seconds(seconds);
    rules.host.at.wall += Seconds(seconds);
    Collected reaction;
    rules.service.on_time(reaction);
    return reaction.published;
  };
  const auto closed = pass(10);
  REQUIRE(closed.size() == 3);
  CHECK(closed[2].topic == "$twinmq/events/window/time");
  CHECK(closed[2].payload == R"({"rule":"time","windowStart":1700000000000,"windowEnd":1700000010000,"groups":2,"timestamp":1700000010000})");
  CHECK(pass(10).empty());
  CHECK(rules.publish("c", R"({"d":1})").empty());
  const auto counted = rules.publish("c", R"({"d":1})");
  REQUIRE(counted.size() == 2);
  CHECK(counted[1].topic == "$twinmq/events/window/count");
  // A rule that listens to such events makes none.
  CHECK(rules.publish(counted[1].topic, counted[1].payload).size() == 1);
  rules.host.heard = false;
  rules.publish("c", R"({"d":1})");
  CHECK(rules.publish("c", R"({"d":1})").size() == 1);
  rules.host.heard = true;
  rules.publish("c", R"({"d":1})");
  CHECK(rules.publish("c", R"({"d":1})").size() == 2);
}

TEST_CASE("limits of the configuration hold for the evaluations to come", "[rules]") {
  RulesConfig tight;
  Rules rules({rule("SELECT VALUE length(replace(concat(a, a), 'y', 'z')) FROM 't'", {republish("out")}),
               rule("SELECT VALUE once(a, '1h') FROM 'once'", {republish("once")}, "once")});
  const std::string payload = "{\"a\":\"" + std::string(100'000, 'x') + "\"}";
  CHECK(rules.publish("t", payload).at(0).payload == "200000");
  tight.memory_bytes_max = 65'536;
  rules.service.set_limits(tight);
  CHECK(rules.publish("t", payload).empty());
  CHECK(rules.service.counters("r")->memory_spent == 1);
  tight = {};
  tight.steps_max = 1000;
  rules.service.set_limits(tight);
  CHECK(rules.publish("t", payload).empty());
  CHECK(rules.service.counters("r")->steps_spent == 1);
  rules.service.set_limits({});
  CHECK(rules.publish("t", payload).size() == 1);

  // The memory of rules to come: the oldest identifier is forgotten.
  tight = {};
  tight.state_cells_max = 16;
  rules.service.set_limits(tight);
  rules.service.remove("once", true);
  rules.put(rule("SELECT 1 AS fresh FROM 'once' WHERE once(a, '1h') OVER (PARTITION BY a)", {republish("once")}, "once"));
  for (int i = 0; i < 17; ++i) {
    rules.host.at.wall += Milliseconds(1);
    CHECK(rules.publish("once", "{\"a\":" + std::to_string(i) + "}").size() == 1);
  }
  CHECK(rules.publish("once", R"({"a":16})").empty());
  CHECK(rules.publish("once", R"({"a":0})").size() == 1);
}

TEST_CASE("a message waits for what the texts of its actions ask, unless the statement does not match", "[rules]") {
  Waits waits({rule("SELECT n FROM 't' WHERE n > 1", {republish("out/${slow(n)}", "${slow_too(n)}")})});
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
  Waits waits({rule("SELECT get_thing_shadow(d, 'light').state.reported.on AS on FROM 't'", {republish("out")}),
               rule("SELECT get_or_default(get_thing_shadow(d), 'unknown') AS whole FROM 't'", {republish("out/${get_thing_shadow(d).v}")}, "s")});
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
