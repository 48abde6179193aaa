#include "sql/packed.hpp"

#include <cmath>
#include <cstring>
#include <vector>

#include "json/write.hpp"
#include "sql/base64.hpp"
#include "sql/utf8.hpp"

namespace twinmq::sql {
namespace {

using json::Kind;
using json::Member;
using json::Value;

// What both formats need. Reading goes on only while nothing is wrong.
class Unpacker {
 public:
  Unpacker(std::string_view bytes, json::Arena& arena) : bytes_(bytes), arena_(arena) {}

  bool wrong() const { return wrong_ || arena_.exhausted(); }
  bool at_end() const { return bytes_.empty(); }

 protected:
  std::uint64_t number(std::size_t size) {
    if (bytes_.size() < size) wrong_ = true;
    if (wrong_) return 0;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
      value = value << 8 | static_cast<unsigned char>(bytes_[i]);
    bytes_.remove_prefix(size);
    return value;
  }

  std::string_view piece(std::uint64_t size) {
    if (size > bytes_.size()) wrong_ = true;
    if (wrong_) return {};
    const std::string_view piece = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return piece;
  }

  Value text(std::string_view text) {
    if (!is_utf8(text)) wrong_ = true;
    return Value::string(text);
  }

  Value binary(std::string_view bytes) { return Value::string(arena_.copy(to_base64(bytes))); }

  Value whole(std::uint64_t value, bool negative) {
    const auto wide = static_cast<json::Int128>(value);
    return Value::number({negative ? -1 - wide : wide, 0}, arena_);
  }

  Value floating(double value) {
    const auto decimal = json::decimal_of(value);
    return decimal ? Value::number(*decimal, arena_) : Value::null();
  }

  // Whether as many things, of a byte at least each, can still come.
  bool plausible(std::uint64_t count) {
    if (count > bytes_.size()) wrong_ = true;
    return !wrong_;
  }

  // Of members with one key the last counts; a long list is not searched.
  Value object(std::vector<Member>& members) {
    std::size_t count = 0;
    for (const Member& member : members) {
      std::size_t same = members.size() > 64 ? count : 0;
      while (same < count && members[same].key != member.key) ++same;
      if (same == count) ++count;
      members[same] = member;
    }
    members.resize(count);
    return Value::object(members, arena_);
  }

  std::string_view key_of(const Value& key) {
    return key.is(Kind::String) ? key.text() : arena_.copy(json::text_of(key));
  }

