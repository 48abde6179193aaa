#include "json/read.hpp"

#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace twinmq::json {
namespace {

constexpr std::size_t kLinearKeysMax = 12;
constexpr std::size_t kFirstRoom = 8;  // elements of an array or object

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// The structure is read by hand: numbers keep their text's digits, keys are checked for doubles,
// and texts point into the payload. simdjson vouches for the UTF-8 of the whole at once.
class Reader {
 public:
  Reader(std::string_view text, Arena& arena)
      : at_(text.data()), end_(at_ + text.size()), begin_(at_), arena_(arena) {}

  ReadResult read() {
    skip_blanks();
    if (at_ == end_) return {{}, ReadFault::Empty, 0};
    Value value;
    if (!read_value(value, 0)) return failed();
    skip_blanks();
    if (at_ != end_) {
      fail(ReadFault::Syntax);
      return failed();
    }
    return {value, ReadFault::None, 0};
  }

 private:
  ReadResult failed() const { return {{}, fault_, static_cast<std::size_t>(at_ - begin_)}; }

  bool fail(ReadFault fault) {
    if (fault_ == ReadFault::None) fault_ = fault;
    return false;
  }

  void skip_blanks() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }

  bool read_value(Value& value, int depth) {
    if (at_ == end_) return fail(ReadFault::Syntax);
    switch (*at_) {
      case '{': return depth >= kDepthMax ? fail(ReadFault::TooDeep) : read_object(value, depth);
      case '[': return depth >= kDepthMax ? fail(ReadFault::TooDeep) : read_array(value, depth);
      case '"': {
        std::string_view text;
        if (!read_text(text)) return false;
        value = Value::string(text);
        return true;
      }
      case 't': return read_word("true", Value::boolean(true), value);
      case 'f': return read_word("false", Value::boolean(false), value);
      case 'n': return read_word("null", Value::null(), value);
      default: return read_number(value);
    }
  }

  bool read_word(std::string_view word, Value meaning, Value& value) {
    if (static_cast<std::size_t>(end_ - at_) < word.size() ||
        std::memcmp(at_, word.data(), word.size()) != 0)
      return fail(ReadFault::Syntax);
    at_ += word.size();
    value = meaning;
    return true;
  }

  bool read_number(Value& value) {
    const char* begin = at_;
    const bool negative = *at_ == '-';
    if (negative) ++at_;
    const char* digits = at_;
    std::uint64_t small = 0;
    while (at_ != end_ && is_digit(*at_)) small = small * 10 + static_cast<unsigned>(*at_++ - '0');
    const auto whole = at_ - digits;
    if (whole == 0 || (whole > 1 && *digits == '0')) return fail(ReadFault::Syntax);
    auto places = std::ptrdiff_t{0};
    if (at_ != end_ && *at_ == '.') {
      const char* point = ++at_;
      while (at_ != end_ && is_digit(*at_))
        small = small * 10 + static_cast<unsigned>(*at_++ - '0');
      places = at_ - point;
      if (places == 0) return fail(ReadFault::Syntax);
    }
    const bool exponent = at_ != end_ && (*at_ == 'e' || *at_ == 'E');
    if (!exponent && whole + places <= 18) {
      const auto number = static_cast<std::int64_t>(small);
      const Decimal decimal{negative ? -number : number, static_cast<std::int32_t>(-places)};
      value = Value::number(decimal, arena_);
      return true;
    }
    if (exponent) {
      ++at_;
      if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
      const char* first = at_;
      while (at_ != end_ && is_digit(*at_)) ++at_;
      if (at_ == first) return fail(ReadFault::Syntax);
    }
    const auto decimal =
        read_decimal({begin, static_cast<std::size_t>(at_ - begin)}, Exponents::Signed);
    if (!decimal) {
      value = {};
      return true;
    }
    value = Value::number(*decimal, arena_);
    return !value.is_undefined() || fail(ReadFault::OutOfMemory);
  }

