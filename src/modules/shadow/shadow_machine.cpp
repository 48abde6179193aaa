#include "modules/shadow/shadow_machine.hpp"

#include "modules/shadow/cbor.hpp"
#include "modules/shadow/json_patch.hpp"

#include <iterator>
#include <utility>
#include <vector>

namespace twinmq::shadow {
namespace {

// Room for those of a small document, which so grow once.
constexpr std::size_t kDeltaBytes = 256;
constexpr std::size_t kDocumentsBytes = 1536;

void write_key(std::string_view key, std::string& out) {
  if (out.back() != '{') out += ',';
  out += '"';
  out += key;
  out += "\":";
}

void write_member(std::string_view key, std::int64_t value, std::string& out) {
  write_key(key, out);
  write_integer(value, out);
}

// clientToken and the end of a message.
void write_end(std::optional<std::string_view> token, std::string& out) {
  if (token) {
    write_key("clientToken", out);
    write_string(*token, out);
  }
  out += '}';
}

using WriteNode = void (*)(const Node&, std::string&);

void write_sections(const Document& document, const std::optional<Node>& delta, WriteNode write,
                    std::string& out) {
  out += '{';
  const auto section = [&](std::string_view key, const std::optional<Node>& node) {
    if (!node) return;
    write_key(key, out);
    write(*node, out);
  };
  section("desired", document.desired);
  section("reported", document.reported);
  section("delta", delta);
  out += '}';
}

// {"state":…,"metadata":…,"version":n
void write_document(const Document& document, const std::optional<Node>& delta,
                    const std::optional<Node>& delta_metadata, std::string& out) {
  out += '{';
  write_key("state", out);
  write_sections(document, delta, write_value, out);
  write_key("metadata", out);
  write_sections(document, delta_metadata, write_metadata, out);
  write_member("version", document.version, out);
}

// What was asked of a section, as it is told back: a section set to null counts as one leaf.
void write_change(std::string_view key, const SectionChange& change, EpochSeconds now,
                  WriteNode write, std::string& out) {
  if (change.kind == SectionChange::Kind::Untouched) return;
  write_key(key, out);
  Node null;
  null.written = now;
  write(change.kind == SectionChange::Kind::Merged ? change.patch : null, out);
}

void write_echo(const UpdateRequest& update, EpochSeconds now, std::string& out) {
  out += '{';
  for (const auto& [key, write] :
       {std::pair<std::string_view, WriteNode>("state", write_value),
        std::pair<std::string_view, WriteNode>("metadata", write_metadata)}) {
    write_key(key, out);
    if (update.clears) {
      Node null;
      null.written = now;
      write(null, out);
      continue;
    }
    out += '{';
    write_change("desired", update.desired, now, write, out);
    write_change("reported", update.reported, now, write, out);
    out += '}';
  }
}

// `operation` and `extended` say below which topic: what tells of a change is AWS's whoever asked
// for it.
ShadowMessage& add_message(const ShadowRequest& request, std::string_view suffix, Outcome& outcome,
                           Operation operation, bool extended) {
  ShadowMessage& message = outcome.messages.emplace_back();
  message.topic.reserve(32 + request.shadow.thing.size() + request.shadow.name.size() +
                        suffix.size());
  write_prefix(request.shadow, message.topic, extended);
  message.topic += '/';
  message.topic += word(operation);
  message.topic += suffix;
  return message;
}

}  // namespace

Outcome& ShadowMachine::handle(const ShadowRequest& request,
                               std::optional<std::string_view> stored) {
  outcome_.code = 200;
  outcome_.message.clear();
  outcome_.body.clear();
  outcome_.messages.clear();
  outcome_.change = Outcome::Change::None;
  outcome_.record.clear();
  outcome_.version = 0;
  outcome_.revived.reset();
  outcome_.buried.reset();
  outcome_.expiry_before = outcome_.expiry_after = 0;
  arena_.reset();

  if (request.cbor && !request.payload.empty()) {
    ShadowRequest read = request;
    const std::optional<std::string> text = json_of_cbor(request.payload);
    if (text) read.payload = *text;
    if (text) {
      carry_out(read, stored);
    } else {
      reject(request, {400, "Invalid CBOR"}, std::nullopt);
    }
  } else {
    carry_out(request, stored);
  }
  answer_in_cbor(request);
  if (rules_.cbor_events && outcome_.change != Outcome::Change::None) tell_in_cbor(request);
  return outcome_;
}

// What tells of a change, once more below $twinmq/…/cbor.
void ShadowMachine::tell_in_cbor(const ShadowRequest& request) {
  std::vector<ShadowMessage> told;
  for (const ShadowMessage& message : outcome_.messages) {
    for (const std::string_view event : {"update/delta", "update/documents", "removed"}) {
      if (!message.topic.ends_with(event)) continue;
      Node root;
      if (reader_.read(message.payload, 0, arena_, root) != Reading::Good) continue;
      ShadowMessage& again = told.emplace_back();
      write_prefix(request.shadow, again.topic, true);
      again.topic += "/cbor/";
      again.topic += event;
      write_cbor(root, again.payload);
    }
  }
  // The answer to whoever asked stays the last one.
  const auto answer = outcome_.messages.end() - (request.operation == Operation::Expire ? 0 : 1);
  outcome_.messages.insert(answer, std::make_move_iterator(told.begin()),
                           std::make_move_iterator(told.end()));
}

// The answer is the last message of an outcome.
void ShadowMachine::answer_in_cbor(const ShadowRequest& request) {
  if (!request.cbor || outcome_.messages.empty()) return;
  ShadowMessage& answer = outcome_.messages.back();
  Node root;
  if (reader_.read(answer.payload, 0, arena_, root) != Reading::Good) return;
  answer.payload.clear();
  write_cbor(root, answer.payload);
  constexpr std::size_t kEnding = std::string_view("/accepted").size();
  answer.topic.insert(answer.topic.size() - kEnding - word(request.operation).size(), "cbor/");
}

void ShadowMachine::carry_out(const ShadowRequest& request,
                              std::optional<std::string_view> stored) {
  if (!is_thing_name(request.shadow.thing)) {
    return reject(request, {400, "Invalid thing name"}, std::nullopt);
  }
  if (!request.shadow.name.empty() && !is_shadow_name(request.shadow.name)) {
    return reject(request, {400, "Invalid shadow name"}, std::nullopt);
  }
  bool corrupt = false;
  const Document document = load(stored, request.now, corrupt);
  if (corrupt) {
    return reject(request, {500, "Internal service failure"}, std::nullopt);
  }
  switch (request.operation) {
    case Operation::Get: get(request, document); break;
    case Operation::Update:
    case Operation::Patch: update(request, document); break;
    case Operation::Delete: erase(request, document); break;
    case Operation::History:
    case Operation::Query: break;
    case Operation::Expire: expire(request, document); break;
  }
}

Outcome& ShadowMachine::refuse(const ShadowRequest& request, int code, std::string_view message) {
  outcome_ = {};
  arena_.reset();
  const std::optional<std::string_view> token =
      read_delete_token(request.payload, rules_.request, reader_, arena_);
  reject(request, {code, std::string(message)}, token);
  answer_in_cbor(request);
  return outcome_;
}

bool ShadowMachine::is_forgotten(std::string_view record, EpochSeconds now) {
  arena_.reset();
  Document document;
  return read_record(record, arena_, document) && document.deleted &&
         now - document.changed >= rules_.tombstone_seconds;
}

Document ShadowMachine::load(std::optional<std::string_view> stored, EpochSeconds now,
                             bool& corrupt) {
  Document document;
  buried_.reset();
  if (!stored) {
    document.deleted = true;
    return document;
  }
  corrupt = !read_record(*stored, arena_, document);
  if (!corrupt && document.deleted) buried_ = document.changed;
  if (document.deleted && now - document.changed >= rules_.tombstone_seconds) {
    document = {};
    document.deleted = true;
  }
  return document;
}

void ShadowMachine::get(const ShadowRequest& request, const Document& document) {
  std::optional<std::string_view> token;
  if (const Refusal refusal = read_get(request.payload, rules_.request, reader_, arena_, token))
    return reject(request, refusal, token);
  if (document.deleted) return reject(request, missing(request.shadow), token);
  outcome_.version = document.version;
  const std::optional<Node> delta = difference(document.desired, document.reported, arena_);
  write_document(document, delta, rules_.delta_metadata ? delta : std::nullopt, outcome_.body);
  write_member("timestamp", request.now, outcome_.body);
  write_end(token, outcome_.body);
  if (!request.answered_directly)
    add_message(request, "/accepted", outcome_, request.operation, request.extended).payload =
        outcome_.body;
}

void ShadowMachine::update(const ShadowRequest& request, const Document& document) {
  UpdateRequest update;
  const bool patch = request.operation == Operation::Patch;
  if (const Refusal refusal =
          request.extended
              ? read_extended(request.payload, request.now, patch, rules_.request, reader_, arena_,
                              update)
              : read_update(request.payload, request.now, rules_.request, reader_, arena_, update))
    return reject(request, refusal, update.token);
  if (const Refusal refusal = judge(update, document))
    return reject(request, refusal, update.token);
  Document after;
  after.version = document.version + 1;
  after.changed = request.now;
  if (const Refusal refusal = apply(request, update, document, after))
    return reject(request, refusal, update.token);
  if (document_bytes(after) > rules_.document_bytes_max)
    return reject(request, {413, "The payload exceeds the maximum size allowed"}, update.token);
  if (rules_.schemas) {
    if (const std::string fault = rules_.schemas->fault_of(request.shadow, after, arena_);
        !fault.empty())
      return reject(request, {400, "State breaks its schema at " + fault}, update.token);
  }
  if (after.desired && (update.expires || document.expires != 0))
    after.expires = first_expiry(*after.desired);
  put(document, after);
  accept(request, update, document, after);
}

void ShadowMachine::put(const Document& before, const Document& after) {
  write_record(after, outcome_.record);
  outcome_.change = Outcome::Change::Put;
  outcome_.version = after.version;
  outcome_.revived = buried_;
  outcome_.expiry_before = before.expires;
  outcome_.expiry_after = after.expires;
}

void ShadowMachine::expire(const ShadowRequest& request, const Document& document) {
  if (document.deleted || !document.desired || document.version == INT64_MAX) return;
  const std::optional<Node> gone = expired(*document.desired, request.now, arena_);
  if (!gone) return;
  const SectionChange change{SectionChange::Kind::Merged, *gone};
  Document after = document;
  after.desired = merged(document.desired, change, rules_.merge, arena_);
  after.version = document.version + 1;
  after.changed = request.now;
  after.expires = after.desired ? first_expiry(*after.desired) : 0;
  put(document, after);
  tell_change(request, document, after, std::nullopt);
  tell_removed(request, document, after.desired, after.version, std::nullopt);
}

Refusal ShadowMachine::judge(const UpdateRequest& update, const Document& document) const {
  const bool fresh = document.deleted && document.version == 0;
  const bool agrees = !update.version || *update.version == document.version ||
                      (fresh && rules_.first_version_one && *update.version == 1);
  if (!agrees) return {409, "Version conflict"};
  if (update.condition) {
    for (const Node& section : update.condition->children())
      if (!meets(section.name() == "desired" ? document.desired : document.reported, section))
        return {409, "Condition not met"};
  }
  if (document.version == INT64_MAX) return {500, "Internal service failure"};
  return {};
}

Refusal ShadowMachine::apply(const ShadowRequest& request, const UpdateRequest& update,
                             const Document& before, Document& after) {
  if (!update.patch) {
    after.desired = merged(before.desired, update.desired, rules_.merge, arena_);
    after.reported = merged(before.reported, update.reported, rules_.merge, arena_);
    return {};
  }
  Node root = patch_root(before, arena_);
  std::string fault;
  if (!apply_patch(*update.patch, request.now, arena_, root, fault)) return {400, fault};
  for (const Node& section : root.children()) {
    if (section.name() != "desired" && section.name() != "reported")
      return {400, "State contains an invalid node: '" + std::string(section.name()) + "'"};
    if (!section.is_object())
      return {400, section.name() == "desired" ? "Desired node must be an object"
                                               : "Reported node must be an object"};
    if (section.holds_null) return {400, "State contains an invalid node"};
    if (section.depth > rules_.request.depth_max)
      return {400, "JSON contains too many levels of nesting; maximum is 6"};
    if (section.size > 0) (section.name() == "desired" ? after.desired : after.reported) = section;
  }
  return {};
}

void ShadowMachine::tell_removed(const ShadowRequest& request, const Document& before,
                                 const std::optional<Node>& desired, std::int64_t version,
                                 std::optional<std::string_view> token) {
  const std::optional<Node> gone = vanished(before.desired, desired, arena_);
  if (!gone) return;
  ShadowMessage& message = outcome_.messages.emplace_back();
  write_prefix(request.shadow, message.topic, true);
  message.topic += "/removed";
  std::string& out = message.payload;
  out += '{';
  write_member("version", version, out);
  write_member("timestamp", request.now, out);
  write_key("state", out);
  write_value(*gone, out);
  write_end(token, out);
}

void ShadowMachine::tell_change(const ShadowRequest& request, const Document& before,
                                const Document& after, std::optional<std::string_view> token) {
  if (const std::optional<Node> delta = difference(after.desired, after.reported, arena_)) {
    std::string& out = add_message(request, "/delta", outcome_, Operation::Update, false).payload;
    out.reserve(kDeltaBytes);
    out += '{';
    write_member("version", after.version, out);
    write_member("timestamp", request.now, out);
    write_key("state", out);
    write_value(*delta, out);
    write_key("metadata", out);
    write_metadata(*delta, out);
    write_end(token, out);
  }
  std::string& documents =
      add_message(request, "/documents", outcome_, Operation::Update, false).payload;
  documents.reserve(kDocumentsBytes);
  documents += '{';
  write_key("previous", documents);
  if (before.deleted) {
    documents += "null";
  } else {
    write_document(before, std::nullopt, std::nullopt, documents);
    documents += '}';
  }
  write_key("current", documents);
  write_document(after, std::nullopt, std::nullopt, documents);
  documents += '}';
  write_member("timestamp", request.now, documents);
  write_end(token, documents);
}

void ShadowMachine::accept(const ShadowRequest& request, const UpdateRequest& update,
                           const Document& before, const Document& after) {
  tell_change(request, before, after, update.token);
  if (update.patch) {
    outcome_.body += '{';
  } else {
    write_echo(update, request.now, outcome_.body);
  }
  write_member("version", after.version, outcome_.body);
  write_member("timestamp", request.now, outcome_.body);
  write_end(update.token, outcome_.body);
  if (update.patch || update.desired.kind != SectionChange::Kind::Untouched)
    tell_removed(request, before, after.desired, after.version, update.token);
  add_message(request, "/accepted", outcome_, request.operation, request.extended).payload =
      outcome_.body;
}

void ShadowMachine::erase(const ShadowRequest& request, const Document& document) {
  const std::optional<std::string_view> token =
      read_delete_token(request.payload, rules_.request, reader_, arena_);
  if (document.deleted) return reject(request, missing(request.shadow), token);
  outcome_.version = document.version;
  outcome_.expiry_before = document.expires;
  if (rules_.tombstone_seconds > 0 && document.version < INT64_MAX) {
    // The deletion itself takes a number, so that whoever saw the last version is in conflict.
    Document remains;
    remains.version = document.version + 1;
    remains.changed = request.now;
    remains.deleted = true;
    write_record(remains, outcome_.record);
    outcome_.change = Outcome::Change::Put;
    outcome_.buried = request.now;
  } else {
    outcome_.change = Outcome::Change::Erase;
  }
  outcome_.body += '{';
  write_member("version", document.version, outcome_.body);
  write_member("timestamp", request.now, outcome_.body);
  write_end(token, outcome_.body);
  tell_removed(request, document, std::nullopt, document.version, token);
  add_message(request, "/accepted", outcome_, request.operation, request.extended).payload =
      outcome_.body;
}

void ShadowMachine::reject(const ShadowRequest& request, const Refusal& refusal,
                           std::optional<std::string_view> token) {
  outcome_.code = refusal.code;
  outcome_.message = refusal.message;
  std::string& out = outcome_.body;
  out.clear();
  out += '{';
  write_member("code", refusal.code, out);
  write_key("message", out);
  write_string(refusal.message, out);
  // AWS's 404 was seen without a time; the other answers show one.
  if (refusal.code != 404) write_member("timestamp", request.now, out);
  write_end(token, out);
  if (!request.answered_directly)
    add_message(request, "/rejected", outcome_, request.operation, request.extended).payload = out;
}

Refusal ShadowMachine::missing(const ShadowName& shadow) const {
  std::string name(shadow.thing);
  if (!shadow.name.empty())
    name = rules_.missing_names_thing ? name + '~' + std::string(shadow.name)
                                      : std::string(shadow.name);
  return {404, "No shadow exists with name: '" + name + "'"};
}

}  // namespace twinmq::shadow
