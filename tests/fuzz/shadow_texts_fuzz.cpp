// What clients ask about many shadows or versions, and what lies in the store of them. The first
// byte chooses: queries, requests for history, versions in the store, keys, expiry of records.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/require.hpp"
#include "modules/shadow/query_text.hpp"
#include "modules/shadow/shadow_history.hpp"
#include "modules/shadow/shadow_index.hpp"
#include "modules/shadow/shadow_machine.hpp"

namespace twinmq::shadow {
namespace {

const std::vector<std::string> kPaths{"reported.battery", "desired.on", "version"};

void check_json(std::string_view text) {
  Arena arena;
  JsonReader reader;
  Node node;
  TWINMQ_REQUIRE(reader.read(text, 0, arena, node) == Reading::Good);
}

void query(std::string_view text) {
  QueryRequest request;
  const Refusal refusal = read_query_request(text, request);
  if (refusal) {
    check_json(query_refusal(refusal.code, refusal.message, request.token));
    return;
  }
  TWINMQ_REQUIRE(request.query.limit >= 1);  // too much is refused by whoever asks
  ShadowPage page;
  page.next = request.query.after;
  page.index = "reported.battery";
  check_json(query_answer(page, request.token));
  const auto range = range_of(request.query.condition, kPaths);
  if (range) TWINMQ_REQUIRE(range->from <= range->to);
}

void history(std::string_view text) {
  HistoryRequest request;
  if (read_history_request(text, request) || check_history_request(request)) return;
  TWINMQ_REQUIRE(request.limit >= 1);
  TWINMQ_REQUIRE(request.from.has_value() == request.to.has_value());
}

// Two versions as they may lie in a broken store.
void versions(std::string_view text) {
  const std::size_t half = text.find('\n');
  const std::string first(text.substr(0, half));
  const std::string second(half == text.npos ? std::string_view() : text.substr(half + 1));
  StoreEntries found;
  const std::string key("dT\0n", 4);
  found.entries = {{history_key(key, 1), first}, {history_key(key, 2), second}};
  static_cast<void>(time_of_history(first));
  check_json(history_answer(found, 1, 0, "t"));
  if (const std::string difference = difference_answer(first, second, std::nullopt);
      !difference.empty())
    check_json(difference);
  // What a sound record becomes is told.
  Arena arena;
  Document document;
  if (!read_record(text, arena, document) || document.deleted) return;
  const std::string entry = write_history({"c", "p", "a"}, "update", text);
  TWINMQ_REQUIRE(time_of_history(entry) == document.changed);
}

void keys(std::string_view text) {
  static_cast<void>(record_of_history_key(text));
  for (const std::string& path : kPaths) static_cast<void>(record_of_index_key(text, path));
  const auto range = range_of(text, kPaths);
  if (range) TWINMQ_REQUIRE(range->from <= range->to);
}

// What expires is gone afterwards, in a version of its own, and nothing else is.
void expiry(std::string_view record) {
  Arena arena;
  Document before;
  if (!read_record(record, arena, before)) return;
  for (const std::string& path : index_keys(kPaths, "dT\0", before)) TWINMQ_REQUIRE(!path.empty());
  ShadowMachine machine{ShadowRules{}};
  const EpochSeconds now = before.expires;
  const Outcome& outcome =
      machine.handle({Operation::Expire, {"T", ""}, {}, now, true, true}, record);
  if (outcome.change == Outcome::Change::None) return;
  Document after;
  TWINMQ_REQUIRE(read_record(outcome.record, arena, after));
  TWINMQ_REQUIRE(after.version == before.version + 1 && outcome.version == after.version);
  TWINMQ_REQUIRE(after.expires == 0 || after.expires > now);
  for (const ShadowMessage& message : outcome.messages) check_json(message.payload);
}

void run(std::string_view input) {
  if (input.empty()) return;
  const std::string_view text = input.substr(1);
  switch (static_cast<unsigned char>(input.front()) % 5) {
    case 0: return query(text);
    case 1: return history(text);
    case 2: return versions(text);
    case 3: return keys(text);
    default: return expiry(text);
  }
}

}  // namespace
}  // namespace twinmq::shadow

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  twinmq::shadow::run({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
