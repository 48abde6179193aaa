// Statements as AWS's own pages show them, in its dialect.
#include <catch2/catch.hpp>
#include <string>

#include "sql/template.hpp"
#include "sql_world.hpp"

namespace twinmq::sql {
namespace {

std::string answer(std::string_view sql, std::string_view payload,
                   std::string_view topic = "topic/subtopic") {
  Bench bench(sql, {Dialect::Aws, Version::V2016});
  bench.event.topic = topic;
  bench.world.files.tables["table_name"] =
      *LookupTable::read_json(R"({"partition_value": {"alarm": "ON"}})", 1 << 16);
  return bench.run(payload);
}

constexpr std::string_view kColors =
    R"({"color":{"red":255,"green":255,"blue":255},"temperature":50})";
constexpr std::string_view kEntries =
    R"({"e":[{"n":"temperature","u":"Cel","t":1234,"v":22.5},{"n":"light","u":"lm","t":1235,"v":135},{"n":"acidity","u":"pH","t":1235,"v":7}]})";

}  // namespace

TEST_CASE("AWS's sample statements run", "[sql]") {
  CHECK(answer("SELECT color AS rgb FROM 'topic/subtopic'", kColors) ==
        R"({"rgb":{"red":255,"green":255,"blue":255}})");
  CHECK(answer("SELECT color.red AS red_value FROM 'topic/subtopic'", kColors) ==
        R"({"red_value":255})");
  CHECK(answer("SELECT VALUE color FROM 'topic/subtopic'", kColors) ==
        R"({"red":255,"green":255,"blue":255})");
  CHECK(answer("SELECT *, clientid() as MQTTClientId FROM 'topic/#'", R"({"a":1})") ==
        R"({"a":1,"MQTTClientId":"dev-1"})");
  CHECK(answer("SELECT temperature FROM 'topic/subtopic' WHERE temperature > 49", kColors) ==
        R"({"temperature":50})");
  CHECK(answer("SELECT * FROM 'topic/subtopic' WHERE timestamp() % 12 = 8", "{}") == "{}");
  CHECK(answer("SELECT *, topic(3) as device FROM 'sensors/+/+'", "{}", "sensors/hall/s1") ==
        R"({"device":"s1"})");
  CHECK(answer("SELECT color AS payload.rgb, 1 AS payload.n FROM 'topic/subtopic'",
               R"({"color":"red"})") == R"({"payload":{"rgb":"red","n":1}})");
  CHECK(answer("SELECT encode(*, 'base64') AS data, timestamp() AS ts FROM 'topic/subtopic'",
               "\x01\x02") == R"({"data":"AQI=","ts":1700000000000})");
  CHECK(answer("SELECT decode(encode(*, 'base64'), 'base64') AS payload FROM 'topic'", "hello") ==
        R"({"payload":"hello"})");
  CHECK(answer("SELECT * FROM 'topic/subtopic' WHERE decode(encode(*, 'base64'), 'base64') > 50",
               "80") == "80");
}

TEST_CASE("AWS's sample statements with nested queries, CASE and SET run", "[sql]") {
  CHECK(answer("SELECT (SELECT v FROM e WHERE n = 'temperature') as temperature FROM 'my/topic'",
               kEntries) == R"({"temperature":[{"v":22.5}]})");
  CHECK(answer(
            "SELECT get((SELECT v FROM e WHERE n = 'temperature'),0).v as temperature FROM 'topic'",
            kEntries) == R"({"temperature":22.5})");
  CHECK(answer("SELECT * FROM 'topic/subtopic' WHERE EXISTS (SELECT * FROM e WHERE n = 'nothing')",
               kEntries)
            .starts_with("no match"));
  CHECK(answer("SELECT 3 IN arr AS hit FROM 'a/b'", R"({"arr":[1,2,3,"x"]})") == R"({"hit":true})");
  CHECK(answer("SELECT color, CASE color WHEN 'green' THEN 'go' WHEN 'yellow' THEN 'caution' WHEN "
               "'red' THEN 'stop' ELSE "
               "'you are not at a stop light' END as instructions FROM 'rules/traffic'",
               R"({"color":"yellow"})") == R"({"color":"yellow","instructions":"caution"})");
  CHECK(answer("SET @temp = (f - 32) * 5 / 9, @hot = @temp > 23 SELECT @hot AS hot, round(@temp) "
               "AS celsius FROM 'topic/subtopic'",
               R"({"f":75})") == R"({"hot":true,"celsius":24})");
  CHECK(answer("SELECT transform(\"enrichArray\", attributes, values) FROM 'my_topic'",
               R"({"attributes":{"data1":1,"data2":2},"values":[{"a":3},{"b":4}]})") ==
        R"({"transform":[{"a":3,"data1":1,"data2":2},{"b":4,"data1":1,"data2":2}]})");
}

TEST_CASE("AWS's sample statements that look outside run", "[sql]") {
  CHECK(answer("SELECT aws_lambda(\"arn:aws:lambda:us-east-1:123456789012:function:twice\", 21) as "
               "output FROM 'topic/subtopic'",
               "{}") == R"({"output":42})");
  CHECK(answer("SELECT "
               "get_thing_shadow(\"lamp\",\"arn:aws:iam::123456789012:role/"
               "AllowsThingShadowAccess\").state.reported.on AS alarm "
               "FROM 'topic/subtopic'",
               "{}") == R"({"alarm":true})");
  CHECK(answer("SELECT get_dynamodb(\"table_name\", \"partition_key\", \"partition_value\", "
               "\"arn:aws:iam::1:role/r\").alarm AS alarm FROM 'topic/subtopic'",
               "{}") == R"({"alarm":"ON"})");
  CHECK(answer("SELECT get_mqtt_property('content_type') AS type, get_user_properties('key') AS "
               "all FROM 'topic/subtopic'",
               "{}") == "{}");
  CHECK(answer("SELECT VALUE decode(*, 'proto', 's3-bucket', 'messageformat.desc', 'myproto', "
               "'messagetype') FROM 'some/topic'",
               "x") == "null");
}

TEST_CASE("AWS's sample templates render", "[sql]") {
  const auto statement =
      Statement::compile("SELECT * FROM 'topic/subtopic'", {Dialect::Aws, Version::V2016});
  REQUIRE(statement);
  TestWorld world;
  Event event{.topic = "topic/subtopic", .client_id = "dev-1"};
  event.now = 1'700'000'000'000;
  const auto rendered = [&](std::string_view text) {
    auto compiled = Template::compile(text, *statement, Dialect::Aws);
    if (!compiled) return describe(text, compiled.error());
    json::Arena document;
    Payload payload(bytes_of(std::string_view(R"({"device_id":"d7"})")), document);
    Scratch scratch;
    std::string made;
    return compiled->render(event, payload, &world, scratch, {}, made) ? made
                                                                       : std::string("failed");
  };
  CHECK(rendered("device/${device_id}") == "device/d7");
  CHECK(rendered("${topic()}/${timestamp()}") == "topic/subtopic/1700000000000");
  CHECK(rendered("${replace(topic(), '/', '-') + '-' + timestamp()}") ==
        "topic-subtopic-1700000000000");
  CHECK(rendered("${parse_time(\"yyyy.MM.dd HH:mm\", timestamp(), 'America/Los_Angeles')}") ==
        "2023.11.14 14:13");
  CHECK(rendered("${timestamp() / 1E3}") == "1700000000");
}

}  // namespace twinmq::sql
