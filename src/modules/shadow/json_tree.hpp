#pragma once
// JSON as a tree of plain nodes whose leaves know when they were written. A shadow's state and its
// metadata are two readings of one tree, so that a key called "timestamp" is a key like any other.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace twinmq::shadow {

/// Whole seconds since 1970, as all shadow messages count.
using EpochSeconds = std::int64_t;

/// Memory for the nodes of one request; everything in it ends with reset().
class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// Aligned for any node.
  void* take(std::size_t bytes);
  /// A copy that lives until reset().
  std::string_view keep(std::string_view text);
  /// Forgets everything and keeps at most one block of memory for the next request.
  void reset();

 private:
  static constexpr std::size_t kBlockBytes = 64 * 1024;

  std::vector<std::unique_ptr<std::byte[]>> blocks_;
  std::byte* next_ = nullptr;
  std::size_t left_ = 0;
  std::size_t first_bytes_ = 0;
};

enum class Kind : std::uint8_t { Null, False, True, Number, String, Array, Object };

/// One value. Nodes are copied freely: children, keys and texts belong to an arena, or to the
/// record they were read from. The members of an object are in ascending byte order of their keys,
/// each key once.
struct Node {
  const char* key = nullptr;  ///< of a member of an object
  union {
    const char* text = nullptr;  ///< String: its characters. Number: as it was written.
    const Node* child;           ///< Array, Object: the first of `size` neighbours
  };
  std::uint32_t key_size = 0;
  std::uint32_t size = 0;
  EpochSeconds written = 0;  ///< of a leaf, or of a whole array; meaningless for objects
  EpochSeconds expires = 0;  ///< when it is to be removed; 0: never. Of leaves of desired.
  Kind kind = Kind::Null;
  bool holds_null = false;     ///< itself, or somewhere below
  bool null_in_array = false;  ///< somewhere below
  std::uint16_t depth = 0;     ///< containers with content, one inside the other, this one included

  std::string_view name() const { return {key, key_size}; }
  std::string_view characters() const { return {text, size}; }
  std::span<const Node> children() const { return {child, size}; }
  bool is_object() const { return kind == Kind::Object; }
  bool is_container() const { return kind >= Kind::Array; }
};

/// The member with that key, or none. The node is an object.
const Node* find(const Node& object, std::string_view key);

/// Sets what a container's node says of its children. `members` are in order.
void hold(Node& container, std::span<const Node> members, Arena& arena);

/// Orders members by key; of several with one key the last stays. Answers how many are left.
std::size_t put_in_order(std::span<Node> members);

/// Equal as JSON values: numbers by their exact value, arrays in order, whatever the metadata.
bool same_value(const Node& a, const Node& b);

/// Equal as decimal numbers, without rounding: "1" and "1.0", "1e2" and "100".
bool same_number(std::string_view a, std::string_view b);

/// Whether a number in JSON notation is below 10^309, so that receivers can read it.
bool number_fits(std::string_view text);

/// An integer in JSON notation, without fraction or exponent, that fits.
bool read_integer(const Node& node, std::int64_t& value);

}  // namespace twinmq::shadow
