#include "modules/shadow/cbor.hpp"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>

#include "modules/shadow/json_text.hpp"

namespace twinmq::shadow {
namespace {

constexpr int kDepthMax = 300;
constexpr std::uint8_t kBreak = 0xFF;
constexpr std::uint8_t kIndefinite = 31;
constexpr std::uint64_t kSelfDescribed = 55'799;

enum Major : std::uint8_t { Unsigned, Negative, Bytes, Text, Array, Map, Tag, Simple };

class CborReader {
 public:
  explicit CborReader(std::string_view bytes) : left_(bytes) {}

  std::string out;

  bool whole() { return item(0) && left_.empty(); }

 private:
  struct Head {
    Major major;
    std::uint8_t detail;
    std::uint64_t value = 0;
  };

  bool head(Head& head) {
    if (left_.empty()) return false;
    const auto first = static_cast<std::uint8_t>(left_.front());
    left_.remove_prefix(1);
    head.major = static_cast<Major>(first >> 5);
    head.detail = first & 31;
    head.value = head.detail;
    if (head.detail < 24) return true;
    if (head.detail == kIndefinite) return head.major >= Text && head.major <= Map;
    if (head.detail > 27) return false;
    const std::size_t size = std::size_t{1} << (head.detail - 24);
    if (left_.size() < size) return false;
    head.value = 0;
    for (std::size_t i = 0; i < size; ++i)
      head.value = head.value << 8 | static_cast<unsigned char>(left_[i]);
    left_.remove_prefix(size);
    return true;
  }

  bool at_break() {
    if (left_.empty() || static_cast<std::uint8_t>(left_.front()) != kBreak) return false;
    left_.remove_prefix(1);
    return true;
  }

  bool item(int depth) {
    Head next{};
    if (depth > kDepthMax || !head(next)) return false;
    switch (next.major) {
      case Unsigned: out += std::to_string(next.value); return true;
      case Negative:
        out += next.value == UINT64_MAX ? std::string("-18446744073709551616")
                                        : '-' + std::to_string(next.value + 1);
        return true;
      case Text: return text(next);
      case Array:
      case Map: return container(next, depth);
      case Tag: return next.value == kSelfDescribed && item(depth + 1);
      case Simple: return simple(next);
      case Bytes: return false;
    }
    return false;
  }

  bool chunk(std::uint64_t size, std::string& to) {
    if (size > left_.size()) return false;
    to += left_.substr(0, size);
    left_.remove_prefix(size);
    return true;
  }

  bool text(const Head& start) {
    std::string characters;
    if (start.detail != kIndefinite) {
      if (!chunk(start.value, characters)) return false;
    } else {
      while (!at_break()) {
        Head part{};
        if (!head(part) || part.major != Text || part.detail == kIndefinite ||
            !chunk(part.value, characters))
          return false;
      }
    }
    write_string(characters, out);
    return true;
  }

  bool container(const Head& start, int depth) {
    const bool map = start.major == Map;
    const bool open = start.detail == kIndefinite;
    out += map ? '{' : '[';
    for (std::uint64_t i = 0; open || i < start.value; ++i) {
      if (open && at_break()) break;
      if (i > 0) out += ',';
      if (map) {
        Head key{};
        if (!head(key) || key.major != Text || !text(key)) return false;
        out += ':';
      }
      if (!item(depth + 1)) return false;
    }
    out += map ? '}' : ']';
    return true;
  }

  static double half(std::uint64_t bits) {
    const auto exponent = static_cast<int>(bits >> 10 & 31);
    const auto fraction = static_cast<double>(bits & 1023);
    double value = 0;
    if (exponent == 31) return NAN;
    value = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(fraction + 1024, exponent - 25);
    return (bits & 0x8000) != 0 ? -value : value;
  }

  bool simple(const Head& next) {
    double number = 0;
    switch (next.detail) {
      case 20: out += "false"; return true;
      case 21: out += "true"; return true;
      case 22: out += "null"; return true;
      case 25: number = half(next.value); break;
      case 26:
        number = static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(next.value)));
        break;
      case 27: number = std::bit_cast<double>(next.value); break;
      default: return false;
    }
    if (!std::isfinite(number)) return false;
    char digits[32];
    const std::to_chars_result end = std::to_chars(digits, digits + sizeof digits, number);
    out.append(digits, end.ptr);
    return true;
  }

  std::string_view left_;
};

void put_head(Major major, std::uint64_t value, std::string& out) {
  const auto first = static_cast<std::uint8_t>(major << 5);
  int bytes = 8;
  if (value < 24) {
    out += static_cast<char>(first | value);
    return;
  }
  std::uint8_t detail = 27;
  if (value <= UINT8_MAX) {
    detail = 24;
    bytes = 1;
  } else if (value <= UINT16_MAX) {
    detail = 25;
    bytes = 2;
  } else if (value <= UINT32_MAX) {
    detail = 26;
    bytes = 4;
  }
  out += static_cast<char>(first | detail);
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8)
    out += static_cast<char>(value >> shift);
}

void put_number(std::string_view text, std::string& out) {
  const bool negative = text.starts_with('-');
  const std::string_view digits = text.substr(negative ? 1 : 0);
  std::uint64_t whole = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), whole);
  if (read.ec == std::errc() && read.ptr == digits.data() + digits.size() &&
      !(negative && whole == 0))
    return put_head(negative ? Negative : Unsigned, negative ? whole - 1 : whole, out);
  double number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  const auto narrow = static_cast<float>(number);
  const bool fits =
      std::isfinite(narrow) && std::bit_cast<std::uint64_t>(static_cast<double>(narrow)) ==
                                   std::bit_cast<std::uint64_t>(number);
  out += static_cast<char>(Simple << 5 | (fits ? 26 : 27));
  const std::uint64_t bits =
      fits ? std::bit_cast<std::uint32_t>(narrow) : std::bit_cast<std::uint64_t>(number);
  for (int shift = fits ? 24 : 56; shift >= 0; shift -= 8) out += static_cast<char>(bits >> shift);
}

}  // namespace

std::optional<std::string> json_of_cbor(std::string_view bytes) {
  CborReader reader(bytes);
  if (!reader.whole()) return std::nullopt;
  return std::move(reader.out);
}

void write_cbor(const Node& node, std::string& out) {
  switch (node.kind) {
    case Kind::Null: out += static_cast<char>(0xF6); return;
    case Kind::False: out += static_cast<char>(0xF4); return;
    case Kind::True: out += static_cast<char>(0xF5); return;
    case Kind::Number: return put_number(node.characters(), out);
    case Kind::String:
      put_head(Text, node.size, out);
      out += node.characters();
      return;
    case Kind::Array:
    case Kind::Object:
      put_head(node.is_object() ? Map : Array, node.size, out);
      for (const Node& child : node.children()) {
        if (node.is_object()) {
          put_head(Text, child.key_size, out);
          out += child.name();
        }
        write_cbor(child, out);
      }
      return;
  }
}

}  // namespace twinmq::shadow
