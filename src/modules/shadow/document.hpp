#pragma once
// A shadow's document and the rules by which requests change it: merge, difference, and its form in
// the store. Pure functions on trees.

#include <optional>
#include <string>
#include <string_view>

#include "modules/shadow/json_tree.hpp"

namespace twinmq::shadow {

/// What is kept under the name of one shadow. An absent section has no keys.
struct Document {
  std::optional<Node> desired;
  std::optional<Node> reported;
  std::int64_t version = 0;
  EpochSeconds changed = 0;  ///< when it came to this version
  EpochSeconds expires = 0;  ///< no later than the first of desired's leaves expires; 0: none does
  bool deleted =
      false;  ///< what remains of a deleted shadow: its version, and when it went (`changed`)
};

/// What a request asks of one section.
struct SectionChange {
  enum class Kind : std::uint8_t { Untouched, Cleared, Merged } kind = Kind::Untouched;
  Node patch;  ///< Merged: an object
};

struct MergeRules {
  /// A new object all of whose members are null is kept as {}; otherwise it leaves no trace.
  bool keep_null_objects = false;
};

/// The section after the change; none when no key is left. Null removes a key, object onto object
/// merges, anything else replaces. Nothing of `old` changes; unchanged branches are shared with it.
std::optional<Node> merged(const std::optional<Node>& old, const SectionChange& change,
                           const MergeRules& rules, Arena& arena);

/// What `desired` holds and `reported` does not, with the times of the desired leaves; none when
/// there is no difference.
std::optional<Node> difference(const std::optional<Node>& desired,
                               const std::optional<Node>& reported, Arena& arena);

/// What `before` held and `after` does not, as nulls in the form of the tree; none when nothing
/// vanished.
std::optional<Node> vanished(const std::optional<Node>& before, const std::optional<Node>& after,
                             Arena& arena);

/// Whether the section holds all that the condition names with the same values; null stands for
/// absent.
bool meets(const std::optional<Node>& section, const Node& condition);

/// When the first leaf of the tree expires; 0: none does.
EpochSeconds first_expiry(const Node& node);

/// The change that removes the leaves that have expired, as nulls in the form of the tree; none
/// when none has.
std::optional<Node> expired(const Node& node, EpochSeconds now, Arena& arena);

/// Bytes of both sections as compact JSON, as limits count them.
std::size_t document_bytes(const Document& document);

/// The document as bytes for the store.
void write_record(const Document& document, std::string& out);

/// Keys and texts of the tree point into the record; its nodes lie in the arena. False: no such
/// record.
bool read_record(std::string_view record, Arena& arena, Document& document);

/// When the first key of a record's desired expires; 0: none does.
EpochSeconds expiry_of(std::string_view record);

/// Whether a record is what remains of a deleted shadow.
bool is_deleted(std::string_view record);

}  // namespace twinmq::shadow
