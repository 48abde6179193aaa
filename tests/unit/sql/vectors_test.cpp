// The vectors of AWS IoT SQL, evaluated in the process.
#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <string>

#include "json/write.hpp"
#include "sql/base64.hpp"
#include "sql/statement.hpp"

namespace twinmq::sql {
namespace {

using json::Value;

class Zones : public World {
 public:
  std::optional<std::string> zone_file(std::string_view name) override {
    std::ifstream file("/usr/share/zoneinfo/" + std::string(name), std::ios::binary);
    if (!file) return std::nullopt;
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
};

std::string file_text() {
  std::ifstream file(TWINMQ_SOURCE_DIR "/tests/rules/rules-sql.json");
  REQUIRE(file);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::string payload_of(const Value& vector) {
  if (const Value text = vector.member("payloadText"); !text.is_undefined())
    return std::string(text.text());
  if (const Value bytes = vector.member("payloadBase64"); !bytes.is_undefined())
    return from_base64(bytes.text()).value();
  return json::text_of(vector.member("payload"), json::Numbers::AsWritten);
}

std::vector<UserProperty> properties_of(const Value& vector) {
  std::vector<UserProperty> properties;
  const Value list = vector.member("userProperties");
  for (std::size_t i = 0; !list.item(i).is_undefined(); ++i)
    properties.push_back({list.item(i).item(0).text(), list.item(i).item(1).text()});
  return properties;
}

std::string shown(const Evaluated& evaluated, std::string_view payload) {
  if (evaluated.outcome != Outcome::Match) return "\"no match\"";
  if (evaluated.raw) return R"({"$raw":")" + to_base64(payload) + "\"}";
  return evaluated.value.is_undefined() ? "\"undefined\"" : json::text_of(evaluated.value);
}

std::string evaluate_vector(const Value& vector, Dialect dialect) {
  const auto statement =
      Statement::compile(vector.member("sql").text(),
                         {dialect, version_of(vector.member("sqlVersion").text()).value()});
  if (!statement) return describe(vector.member("sql").text(), statement.error());
  const std::string bytes = payload_of(vector);
  const auto properties = properties_of(vector);
  Event event;
  const std::string_view topic = vector.member("topic").text();
  const auto ingest = basic_ingest(topic);
  event.topic = ingest ? ingest->topic : topic;
  event.now = 1'700'000'000'000;
  event.client_id =
      vector.member("clientId").is_undefined() ? "dev-1" : vector.member("clientId").text();
  event.user_properties = properties;
  json::Arena arena;
  Payload payload(bytes_of(bytes), arena);
  State state;
  Scratch scratch;
  Zones zones;
  Evaluated evaluated{Outcome::OtherTopic};
  if (ingest || statement->covers(topic))
    evaluated = statement->evaluate(event, payload, &zones, state, scratch);
  return shown(evaluated, bytes);
}

}  // namespace

TEST_CASE("every vector that is documented or inferred has the value AWS documents", "[sql]") {
  const std::string text = file_text();
  json::Arena arena(64 << 20);
  const json::ReadResult file = json::read(text, arena);
  REQUIRE(file);
  const Dialect dialect = GENERATE(Dialect::Aws, Dialect::Twinmq);
  const Value vectors = file.value.member("vectors");
  REQUIRE(vectors.items().size() > 150);
  for (const Value& vector : vectors.items()) {
    const std::string_view confidence = vector.member("confidence").text();
    if (confidence == "extension" && dialect == Dialect::Aws) continue;
    const std::string result = evaluate_vector(vector, dialect);
    const std::string expected = json::text_of(vector.member("expected"));
    json::Arena own;
    const bool same = json::equal(json::read(result, own).value, vector.member("expected"));
    INFO(vector.member("id").text() << " " << vector.member("sql").text() << "\nresult   " << result
                                    << "\nexpected " << expected);
    if (confidence != "doubtful")
      CHECK(same);
    else if (!same)
      WARN("differs from a doubtful vector: "
           << vector.member("id").text() << " " << vector.member("sql").text() << "\nresult   "
           << result << "\nexpected " << expected << "\nnote     " << vector.member("note").text());
  }
}

}  // namespace twinmq::sql
