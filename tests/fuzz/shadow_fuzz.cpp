// The first byte chooses operation and rules, a line names the topic, the rest are payloads, one
// per zero byte. Held against what must be true of every outcome.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fuzz/require.hpp"
#include "modules/shadow/shadow_machine.hpp"

namespace twinmq::shadow {
namespace {

// What was written can be read, and says the same.
void check_json(std::string_view text) {
  Arena arena;
  JsonReader reader;
  Node node;
  TWINMQ_REQUIRE(reader.read(text, 0, arena, node) == Reading::Good);
  std::string again;
  write_value(node, again);
  TWINMQ_REQUIRE(again.size() == value_bytes(node));
  Node back;
  TWINMQ_REQUIRE(reader.read(again, 0, arena, back) == Reading::Good);
  TWINMQ_REQUIRE(same_value(node, back));
}

// A difference applied to what is reported leaves none, where it replaces no object by an empty
// one.
void check_document(const Document& document, Arena& arena) {
  const std::optional<Node> delta = difference(document.desired, document.reported, arena);
  if (!delta) return;
  const SectionChange change{SectionChange::Kind::Merged, *delta};
  const std::optional<Node> reported = merged(document.reported, change, {}, arena);
  TWINMQ_REQUIRE(!difference(document.desired, reported, arena));
}

void check_outcome(const Outcome& outcome, const ShadowRules& rules) {
  check_json(outcome.body);
  for (const ShadowMessage& message : outcome.messages) {
    check_json(message.payload);
    TWINMQ_REQUIRE(read_topic(message.topic).kind == TopicKind::Answer);
  }
  if (outcome.code != 200)
    TWINMQ_REQUIRE(outcome.change == Outcome::Change::None && !outcome.message.empty());
  if (outcome.change != Outcome::Change::Put) return;
  Arena arena;
  Document document;
  TWINMQ_REQUIRE(read_record(outcome.record, arena, document));
  TWINMQ_REQUIRE(document_bytes(document) <= rules.document_bytes_max);
  std::string again;
  write_record(document, again);
  TWINMQ_REQUIRE(again == outcome.record);
  check_document(document, arena);
}

void run(std::string_view input) {
  if (input.empty()) return;
  const auto choice = static_cast<std::uint8_t>(input.front());
  input.remove_prefix(1);
  {
    Arena arena;
    Document document;
    if (read_record(input, arena, document)) check_document(document, arena);
  }
  const std::size_t line = input.find('\n');
  const std::string_view topic = input.substr(0, line);
  input = line == input.npos ? std::string_view() : input.substr(line + 1);
  const ShadowTopic read = read_topic(topic);
  ShadowRules rules;
  rules.request.strict_state = (choice & 1) != 0;
  rules.merge.keep_null_objects = (choice & 2) != 0;
  rules.tombstone_seconds = (choice & 4) != 0 ? 0 : 100;
  rules.document_bytes_max = (choice & 8) != 0 ? 60 : 8192;
  ShadowMachine machine(rules);
  std::optional<std::string> stored;
  std::int64_t version = 0;
  for (EpochSeconds now = 1000; !input.empty(); now += 7) {
    const std::size_t end = input.find('\0');
    ShadowRequest request;
    request.operation = read.kind == TopicKind::Request ? read.operation : Operation::Update;
    request.shadow = read.kind == TopicKind::Request && is_thing_name(read.shadow.thing)
                         ? read.shadow
                         : ShadowName{"T", ""};
    if ((choice & 16) != 0 && now % 5 == 0) request.operation = Operation::Delete;
    request.payload = input.substr(0, end);
    request.now = now;
    request.extended =
        read.kind == TopicKind::Request && read.extended && request.operation != Operation::Delete;
    input = end == input.npos ? std::string_view() : input.substr(end + 1);
    const std::optional<std::string> before = stored;
    const Outcome& outcome = machine.handle(request, before);
    check_outcome(outcome, rules);
    if (outcome.change == Outcome::Change::Put) {
      stored = outcome.record;
      if (request.operation != Operation::Delete) {
        TWINMQ_REQUIRE(outcome.version > version || rules.tombstone_seconds == 0 || now > 1100);
        version = outcome.version;
      }
    }
    if (outcome.change == Outcome::Change::Erase) stored.reset();
  }
}

}  // namespace
}  // namespace twinmq::shadow

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  twinmq::shadow::run({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
