#include "modules/shadow/document.hpp"

#include "modules/shadow/json_text.hpp"

#include <algorithm>
#include <vector>

namespace twinmq::shadow {
namespace {

// Members of a container that is being made. The depth of trees is bounded by the limit that
// admitted them.
using Members = std::vector<Node>;

// The value as it is stored: without nulls. None: nothing of it is stored.
std::optional<Node> without_nulls(const Node& node, const MergeRules& rules, Arena& arena) {
  if (!node.holds_null) return node;
  if (!node.is_object()) return std::nullopt;
  Members kept;
  for (const Node& member : node.children())
    if (const std::optional<Node> stored = without_nulls(member, rules, arena))
      kept.push_back(*stored);
  if (kept.empty() && !rules.keep_null_objects) return std::nullopt;
  Node object = node;
  hold(object, kept, arena);
  return object;
}

Node merged_object(const Node& old, const Node& patch, const MergeRules& rules, Arena& arena) {
  Members members;
  members.reserve(old.size + patch.size);
  const Node* mine = old.child;
  const Node* const mine_end = mine + old.size;
  for (const Node& change : patch.children()) {
    while (mine != mine_end && mine->name() < change.name()) members.push_back(*mine++);
    const Node* const present =
        mine != mine_end && mine->name() == change.name() ? mine++ : nullptr;
    if (change.kind == Kind::Null) continue;
    if (present != nullptr && present->is_object() && change.is_object()) {
      members.push_back(merged_object(*present, change, rules, arena));
    } else if (const std::optional<Node> stored = without_nulls(change, rules, arena)) {
      members.push_back(*stored);
    }
  }
  while (mine != mine_end) members.push_back(*mine++);
  Node object = old;
  hold(object, members, arena);
  return object;
}

std::optional<Node> object_difference(const Node& desired, const Node& reported, Arena& arena) {
  Members members;
  const Node* theirs = reported.child;
  const Node* const theirs_end = theirs + reported.size;
  for (const Node& wanted : desired.children()) {
    while (theirs != theirs_end && theirs->name() < wanted.name()) ++theirs;
    if (theirs == theirs_end || theirs->name() != wanted.name()) {
      members.push_back(wanted);
    } else if (wanted.is_object() && theirs->is_object()) {
      if (const std::optional<Node> inner = object_difference(wanted, *theirs, arena))
        members.push_back(*inner);
    } else if (!same_value(wanted, *theirs)) {
      members.push_back(wanted);
    }
  }
  if (members.empty()) return std::nullopt;
  Node object = desired;
  hold(object, members, arena);
  return object;
}

// The record: u8 format, u8 flags, then numbers of seven bits per byte, lowest first, the last
// without its high bit.

constexpr std::uint8_t kFormat = 1;
constexpr std::uint8_t kDeleted = 1;
constexpr std::uint8_t kDesired = 2;
constexpr std::uint8_t kReported = 4;
constexpr std::uint8_t kExpires = 8;
// Beside the kind of a node.
constexpr std::uint8_t kNodeExpires = 0x80;
constexpr std::size_t kRecordDepthMax = 512;

void put_number(std::uint64_t number, std::string& out) {
  while (number >= 0x80) {
    out += static_cast<char>(number | 0x80);
    number >>= 7;
  }
  out += static_cast<char>(number);
}

// Small numbers of either sign in few bytes.
std::uint64_t fold(std::int64_t number) {
  return static_cast<std::uint64_t>(number) << 1 ^ static_cast<std::uint64_t>(number >> 63);
}
std::int64_t unfold(std::uint64_t number) {
  return static_cast<std::int64_t>(number >> 1 ^ (0 - (number & 1)));
}

void put_text(std::string_view text, std::string& out) {
  put_number(text.size(), out);
  out += text;
}

// Within arrays no times are written: the array has one for all.
void put_node(const Node& node, EpochSeconds changed, bool in_array, std::string& out) {
  const bool expires = node.expires != 0 && !in_array;
  out += static_cast<char>(static_cast<std::uint8_t>(node.kind) | (expires ? kNodeExpires : 0));
  if (expires) put_number(static_cast<std::uint64_t>(node.expires), out);
  if (!in_array && !node.is_object())
    put_number(fold(static_cast<std::int64_t>(static_cast<std::uint64_t>(changed) -
                                              static_cast<std::uint64_t>(node.written))),
               out);
  if (node.kind == Kind::Number || node.kind == Kind::String)
    return put_text(node.characters(), out);
  if (!node.is_container()) return;
  put_number(node.size, out);
  for (const Node& child : node.children()) {
    if (node.is_object()) put_text(child.name(), out);
    put_node(child, changed, in_array || node.kind == Kind::Array, out);
  }
}

class RecordReader {
 public:
  RecordReader(std::string_view record, Arena& arena) : left_(record), arena_(arena) {}

