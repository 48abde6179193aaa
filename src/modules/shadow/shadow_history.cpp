#include "modules/shadow/shadow_history.hpp"

#include <algorithm>
#include <array>

#include "modules/shadow/json_text.hpp"
#include "mqtt/topic.hpp"

namespace twinmq::shadow {
namespace {

constexpr char kHistory = 'h';
constexpr char kFormat = 1;
constexpr std::size_t kPayloadBytesMax = 4096;
constexpr std::size_t kVersionsMax = 100;

void put_text(std::string_view text, std::string& out) {
  const std::size_t size = std::min<std::size_t>(text.size(), UINT16_MAX);
  out += static_cast<char>(size >> 8);
  out += static_cast<char>(size);
  out += text.substr(0, size);
}

struct Entry {
  Author author;
  std::string_view operation;
  std::string_view record;
};

std::optional<Entry> read_entry(std::string_view bytes) {
  if (bytes.empty() || bytes.front() != kFormat) return std::nullopt;
  bytes.remove_prefix(1);
  std::array<std::string_view, 4> texts;
  for (std::string_view& text : texts) {
    if (bytes.size() < 2) return std::nullopt;
    const auto byte = [&](std::size_t at) {
      return static_cast<std::size_t>(static_cast<unsigned char>(bytes[at]));
    };
    const std::size_t size = byte(0) << 8 | byte(1);
    if (bytes.size() - 2 < size) return std::nullopt;
    text = bytes.substr(2, size);
    if (!mqtt::is_well_formed_utf8(text)) return std::nullopt;
    bytes.remove_prefix(2 + size);
  }
  return Entry{{texts[0], texts[1], texts[2]}, texts[3], bytes};
}

void write_key(std::string_view key, std::string& out) {
  if (out.back() != '{') out += ',';
  write_string(key, out);
  out += ':';
}

void write_number(std::string_view key, std::int64_t number, std::string& out) {
  write_key(key, out);
  write_integer(number, out);
}

void write_text(std::string_view key, std::string_view text, std::string& out) {
  if (text.empty()) return;
  write_key(key, out);
  write_string(text, out);
}

void write_sections(std::string_view key, const std::optional<Node>& desired,
                    const std::optional<Node>& reported, std::string& out) {
  write_key(key, out);
  out += '{';
  if (desired) {
    write_key("desired", out);
    write_value(*desired, out);
  }
  if (reported) {
    write_key("reported", out);
    write_value(*reported, out);
  }
  out += '}';
}

void write_end(const std::optional<std::string>& token, std::string& out) {
  if (token) {
    write_key("clientToken", out);
    write_string(*token, out);
  }
  out += '}';
}

void write_version(const Entry& entry, const Document& document, std::string& out) {
  if (out.back() != '[') out += ',';
  out += '{';
  write_number("version", document.version, out);
  write_number("timestamp", document.changed, out);
  write_text("operation", entry.operation, out);
  write_text("clientId", entry.author.client, out);
  write_text("principal", entry.author.principal, out);
  write_text("peer", entry.author.peer, out);
  if (!document.deleted) write_sections("state", document.desired, document.reported, out);
  out += '}';
}

bool read_version(const Node& root, std::string_view key, std::optional<std::int64_t>& to) {
  const Node* const node = find(root, key);
  if (node == nullptr || node->kind == Kind::Null) return true;
  std::int64_t version = 0;
  if (!read_integer(*node, version)) return false;
  to = version;
  return true;
}

}  // namespace

Refusal read_history_request(std::string_view payload, HistoryRequest& request) {
  if (payload.empty()) return {};
  if (payload.size() > kPayloadBytesMax)
    return {413, "The payload exceeds the maximum size allowed"};
  Arena arena;
  JsonReader reader;
  Node root;
  if (reader.read(payload, 0, arena, root) != Reading::Good || !root.is_object())
    return {400, "Invalid JSON"};
  if (const Node* token = find(root, "clientToken"); token && token->kind != Kind::Null) {
    if (token->kind != Kind::String || token->size > RequestLimits().token_bytes_max)
      return {400, "Invalid clientToken"};
    request.token = std::string(token->characters());
  }
  std::optional<std::int64_t> limit;
  if (!read_version(root, "limit", limit)) return {400, "Invalid limit"};
  if (limit) request.limit = static_cast<std::size_t>(std::max<std::int64_t>(*limit, 0));
  if (!read_version(root, "before", request.before) || !read_version(root, "from", request.from) ||
      !read_version(root, "to", request.to))
    return {400, "Invalid version"};
  return check_history_request(request);
}

Refusal check_history_request(const HistoryRequest& request) {
  if (request.limit < 1 || request.limit > kVersionsMax) return {400, "Invalid limit"};
  for (const auto& version : {request.before, request.from, request.to})
    if (version && *version < 1) return {400, "Invalid version"};
  if (request.from.has_value() != request.to.has_value()) return {400, "Invalid version"};
  return {};
}

std::string history_key(std::string_view record_key, std::int64_t version) {
  std::string key(1, kHistory);
  key += record_key.substr(1);
  key += '\0';
  const auto number = static_cast<std::uint64_t>(version);
  for (int shift = 56; shift >= 0; shift -= 8) key += static_cast<char>(number >> shift);
  return key;
}

StoreRange history_range(std::string_view record_key, std::int64_t first, std::int64_t last) {
  return {history_key(record_key, first), history_key(record_key, last) + '\0', kVersionsMax + 1,
          std::size_t{1} << 20};
}

std::string record_of_history_key(std::string_view key) {
  constexpr std::size_t kTail = 9;
  if (key.size() < kTail + 3 || key.front() != kHistory) return {};
  return 'd' + std::string(key.substr(1, key.size() - kTail - 1));
}

bool read_stamp(std::string_view record, std::int64_t& version, EpochSeconds& changed) {
  Arena arena;
  Document document;
  if (!read_record(record, arena, document)) return false;
  version = document.version;
  changed = document.changed;
  return true;
}

std::string write_history(const Author& author, std::string_view operation,
                          std::string_view record) {
  std::string out(1, kFormat);
  put_text(author.client, out);
  put_text(author.principal, out);
  put_text(author.peer, out);
  put_text(operation, out);
  out += record;
  return out;
}

std::optional<EpochSeconds> time_of_history(std::string_view bytes) {
  const auto entry = read_entry(bytes);
  std::int64_t version = 0;
  EpochSeconds changed = 0;
  if (!entry || !read_stamp(entry->record, version, changed)) return std::nullopt;
  return changed;
}

std::string history_answer(const StoreEntries& found, std::int64_t first, EpochSeconds oldest,
                           const std::optional<std::string>& token) {
  std::string out = R"({"versions":[)";
  for (auto each = found.entries.rbegin(); each != found.entries.rend(); ++each) {
    const auto entry = read_entry(each->second);
    Arena arena;
    Document document;
    if (!entry || !read_record(entry->record, arena, document)) continue;
    if (document.changed < oldest) break;
    write_version(*entry, document, out);
  }
  out += ']';
  if (first > 1 && !found.entries.empty()) write_number("nextBefore", first, out);
  write_end(token, out);
  return out;
}

std::string difference_answer(std::string_view from, std::string_view to,
                              const std::optional<std::string>& token) {
  const auto old_entry = read_entry(from);
  const auto new_entry = read_entry(to);
  Arena arena;
  Document before;
  Document after;
  if (!old_entry || !new_entry || !read_record(old_entry->record, arena, before) ||
      !read_record(new_entry->record, arena, after))
    return {};
  std::string out = "{";
  write_number("from", before.version, out);
  write_number("to", after.version, out);
  write_sections("changed", difference(after.desired, before.desired, arena),
                 difference(after.reported, before.reported, arena), out);
  write_sections("removed", vanished(before.desired, after.desired, arena),
                 vanished(before.reported, after.reported, arena), out);
  write_end(token, out);
  return out;
}

}  // namespace twinmq::shadow
