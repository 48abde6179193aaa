#include "modules/rules/rules_service.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <string>
#include <vector>

#include "modules/rules/compiled_rule.hpp"
#include "modules/rules/envelope.hpp"
#include "mqtt/properties.hpp"
#include "sql/statement.hpp"

namespace twinmq::rules {
namespace {

struct Published {
  std::string topic;
  std::string payload;
  std::string properties;
  QoS qos = QoS::AtMostOnce;
  bool retain = false;
};

class Collected final : public Reaction {
 public:
  Batch& records() override { return batch; }
  void publish(const MessageParts& message) override {
    published.push_back({std::string(message.topic), std::string(message.payload), std::string(message.properties),
                         message.qos, message.retain});
  }
  void publish_after_commit(const MessageParts&) override {}
  void after_commit(std::function<void()>) override {}
  void refuse() override {}
  HeldTransaction hold() override { return 0; }

  Batch batch;
  std::vector<Published> published;
};

class Host final : public ServiceHost {
 public:
  std::uint32_t shard() const override { return 0; }
  std::uint32_t shards() const override { return home ? 1 : 2; }
  bool is_home(std::string_view) const override { return home; }
  Now now() const override { return {Instant{}, WallTime(Milliseconds(1'700'000'000'000))}; }
  std::uint64_t random() override { return 42; }
  void subscribe(std::string_view filter, std::uint32_t tag) override { filters[std::string(filter)] = tag; }
  void unsubscribe(std::string_view) override {}
  void react(const std::function<void(Reaction&)>&) override {}
  void read(StoreRange, std::function<void(Result<StoreEntries>)>) override {}
  void resume(HeldTransaction, const std::function<void(Reaction&)>&) override {}
  bool may(const Identity& identity, Action, std::string_view topic, QoS, bool) const override {
    return identity.principal.starts_with("rule:") && topic != "forbidden";
  }
  void log(LogLevel, std::string_view event, const std::string& detail) const override {
    lines.push_back(std::string(event) + " " + detail);
  }

  bool home = true;
  std::map<std::string, std::uint32_t> filters;
  mutable std::vector<std::string> lines;
};

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
  explicit Rules(std::vector<RuleConfig> rules, bool home = true)
      : service({}, rules, nullptr) {
    host.home = home;
    service.attach(host);
  }

  std::vector<Published> publish(std::string_view topic, std::string_view payload, std::string_view properties = {}) {
    std::vector<std::uint32_t> tags;
    for (const auto& [filter, tag] : host.filters)
      if (sql::filter_covers(filter, topic) && tag != 0) tags.push_back(tag);
    MessageParts parts;
    parts.topic = topic;
    parts.payload = payload;
    parts.properties = properties;
    parts.publisher = "dev-1";
    parts.qos = QoS::AtLeastOnce;
    Collected reaction;
    service.on_message({parts, tags, "alice", "10.0.0.7:1234"}, reaction);
    batch = reaction.batch;
    return reaction.published;
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
  CHECK(published[0].payload.find(R"("ruleName":"r","topic":"a","clientId":"dev-1")") != std::string::npos);
  CHECK(published[0].payload.find(R"("failedAction":"RepublishAction")") != std::string::npos);
  CHECK(rules.service.counters("r")->actions_failed == 1);
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
  const std::string bytes = write_envelope({"t", "p", "x", "c", "u", "a", 2, true});
  const auto envelope = read_envelope(bytes);
  REQUIRE(envelope);
  CHECK(envelope->payload == "p");
  CHECK(envelope->peer == "a");
  for (std::size_t size = 0; size < bytes.size(); ++size) CHECK_FALSE(read_envelope(bytes.substr(0, size)));
}

}  // namespace twinmq::rules
