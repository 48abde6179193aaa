#include "modules/rules/rules_service.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "modules/rules/envelope.hpp"
#include "modules/rules/rule_actions.hpp"
#include "modules/rules/rule_world.hpp"
#include "modules/rules/running_rule.hpp"
#include "modules/rules/seen_message.hpp"
#include "mqtt/properties.hpp"
#include "one_shard.hpp"

namespace twinmq::rules {

TEST_CASE("a rule publishes its result where its template says", "[rules]") {
  RuleActionConfig action = republish("alerts/${topic(2)}/${get(*, 'site')}");
  action.qos = 1;
  action.retain = true;
  action.content_type = "application/json";
  action.user_properties = {"from=${clientid()}", "at=${timestamp()}"};
  Rules rules(
      {rule("SELECT t AS temperature, principal() AS who, sourceip() AS ip FROM 'sensors/+/data' "
            "WHERE t > 50",
            {action})});
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
  Rules rules({rule("SELECT * FROM 'a/+', 'a/b'", {republish("one")}, "r1"),
               rule("SELECT * FROM 'a/b'", {republish("two")}, "r2"),
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
  Rules rules({rule("SELECT topic() AS t, topic(2) AS level FROM 'Buildings/#'", {republish("out")},
                    "Building")});
  CHECK(rules.publish("$aws/rules/Building/Buildings/B5/Lights", "{}").at(0).payload ==
        R"({"t":"Buildings/B5/Lights","level":"B5"})");
  CHECK(rules.publish("$aws/rules/Nobody/x", "{}").empty());
  CHECK(rules.host.lines.back() == "rule not found topic=$aws/rules/Nobody/x");
}

TEST_CASE("what an action may not do goes to the error action", "[rules]") {
  const auto topic =
      GENERATE(as<std::string>(), "forbidden", "$SYS/x", "$aws/events/presence/connected/c",
               "$twinmq/rules/state/r", "a/#", "");
  RuleConfig config = rule("SELECT * FROM 'a'", {republish("${get(*, 'to')}")});
  config.error_actions = {republish("errors/${topic()}")};
  Rules rules({config});
  const auto published = rules.publish("a", "{\"to\":\"" + topic + "\"}");
  REQUIRE(published.size() == 1);
  CHECK(published[0].topic == "errors/a");
  CHECK(
      published[0].payload.find(
          R"("ruleName":"r","topic":"a","cloudwatchTraceId":"2a000000-0000-4000-aa00-000000000000","clientId":"dev-1")") !=
      std::string::npos);
  CHECK(published[0].payload.find(R"("failedAction":"RepublishAction")") != std::string::npos);
  CHECK(rules.service.counters("r")->actions_failed == 1);
}

TEST_CASE("a message has one trace id for all its rules, made when the first of them asks",
          "[rules]") {
  RuleConfig failing = rule("SELECT 1 AS one FROM 't'", {republish("forbidden")}, "failing");
  failing.error_actions = {republish("errors")};
  Rules rules({rule("SELECT VALUE traceid() FROM 't'", {republish("out/${traceid()}")}, "a"),
               rule("SELECT VALUE traceid() FROM 't'", {republish("b")}, "b"), failing,
               rule("SELECT * FROM 'quiet'", {republish("q")}, "q")});
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
  CHECK(first.at(2).payload.find(R"("cloudwatchTraceId":)" + first[0].payload) !=
        std::string::npos);
  CHECK(second.at(0).payload != first[0].payload);
}

TEST_CASE("the trace id travels with the message to the home of a rule that remembers", "[rules]") {
  const RuleConfig stays = rule("SELECT VALUE traceid() FROM 't'", {republish("here")}, "stays");
  const RuleConfig travels =
      rule("SELECT traceid() AS id, lag(x) AS x FROM 't'", {republish("there")}, "travels");
  Rules away({travels, stays}, false);
  const auto sent = away.publish("t", "{}");
  REQUIRE(sent.size() == 2);
  Rules home({travels});
  home.host.chance = 7;
  CHECK(home.publish(sent[0].topic, sent[0].payload).at(0).payload ==
        R"({"id":)" + sent[1].payload + "}");
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
  const auto warnings = [](const RuleConfig& config) {
    return CompiledRule::compile(config)->warnings();
  };
  CHECK(warnings(rule("SELECT * FROM 'sensors/#' WHERE a = 1", {republish("alerts/${topic(2)}")}))
            .empty());
  CHECK(warnings(rule("SELECT * FROM 'loop'", {republish("out"), republish("loop")})) ==
        std::vector<std::string>{"FROM covers \"loop\", where an action publishes: the rule sees "
                                 "what it made itself, until "
                                 "limits.hops_max ends that"});
  CHECK_THAT(warnings(rule("SELECT * FROM 'a/+'", {republish("a/${get(*, 'to')}")})).at(0),
             Catch::StartsWith("FROM may cover"));
  RuleActionConfig shadow;
  shadow.kind = RuleActionKind::Shadow;
  shadow.thing = "${topic(3)}";
  shadow.shadow = "s";
  CHECK(warnings(rule("SELECT * FROM '$aws/things/+/shadow/name/s/update'", {shadow})).size() == 1);
  CHECK(warnings(rule("SELECT * FROM '$aws/things/+/shadow/update'", {shadow})).empty());
  RuleConfig failing = rule("SELECT * FROM 'errors/#'", {});
  failing.error_actions = {republish("errors/r")};
  CHECK(warnings(failing).size() == 1);
  CHECK_THAT(warnings(rule("SELECT a FROM 't' WHERE a = undefined", {})).at(0),
             Catch::Contains("use isUndefined()"));
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
  Rules rules({rule("SET @d = device.id SELECT 1 AS x FROM 'a'",
                    {republish("out/${@d}", "${device.id}:${x}")})});
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
  const RuleConfig config =
      rule("SELECT lag(v) AS before, clientid() AS c FROM 'a'", {republish("out")});
  Rules away({config}, false);
  const auto sent = away.publish("a", R"({"v":1})");
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].topic == "$twinmq/rules/state/r");
  CHECK(away.service.home_key(sent[0].topic) == "r");
  CHECK(away.service.forbids(sent[0].topic, false));
  Rules home({config});
  CHECK(home.publish("$twinmq/rules/state/r", sent[0].payload).at(0).payload == R"({"c":"dev-1"})");
  CHECK(home.publish("$twinmq/rules/state/r", sent[0].payload).at(0).payload ==
        R"({"before":1,"c":"dev-1"})");
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
  CHECK(
      complaint(rule("SELECT a FORM 'x'", {})).starts_with("rule \"r\": sql: line 1, column 10:"));
  CHECK(complaint(rule("SELECT a FROM 'x'", {republish("a/${b")})).find("never closed") !=
        std::string::npos);
  CHECK(complaint(rule("SELECT a FROM 'x'", {republish("a/${nofunc(}")})).find("line 1, column") !=
        std::string::npos);
  CHECK(complaint(rule("SELECT a FROM 'x'", {republish("a/${lag(b)}")})).find("remember") !=
        std::string::npos);
  CHECK(complaint(rule("SELECT a FROM 'x'", {republish("")})).find("needs a topic") !=
        std::string::npos);
  CHECK(complaint(rule("SELECT a FROM 'x'", {}, "a-b")).find("letters, digits and _") !=
        std::string::npos);
  CHECK(complaint(rule("SELECT a FROM 'x'", std::vector(11, republish("t")))).find("at most 10") !=
        std::string::npos);
}

TEST_CASE("an envelope that was cut is none", "[rules]") {
  const std::string bytes = write_envelope({"t", "p", "x", "c", "u", "a", 2, true, "i", "w"});
  const auto envelope = read_envelope(bytes);
  REQUIRE(envelope);
  CHECK(envelope->payload == "p");
  CHECK(envelope->peer == "a");
  CHECK(envelope->trace_id == "i");
  CHECK(envelope->answers == "w");
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK_FALSE(read_envelope(bytes.substr(0, size)));
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

TEST_CASE("a window that closes takes nothing from the rules that see the same message after it",
          "[rules]") {
  const std::string large(3 << 20, 'x');  // beyond what an arena keeps when it is emptied
  const std::vector<RuleConfig> all = {
      rule("SELECT count(*) AS n FROM 't' GROUP BY COUNT(1)", {republish("w1")}, "w1"),
      rule("SELECT d, t, name FROM 't'", {republish("plain")}, "plain"),
      rule("SELECT d, sum(t) AS s FROM 't' GROUP BY d, COUNT(1)", {republish("w2/${get(*, 'd')}")},
           "w2"),
      rule("SELECT VALUE length(large) FROM 't'", {republish("large/${get(*, 'd')}")}, "large")};
  Rules rules(all);
  const auto published =
      rules.publish("t", R"({"d":"x\u0041","t":5,"name":"n\n","large":")" + large + "\"}");
  REQUIRE(published.size() == 4);
  CHECK(published[0].payload == R"({"n":1})");
  CHECK(published[1].payload == R"({"d":"xA","t":5,"name":"n\n"})");
  CHECK(published[2].topic == "w2/xA");
  CHECK(published[2].payload == R"({"d":"xA","s":5})");
  CHECK(published[3].topic == "large/xA");
  CHECK(published[3].payload == std::to_string(large.size()));
}

TEST_CASE("a window that closes is an event, where somebody hears it", "[rules]") {
  Rules rules(
      {rule("SELECT count(*) AS n FROM 't' GROUP BY d, TUMBLING('10s')", {republish("out")},
            "time"),
       rule("SELECT count(*) AS n FROM 'c' GROUP BY d, COUNT(2)", {republish("out")}, "count"),
       rule("SELECT count(*) AS n FROM '$twinmq/events/window/+' GROUP BY COUNT(1)",
            {republish("out")}, "listener")});
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
  CHECK(
      closed[2].payload ==
      R"({"rule":"time","windowStart":1700000000000,"windowEnd":1700000010000,"groups":2,"timestamp":1700000010000})");
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
  Rules rules(
      {rule("SELECT VALUE length(replace(concat(a, a), 'y', 'z')) FROM 't'", {republish("out")}),
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
  rules.put(rule("SELECT 1 AS fresh FROM 'once' WHERE once(a, '1h') OVER (PARTITION BY a)",
                 {republish("once")}, "once"));
  for (int i = 0; i < 17; ++i) {
    rules.host.at.wall += Milliseconds(1);
    CHECK(rules.publish("once", "{\"a\":" + std::to_string(i) + "}").size() == 1);
  }
  CHECK(rules.publish("once", R"({"a":16})").empty());
  CHECK(rules.publish("once", R"({"a":0})").size() == 1);
}

}  // namespace twinmq::rules
