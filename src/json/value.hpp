#pragma once
// A JSON value as rules see it: sixteen bytes that point into an arena, and never own.

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "json/arena.hpp"
#include "json/decimal.hpp"

namespace twinmq::json {

enum class Kind : std::uint8_t { Undefined, Null, Boolean, Number, String, Array, Object };

struct Member;

/// a == b, for texts as short as keys are: no call for up to sixteen bytes.
inline bool same_text(std::string_view a, std::string_view b) {
  const std::size_t size = a.size();
  if (size != b.size()) return false;
  const auto same_ends = [&]<typename Word>(Word) {
    Word words[4];
    std::memcpy(&words[0], a.data(), sizeof(Word));
    std::memcpy(&words[1], b.data(), sizeof(Word));
    std::memcpy(&words[2], a.data() + size - sizeof(Word), sizeof(Word));
    std::memcpy(&words[3], b.data() + size - sizeof(Word), sizeof(Word));
    return words[0] == words[1] && words[2] == words[3];
  };
  if (size > 16) return std::memcmp(a.data(), b.data(), size) == 0;
  if (size >= 8) return same_ends(std::uint64_t{});
  if (size >= 4) return same_ends(std::uint32_t{});
  if (size >= 2) return same_ends(std::uint16_t{});
  return size == 0 || a[0] == b[0];
}

/// Undefined is the absence of a value: no document holds it, evaluations yield it. What a value
/// points to must outlive it: the arena it was made in, and for texts the bytes that were read.
class Value {
 public:
  constexpr Value() : integer_(0) {}

  static Value null() { return Value(Kind::Null); }
  static Value boolean(bool value) {
    Value made(Kind::Boolean);
    made.integer_ = value ? 1 : 0;
    return made;
  }
  static Value integer(std::int64_t value) {
    Value made(Kind::Number);
    made.integer_ = value;
    return made;
  }
  /// Large coefficients take room in the arena; Undefined when that is spent.
  static Value number(const Decimal& decimal, Arena& arena);
  static Value string(std::string_view text) {
    Value made(Kind::String);
    made.size_ = static_cast<std::uint32_t>(text.size());
    made.text_ = text.data();
    return made;
  }
  static Value array(std::span<const Value> items) {
    Value made(Kind::Array);
    made.size_ = static_cast<std::uint32_t>(items.size());
    made.items_ = items.data();
    return made;
  }
  static Value object(std::span<const Member> members);
  /// Of copies in the arena; Undefined when that is spent. A copied member keeps its key where it
  /// is.
  static Value array(std::span<const Value> items, Arena& arena);
  static Value object(std::span<const Member> members, Arena& arena);

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  bool is_undefined() const { return kind_ == Kind::Undefined; }
  bool is_null() const { return kind_ == Kind::Null; }
  bool is_true() const { return kind_ == Kind::Boolean && integer_ != 0; }

  /// For Boolean.
  bool truth() const { return integer_ != 0; }
  /// For Number.
  Decimal decimal() const {
    return {big_ ? *coefficient_ : integer_, std::bit_cast<std::int32_t>(size_)};
  }
  /// For Number: whether it is written as a whole number within 64 bits, and which.
  bool is_small_integer() const { return kind_ == Kind::Number && !big_ && size_ == 0; }
  std::int64_t small_integer() const { return integer_; }
  /// For String.
  std::string_view text() const { return {text_, size_}; }
  /// For Array.
  std::span<const Value> items() const { return {items_, size_}; }
  /// For Object: in the order of the document, every key once.
  std::span<const Member> members() const;

  /// The members of an Object; none for anything else.
  std::span<const Member> members_or_none() const;

  /// The member of an Object; Undefined for anything else.
  Value member(std::string_view key) const;
  /// The element of an Array; Undefined for anything else.
  Value item(std::size_t index) const;

 private:
  explicit Value(Kind kind) : kind_(kind), integer_(0) {}

  Kind kind_ = Kind::Undefined;
  bool big_ = false;
  std::uint32_t size_ = 0;  // of text, items or members; the exponent of a number
  union {
    std::int64_t integer_;
    const Int128* coefficient_;
    const char* text_;
    const Value* items_;
    const Member* members_;
  };
};

struct Member {
  std::string_view key;
  Value value;
};

inline std::span<const Member> Value::members() const {
  return {members_, size_};
}

inline std::span<const Member> Value::members_or_none() const {
  return kind_ == Kind::Object ? members() : std::span<const Member>();
}

inline Value Value::object(std::span<const Member> members) {
  Value made(Kind::Object);
  made.size_ = static_cast<std::uint32_t>(members.size());
  made.members_ = members.data();
  return made;
}

inline Value Value::member(std::string_view key) const {
  for (const Member& member : members_or_none())
    if (same_text(member.key, key)) return member.value;
  return {};
}

inline Value Value::item(std::size_t index) const {
  return kind_ == Kind::Array && index < size_ ? items_[index] : Value();
}

/// Numbers by value, texts by bytes, arrays in order, objects by keys in any order. Undefined
/// equals Undefined here. What nests deeper than `kDepthMax` is unequal.
bool equal(const Value& a, const Value& b);

/// The whole value copied, with all its texts, into another arena; Undefined when that is spent.
Value copy(const Value& value, Arena& arena);

/// How deep documents and values may nest.
constexpr int kDepthMax = 64;

}  // namespace twinmq::json