  bool good() const { return good_; }
  bool at_end() const { return left_.empty(); }
  std::uint8_t byte() {
    if (left_.empty()) return fail();
    const auto value = static_cast<std::uint8_t>(left_.front());
    left_.remove_prefix(1);
    return value;
  }
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::uint8_t next = byte();
      value |= static_cast<std::uint64_t>(next & 0x7FU) << shift;
      if (next < 0x80) return value;
    }
    return fail();
  }
  void time_base(EpochSeconds changed) { changed_ = changed; }

  Node node(std::size_t depth, bool in_array) {
    Node node;
    const std::uint8_t head = byte();
    const std::uint8_t kind = head & 0x7FU;
    if (kind > static_cast<std::uint8_t>(Kind::Object) || depth > kRecordDepthMax) {
      fail();
      return node;
    }
    node.kind = static_cast<Kind>(kind);
    node.holds_null = node.kind == Kind::Null;
    if ((head & kNodeExpires) != 0) {
      node.expires = static_cast<EpochSeconds>(number());
      if (node.expires <= 0 || in_array) fail();
    }
    if (!in_array && !node.is_object())
      node.written = static_cast<EpochSeconds>(static_cast<std::uint64_t>(changed_) -
                                               static_cast<std::uint64_t>(unfold(number())));
    if (node.kind == Kind::Number || node.kind == Kind::String) {
      const std::string_view characters = text();
      node.text = characters.data();
      node.size = static_cast<std::uint32_t>(characters.size());
    } else if (node.is_container()) {
      read_children(node, depth, in_array || node.kind == Kind::Array);
    }
    return node;
  }

 private:
  std::uint8_t fail() {
    good_ = false;
    left_ = {};
    return 0;
  }
  std::string_view text() {
    const std::uint64_t size = number();
    if (size > left_.size()) {
      fail();
      return {};
    }
    const std::string_view text = left_.substr(0, size);
    left_.remove_prefix(size);
    return text;
  }
  void read_children(Node& node, std::size_t depth, bool in_array) {
    const std::uint64_t count = number();
    if (count > left_.size()) {
      fail();
      return;
    }
    Members members;
    members.reserve(count);
    for (std::uint64_t i = 0; i < count && good_; ++i) {
      const std::string_view key = node.is_object() ? text() : std::string_view();
      Node child = this->node(depth + 1, in_array);
      child.key = key.data();
      child.key_size = static_cast<std::uint32_t>(key.size());
      if (node.is_object() && !members.empty() && !(members.back().name() < key)) fail();
      members.push_back(child);
    }
    if (good_) hold(node, members, arena_);
  }

  std::string_view left_;
  Arena& arena_;
  EpochSeconds changed_ = 0;
  bool good_ = true;
};

std::optional<Node> read_section(RecordReader& reader) {
  const Node section = reader.node(0, false);
  if (!reader.good() || !section.is_object() || section.size == 0) return std::nullopt;
  return section;
}

}  // namespace

std::optional<Node> merged(const std::optional<Node>& old, const SectionChange& change,
                           const MergeRules& rules, Arena& arena) {
  switch (change.kind) {
    case SectionChange::Kind::Untouched: return old;
    case SectionChange::Kind::Cleared: return std::nullopt;
    case SectionChange::Kind::Merged: break;
  }
  Node empty;
  empty.kind = Kind::Object;
  const Node section = merged_object(old ? *old : empty, change.patch, rules, arena);
  if (section.size == 0) return std::nullopt;
  return section;
}

std::optional<Node> difference(const std::optional<Node>& desired,
                               const std::optional<Node>& reported, Arena& arena) {
  if (!desired) return std::nullopt;
  return reported ? object_difference(*desired, *reported, arena) : desired;
}