  // Eight bytes at once: which of them are a quote, a backslash or a control character. Above the
  // lowest one there may be false ones.
  static std::uint64_t ends_of_text(const char* from) {
    constexpr std::uint64_t kOnes = 0x0101010101010101U;
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, from, sizeof bytes);
    const std::uint64_t quotes = bytes ^ (kOnes * '"');
    const std::uint64_t slashes = bytes ^ (kOnes * '\\');
    return (((quotes - kOnes) & ~quotes) | ((slashes - kOnes) & ~slashes) |
            ((bytes - kOnes * 0x20) & ~bytes)) &
           (kOnes * 0x80);
  }

  void skip_plain_text() {
    if constexpr (std::endian::native != std::endian::little) return;
    for (; end_ - at_ >= 8; at_ += 8) {
      const std::uint64_t ends = ends_of_text(at_);
      if (ends == 0) continue;
      at_ += std::countr_zero(ends) / 8;
      return;
    }
  }

  bool read_text(std::string_view& text) {
    const char* begin = ++at_;
    skip_plain_text();
    for (; at_ != end_; ++at_) {
      const auto byte = static_cast<unsigned char>(*at_);
      if (byte == '"') {
        text = {begin, static_cast<std::size_t>(at_ - begin)};
        ++at_;
        return true;
      }
      if (byte == '\\') return read_escaped(begin, text);
      if (byte < 0x20) return fail(ReadFault::Syntax);
    }
    return fail(ReadFault::Syntax);
  }

  bool read_escaped(const char* begin, std::string_view& text) {
    const char* close = at_;
    while (close != end_ && *close != '"') close += *close == '\\' && close + 1 != end_ ? 2 : 1;
    if (close >= end_) return fail(ReadFault::Syntax);
    // No escape is longer than what it stands for.
    char* to = arena_.text(static_cast<std::size_t>(close - begin));
    if (to == nullptr) return fail(ReadFault::OutOfMemory);
    char* out = to;
    std::memcpy(out, begin, static_cast<std::size_t>(at_ - begin));
    out += at_ - begin;
    while (at_ < close) {
      if (static_cast<unsigned char>(*at_) < 0x20) return fail(ReadFault::Syntax);
      if (*at_ != '\\') {
        *out++ = *at_++;
        continue;
      }
      ++at_;
      if (!read_escape(out, close)) return false;
    }
    at_ = close + 1;
    text = {to, static_cast<std::size_t>(out - to)};
    return true;
  }

  bool read_escape(char*& out, const char* close) {
    switch (*at_++) {
      case '"': *out++ = '"'; return true;
      case '\\': *out++ = '\\'; return true;
      case '/': *out++ = '/'; return true;
      case 'b': *out++ = '\b'; return true;
      case 'f': *out++ = '\f'; return true;
      case 'n': *out++ = '\n'; return true;
      case 'r': *out++ = '\r'; return true;
      case 't': *out++ = '\t'; return true;
      case 'u': break;
      default: return fail(ReadFault::Syntax);
    }
    std::uint32_t point = 0;
    if (!read_hex(point, close)) return false;
    if (point >= 0xDC00 && point < 0xE000) return fail(ReadFault::Utf8);
    if (point >= 0xD800 && point < 0xDC00) {
      std::uint32_t low = 0;
      if (close - at_ < 6 || at_[0] != '\\' || at_[1] != 'u') return fail(ReadFault::Utf8);
      at_ += 2;
      if (!read_hex(low, close)) return false;
      if (low < 0xDC00 || low >= 0xE000) return fail(ReadFault::Utf8);
      point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
    }
    const auto put = [&](std::uint32_t byte) { *out++ = static_cast<char>(byte); };
    if (point < 0x80) {
      put(point);
    } else if (point < 0x800) {
      put(0xC0 | point >> 6);
      put(0x80 | (point & 0x3F));
    } else if (point < 0x10000) {
      put(0xE0 | point >> 12);
      put(0x80 | (point >> 6 & 0x3F));
      put(0x80 | (point & 0x3F));
    } else {
      put(0xF0 | point >> 18);
      put(0x80 | (point >> 12 & 0x3F));
      put(0x80 | (point >> 6 & 0x3F));
      put(0x80 | (point & 0x3F));
    }
    return true;
  }

  bool read_hex(std::uint32_t& point, const char* close) {
    if (close - at_ < 4) return fail(ReadFault::Syntax);
    point = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = *at_++;
      const int digit = is_digit(c)            ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return fail(ReadFault::Syntax);
      point = point << 4 | static_cast<std::uint32_t>(digit);
    }
    return true;
  }

  // Elements gather on the reader's own stack until their number is known, then move into the
  // arena.
  bool read_array(Value& value, int depth) {
    ++at_;
    Chunk<Value> gathered(arena_);
    skip_blanks();
    if (at_ != end_ && *at_ == ']') {
      ++at_;
      value = Value::array({});
      return true;
    }
    for (;;) {
      Value item;
      skip_blanks();
      if (!read_value(item, depth + 1)) return false;
      if (!gathered.add(item.is_undefined() ? Value::null() : item))
        return fail(ReadFault::OutOfMemory);
      skip_blanks();
      if (at_ == end_ || (*at_ != ',' && *at_ != ']')) return fail(ReadFault::Syntax);
      if (*at_++ == ']') break;
    }
    value = Value::array(gathered.all());
    return true;
  }

  bool read_object(Value& value, int depth) {
    ++at_;
    Chunk<Member> gathered(arena_);
    skip_blanks();
    if (at_ != end_ && *at_ == '}') {
      ++at_;
      value = Value::object({});
      return true;
    }
    for (;;) {
      Member member;
      skip_blanks();
      if (at_ == end_ || *at_ != '"') return fail(ReadFault::Syntax);
      if (!read_text(member.key)) return false;
      skip_blanks();
      if (at_ == end_ || *at_ != ':') return fail(ReadFault::Syntax);
      ++at_;
      skip_blanks();
      if (!read_value(member.value, depth + 1)) return false;
      if (!gathered.add(member)) return fail(ReadFault::OutOfMemory);
      skip_blanks();
      if (at_ == end_ || (*at_ != ',' && *at_ != '}')) return fail(ReadFault::Syntax);
      if (*at_++ == '}') break;
    }
    value = Value::object(without_doubles(gathered.all()));
    return true;
  }

  // Grows by doubling inside the arena; what small lists leave behind is small.
  template <typename T>
  class Chunk {
   public:
    explicit Chunk(Arena& arena) : arena_(arena) {}

    bool add(const T& element) {
      if (count_ == room_) {
        const std::size_t room = room_ == 0 ? kFirstRoom : room_ * 2;
        T* larger = arena_.array<T>(room);
        if (larger == nullptr) return false;
        if (count_ != 0) std::memcpy(static_cast<void*>(larger), elements_, count_ * sizeof(T));
        elements_ = larger;
        room_ = room;
      }
      new (elements_ + count_++) T(element);
      return true;
    }

    std::span<T> all() const { return {elements_, count_}; }

   private:
    Arena& arena_;
    T* elements_ = nullptr;
    std::size_t count_ = 0;
    std::size_t room_ = 0;
  };

  std::span<Member> without_doubles(std::span<Member> members) {
    if (members.size() > kLinearKeysMax) return without_doubles_sorted(members);
    std::size_t kept = 0;
    for (const Member& member : members) {
      std::size_t same = 0;
      while (same < kept && !same_text(members[same].key, member.key)) ++same;
      if (same == kept) members[kept++].key = member.key;
      members[same].value = member.value;
    }
    return without_absent(members.first(kept));
  }

  std::span<Member> without_doubles_sorted(std::span<Member> members) {
    std::uint32_t* order = arena_.array<std::uint32_t>(members.size());
    if (order == nullptr) return members;
    for (std::uint32_t i = 0; i < members.size(); ++i) order[i] = i;
    std::sort(order, order + members.size(), [&](std::uint32_t a, std::uint32_t b) {
      const int by_key = members[a].key.compare(members[b].key);
      return by_key != 0 ? by_key < 0 : a < b;
    });
    bool doubles = false;
    for (std::size_t i = 0; i < members.size();) {
      std::size_t next = i + 1;
      while (next < members.size() && members[order[next]].key == members[order[i]].key) ++next;
      if (next - i > 1) {
        doubles = true;
        members[order[i]].value = members[order[next - 1]].value;
        for (std::size_t k = i + 1; k < next; ++k) members[order[k]].value = {};
      }
      i = next;
    }
    return doubles || has_absent(members) ? without_absent(members) : members;
  }

  static bool has_absent(std::span<const Member> members) {
    return std::any_of(members.begin(), members.end(),
                       [](const Member& m) { return m.value.is_undefined(); });
  }

  static std::span<Member> without_absent(std::span<Member> members) {
    std::size_t kept = 0;
    for (const Member& member : members)
      if (!member.value.is_undefined()) members[kept++] = member;
    return members.first(kept);
  }

  const char* at_;
  const char* end_;
  const char* begin_;
  Arena& arena_;
  ReadFault fault_ = ReadFault::None;
};

bool is_ascii(std::string_view text) {
  std::uint64_t bits = 0;
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, 8);
    bits |= word;
  }
  for (; at < text.size(); ++at) bits |= static_cast<unsigned char>(text[at]);
  return (bits & 0x8080808080808080U) == 0;
}

}  // namespace

ReadResult read(std::string_view text, Arena& arena) {
  if (!is_ascii(text) && !simdjson::validate_utf8(text.data(), text.size()))
    return {{}, ReadFault::Utf8, 0};
  return Reader(text, arena).read();
}

std::string_view describe(ReadFault fault) {
  switch (fault) {
    case ReadFault::None: return "is JSON";
    case ReadFault::Empty: return "is empty";
    case ReadFault::Syntax: return "is no JSON";
    case ReadFault::Utf8: return "is no UTF-8";
    case ReadFault::TooDeep: return "nests too deep";
    case ReadFault::OutOfMemory: return "needs more memory than is granted";
  }
  return "is no JSON";
}

}  // namespace twinmq::json