  std::string_view bytes_;
  json::Arena& arena_;
  bool wrong_ = false;
};

double half_of(std::uint64_t bits) {
  const int exponent = static_cast<int>(bits >> 10 & 31);
  const auto fraction = static_cast<double>(bits & 1023);
  const double size = exponent == 0    ? std::ldexp(fraction, -24)
                      : exponent == 31 ? HUGE_VAL
                                       : std::ldexp(fraction + 1024, exponent - 25);
  return (bits >> 15 & 1) != 0 ? -size : size;
}

double single_of(std::uint64_t bits) {
  const auto narrow = static_cast<std::uint32_t>(bits);
  float value = 0;
  std::memcpy(&value, &narrow, sizeof value);
  return static_cast<double>(value);
}

double double_of(std::uint64_t bits) {
  double value = 0;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

class CborReader : public Unpacker {
 public:
  using Unpacker::Unpacker;

  Value read(int depth) {
    if (depth > json::kDepthMax) wrong_ = true;
    const auto head = static_cast<unsigned>(number(1));
    if (wrong_) return {};
    const unsigned detail = head & 31;
    const bool open = detail == 31;
    if (detail > 27 && !open) wrong_ = true;
    const std::uint64_t size = detail < 24 ? detail
                               : open      ? 0
                                           : number(std::size_t{1} << (detail - 24));
    if (wrong_) return {};
    switch (head >> 5) {
      case 0: return open ? fault() : whole(size, false);
      case 1: return open ? fault() : whole(size, true);
      case 2: return open ? fault() : binary(piece(size));
      case 3: return open ? chunks() : text(piece(size));
      case 4: return items(size, open, depth);
      case 5: return members(size, open, depth);
      case 6: return open ? fault() : read(depth + 1);
      default: return simple(detail, size);
    }
  }

 private:
  Value fault() {
    wrong_ = true;
    return {};
  }

  bool ends(std::uint64_t count, std::uint64_t size, bool open) {
    if (wrong()) return true;
    if (!open) return count == size;
    if (bytes_.empty()) wrong_ = true;
    if (wrong_ || bytes_.front() != '\xFF') return wrong_;
    bytes_.remove_prefix(1);
    return true;
  }

  Value chunks() {
    std::string joined;
    while (!ends(0, 1, true)) {
      const Value chunk = read(json::kDepthMax);
      if (!chunk.is(Kind::String)) return fault();
      joined += chunk.text();
    }
    return text(arena_.copy(joined));
  }

  Value items(std::uint64_t size, bool open, int depth) {
    if (!open && !plausible(size)) return {};
    std::vector<Value> items;
    while (!ends(items.size(), size, open)) items.push_back(read(depth + 1));
    return Value::array(items, arena_);
  }

  Value members(std::uint64_t size, bool open, int depth) {
    if (!open && !plausible(size)) return {};
    std::vector<Member> members;
    while (!ends(members.size(), size, open)) {
      const Value key = read(depth + 1);
      const Value value = read(depth + 1);
      if (!wrong_) members.push_back({key_of(key), value});
    }
    return object(members);
  }

  Value simple(unsigned detail, std::uint64_t size) {
    switch (detail) {
      case 20: return Value::boolean(false);
      case 21: return Value::boolean(true);
      case 22:
      case 23: return Value::null();
      case 25: return floating(half_of(size));
      case 26: return floating(single_of(size));
      case 27: return floating(double_of(size));
      default: return fault();
    }
  }
};

class MsgpackReader : public Unpacker {
 public:
  using Unpacker::Unpacker;

  Value read(int depth) {
    if (depth > json::kDepthMax) wrong_ = true;
    const auto head = static_cast<unsigned>(number(1));
    if (wrong_) return {};
    if (head < 0x80) return whole(head, false);
    if (head < 0x90) return members(head & 15, depth);
    if (head < 0xA0) return items(head & 15, depth);
    if (head < 0xC0) return text(piece(head & 31));
    if (head >= 0xE0) return whole(0xFF - head, true);
    return marked(head, depth);
  }

 private:
  Value marked(unsigned head, int depth) {
    switch (head) {
      case 0xC0: return Value::null();
      case 0xC2: return Value::boolean(false);
      case 0xC3: return Value::boolean(true);
      case 0xC4:
      case 0xC5:
      case 0xC6: return binary(piece(number(std::size_t{1} << (head - 0xC4))));
      case 0xC7:
      case 0xC8:
      case 0xC9: return extension(number(std::size_t{1} << (head - 0xC7)));
      case 0xCA: return floating(single_of(number(4)));
      case 0xCB: return floating(double_of(number(8)));
      case 0xCC:
      case 0xCD:
      case 0xCE:
      case 0xCF: return whole(number(std::size_t{1} << (head - 0xCC)), false);
      case 0xD0:
      case 0xD1:
      case 0xD2:
      case 0xD3: return signed_whole(std::size_t{1} << (head - 0xD0));
      case 0xD4:
      case 0xD5:
      case 0xD6:
      case 0xD7:
      case 0xD8: return extension(std::uint64_t{1} << (head - 0xD4));
      case 0xD9:
      case 0xDA:
      case 0xDB: return text(piece(number(std::size_t{1} << (head - 0xD9))));
      case 0xDC:
      case 0xDD: return items(number(std::size_t{2} << (head - 0xDC)), depth);
      case 0xDE:
      case 0xDF: return members(number(std::size_t{2} << (head - 0xDE)), depth);
      default: wrong_ = true; return {};
    }
  }

  Value signed_whole(std::size_t size) {
    const std::uint64_t bits = number(size) << (64 - 8 * size);
    return Value::integer(static_cast<std::int64_t>(bits) >> (64 - 8 * size));
  }

  Value extension(std::uint64_t size) {
    piece(1);
    return binary(piece(size));
  }

  Value items(std::uint64_t size, int depth) {
    if (!plausible(size)) return {};
    std::vector<Value> items;
    while (items.size() < size && !wrong()) items.push_back(read(depth + 1));
    return Value::array(items, arena_);
  }

  Value members(std::uint64_t size, int depth) {
    if (!plausible(size)) return {};
    std::vector<Member> members;
    while (members.size() < size && !wrong()) {
      const Value key = read(depth + 1);
      const Value value = read(depth + 1);
      if (!wrong_) members.push_back({key_of(key), value});
    }
    return object(members);
  }
};

template <typename Reader>
std::optional<Value> read_all(std::string_view bytes, json::Arena& arena) {
  Reader reader(bytes, arena);
  const Value value = reader.read(0);
  if (reader.wrong() || !reader.at_end()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<Value> read_cbor(std::string_view bytes, json::Arena& arena) {
  return read_all<CborReader>(bytes, arena);
}

std::optional<Value> read_msgpack(std::string_view bytes, json::Arena& arena) {
  return read_all<MsgpackReader>(bytes, arena);
}

}  // namespace twinmq::sql