std::optional<Node> vanished(const std::optional<Node>& before, const std::optional<Node>& after,
                             Arena& arena) {
  if (!before) return std::nullopt;
  Members members;
  for (const Node& member : before->children()) {
    const Node* const now = after ? find(*after, member.name()) : nullptr;
    if (now == nullptr) {
      Node null;
      null.key = member.key;
      null.key_size = member.key_size;
      null.holds_null = true;
      members.push_back(null);
    } else if (member.is_object() && now->is_object()) {
      if (const std::optional<Node> inner = vanished(member, *now, arena))
        members.push_back(*inner);
    }
  }
  if (members.empty()) return std::nullopt;
  Node object = *before;
  hold(object, members, arena);
  return object;
}

bool meets(const std::optional<Node>& section, const Node& condition) {
  for (const Node& wanted : condition.children()) {
    const Node* const present = section ? find(*section, wanted.name()) : nullptr;
    if (wanted.kind == Kind::Null) {
      if (present != nullptr) return false;
    } else if (present == nullptr) {
      return false;
    } else if (wanted.is_object() && present->is_object()) {
      if (!meets(*present, wanted)) return false;
    } else if (!same_value(*present, wanted)) {
      return false;
    }
  }
  return true;
}

EpochSeconds first_expiry(const Node& node) {
  EpochSeconds first = node.expires;
  if (!node.is_object()) return first;
  for (const Node& member : node.children())
    if (const EpochSeconds expiry = first_expiry(member); expiry != 0)
      first = first == 0 ? expiry : std::min(first, expiry);
  return first;
}

std::optional<Node> expired(const Node& node, EpochSeconds now, Arena& arena) {
  if (node.expires != 0 && node.expires <= now) {
    Node null;
    null.key = node.key;
    null.key_size = node.key_size;
    null.holds_null = true;
    return null;
  }
  if (!node.is_object()) return std::nullopt;
  Members gone;
  for (const Node& member : node.children())
    if (const std::optional<Node> inner = expired(member, now, arena)) gone.push_back(*inner);
  if (gone.empty()) return std::nullopt;
  Node object = node;
  hold(object, gone, arena);
  return object;
}

std::size_t document_bytes(const Document& document) {
  return (document.desired ? value_bytes(*document.desired) : 0) +
         (document.reported ? value_bytes(*document.reported) : 0);
}

void write_record(const Document& document, std::string& out) {
  out += static_cast<char>(kFormat);
  out += static_cast<char>((document.deleted ? kDeleted : 0) | (document.desired ? kDesired : 0) |
                           (document.reported ? kReported : 0) |
                           (document.expires != 0 ? kExpires : 0));
  put_number(static_cast<std::uint64_t>(document.version), out);
  put_number(fold(document.changed), out);
  if (document.expires != 0) put_number(static_cast<std::uint64_t>(document.expires), out);
  if (document.desired) put_node(*document.desired, document.changed, false, out);
  if (document.reported) put_node(*document.reported, document.changed, false, out);
}

bool read_record(std::string_view record, Arena& arena, Document& document) {
  RecordReader reader(record, arena);
  const std::uint8_t format = reader.byte();
  const std::uint8_t flags = reader.byte();
  const std::uint64_t version = reader.number();
  const std::int64_t changed = unfold(reader.number());
  if (!reader.good() || format != kFormat || flags > (kDeleted | kDesired | kReported | kExpires) ||
      version > static_cast<std::uint64_t>(INT64_MAX))
    return false;
  reader.time_base(changed);
  document = {};
  document.version = static_cast<std::int64_t>(version);
  document.changed = changed;
  document.deleted = (flags & kDeleted) != 0;
  if ((flags & kExpires) != 0) {
    document.expires = static_cast<EpochSeconds>(reader.number());
    if (document.expires <= 0) return false;
  }
  if ((flags & kDesired) != 0 && !(document.desired = read_section(reader))) return false;
  if ((flags & kReported) != 0 && !(document.reported = read_section(reader))) return false;
  return reader.good() && reader.at_end();
}

EpochSeconds expiry_of(std::string_view record) {
  if (record.size() < 2 || (static_cast<std::uint8_t>(record[1]) & kExpires) == 0) return 0;
  Arena none;
  RecordReader reader(record.substr(2), none);
  reader.number();
  reader.number();
  const auto expiry = static_cast<EpochSeconds>(reader.number());
  return reader.good() ? std::max<EpochSeconds>(expiry, 0) : 0;
}

bool is_deleted(std::string_view record) {
  return record.size() > 1 && (static_cast<std::uint8_t>(record[1]) & kDeleted) != 0;
}

}  // namespace twinmq::shadow
