// Every test vector of the shadow service through the pure machine.
#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "modules/shadow/shadow_machine.hpp"
#include "unit/shadow/trees.hpp"

namespace twinmq::shadow::test {
namespace {

Json load_vectors() {
  std::ifstream file(TWINMQ_SOURCE_DIR "/tests/vectors/shadow.json");
  return Json::parse(file);
}

std::string record_of(const Json& given) {
  Arena arena;
  Document document;
  document.version = given["version"].get<std::int64_t>();
  document.changed = 500;
  const Json& metadata = given["metadata"];
  for (const auto& [key, section] : given["state"].items())
    (key == "desired" ? document.desired : document.reported) =
        dated(section, metadata[key], arena);
  std::string record;
  write_record(document, record);
  return record;
}

std::string tombstone_of(std::int64_t version) {
  Document document;
  document.version = version;
  document.changed = 900;
  document.deleted = true;
  std::string record;
  write_record(document, record);
  return record;
}

// Removes "a.b" from both, so that what a vector does not judge is not compared.
void forget(Json& json, const std::string& path) {
  Json* at = &json;
  std::size_t from = 0;
  for (std::size_t dot = path.find('.'); dot != path.npos; dot = path.find('.', from)) {
    const std::string key = path.substr(from, dot - from);
    if (!at->is_object() || !at->contains(key)) return;
    at = &(*at)[key];
    from = dot + 1;
  }
  if (at->is_object()) at->erase(path.substr(from));
}

struct World {
  ShadowMachine machine{ShadowRules{}};
  std::optional<std::string> stored;

  void step(const Json& step, const std::string& thing, const std::string& name) {
    const Json& asked = step["request"];
    const std::string topic = asked["topic"].get<std::string>();
    const ShadowTopic read = read_topic(topic);
    REQUIRE(read.kind == TopicKind::Request);
    CHECK(read.shadow == ShadowName{thing, name});
    std::string payload;
    if (asked.contains("payload")) payload = asked["payload"].dump();
    if (asked.contains("rawPayload")) payload = asked["rawPayload"].get<std::string>();
    ShadowRequest request;
    request.operation = read.operation;
    request.shadow = read.shadow;
    request.payload = payload;
    request.now = step["now"].get<EpochSeconds>();
    const std::optional<std::string_view> before = stored;
    const Outcome& outcome = machine.handle(request, before);
    judge(step, outcome);
    if (outcome.change == Outcome::Change::Put) stored = outcome.record;
    if (outcome.change == Outcome::Change::Erase) stored.reset();
    if (step.contains("expectStored")) judge_stored(step["expectStored"]);
  }

  void judge(const Json& step, const Outcome& outcome) {
    std::map<std::string, std::string> published;
    for (const ShadowMessage& message : outcome.messages) {
      if (message.topic.starts_with("$twinmq/")) continue;
      INFO(message.topic << " was published twice");
      CHECK(published.emplace(message.topic, message.payload).second);
    }
    for (const Json& expected : step["expectPublished"]) {
      const std::string topic = expected["topic"].get<std::string>();
      INFO(topic);
      REQUIRE(published.contains(topic));
      Json wanted = expected["payload"];
      Json got = Json::parse(published[topic]);
      published.erase(topic);
      if (expected.contains("ignore")) {
        for (const Json& path : expected["ignore"]) {
          forget(wanted, path.get<std::string>());
          forget(got, path.get<std::string>());
        }
      }
      if (topic.ends_with("/rejected") && !wanted.contains("timestamp")) got.erase("timestamp");
      CHECK(got == wanted);
    }
    INFO("published beyond what is expected: " << (published.empty() ? ""
                                                                     : published.begin()->first));
    CHECK(published.empty());
  }

  void judge_stored(const Json& wanted) {
    Arena arena;
    Document document;
    if (stored) REQUIRE(read_record(*stored, arena, document));
    if (wanted.is_null()) {
      CHECK((!stored || document.deleted));
      return;
    }
    REQUIRE(stored);
    CHECK(shown(document) == wanted);
  }
};

}  // namespace

TEST_CASE("every vector of the shadow service is met", "[shadow]") {
  const Json all = load_vectors();
  for (const Json& vector : all["vectors"]) {
    INFO(vector["id"] << ": " << vector["title"] << " (" << vector["confidence"] << ")");
    World world;
    if (!vector["given"].is_null()) world.stored = record_of(vector["given"]);
    if (vector.contains("givenTombstoneVersion"))
      world.stored = tombstone_of(vector["givenTombstoneVersion"].get<std::int64_t>());
    const std::string name =
        vector["shadowName"].is_null() ? "" : vector["shadowName"].get<std::string>();
    for (const Json& step : vector["steps"])
      world.step(step, vector["thing"].get<std::string>(), name);
  }
}

}  // namespace twinmq::shadow::test
