#include "modules/shadow/json_text.hpp"

#include "mqtt/text_scan.hpp"

#include <rapidjson/encodedstream.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <array>
#include <charconv>
#include <cstring>
#include <vector>

namespace twinmq::shadow {
namespace {

using rapidjson::SizeType;

// RapidJSON lets the second half of a pair (\udc00) stand alone, and would write it as no UTF-8 is.
bool holds_surrogate(std::string_view text) {
  for (std::size_t at = text.find('\xED'); at != text.npos; at = text.find('\xED', at + 1))
    if (at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) >= 0xA0) return true;
  return false;
}

// Receives what RapidJSON reads. Finished values wait in a row until their container ends.
class TreeBuilder {
 public:
  void start(EpochSeconds written, Arena& arena) {
    written_ = written;
    arena_ = &arena;
    values_.clear();
    key_ = {};
    open_.clear();
  }
  const Node& root() const { return values_.front(); }

  bool Null() {
    Node node = make(Kind::Null);
    node.holds_null = true;
    return add(node);
  }
  bool Bool(bool value) { return add(make(value ? Kind::True : Kind::False)); }
  bool RawNumber(const char* text, SizeType size, bool) {
    return number_fits({text, size}) && add_text(Kind::Number, {text, size});
  }
  bool String(const char* text, SizeType size, bool) {
    return !holds_surrogate({text, size}) && add_text(Kind::String, {text, size});
  }
  bool Key(const char* text, SizeType size, bool) {
    key_ = arena_->keep({text, size});
    return !holds_surrogate(key_);
  }
  bool StartObject() { return open(Kind::Object); }
  bool StartArray() { return open(Kind::Array); }
  bool EndObject(SizeType) { return close(); }
  bool EndArray(SizeType) { return close(); }

  // Numbers come as text.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(std::int64_t) { return false; }
  bool Uint64(std::uint64_t) { return false; }
  bool Double(double) { return false; }

 private:
  Node make(Kind kind) {
    Node node;
    node.kind = kind;
    node.key = key_.data();
    node.key_size = static_cast<std::uint32_t>(key_.size());
    node.written = written_;
    key_ = {};
    return node;
  }
  bool add(const Node& node) {
    values_.push_back(node);
    return true;
  }
  bool add_text(Kind kind, std::string_view text) {
    Node node = make(kind);
    const std::string_view kept = arena_->keep(text);
    node.text = kept.data();
    node.size = static_cast<std::uint32_t>(kept.size());
    return add(node);
  }
  bool open(Kind kind) {
    open_.push_back(values_.size());
    return add(make(kind));
  }
  bool close() {
    const std::size_t at = open_.back();
    open_.pop_back();
    std::span<Node> members(values_.data() + at + 1, values_.size() - at - 1);
    if (values_[at].kind == Kind::Object) members = members.first(put_in_order(members));
    hold(values_[at], members, *arena_);
    values_.resize(at + 1);
    return true;
  }

  EpochSeconds written_ = 0;
  Arena* arena_ = nullptr;
  std::vector<Node> values_;
  std::vector<std::size_t> open_;
  std::string_view key_;
};

// Which characters a JSON string may not hold as they are.
constexpr std::array<bool, 256> escaped_characters() {
  std::array<bool, 256> escaped{};
  for (std::size_t i = 0; i < 0x20; ++i) escaped[i] = true;
  escaped['"'] = escaped['\\'] = true;
  return escaped;
}
constexpr std::array<bool, 256> kEscaped = escaped_characters();

// Where the first character from `at` on lies that must be escaped; eight are looked at at once.
std::size_t next_escaped(std::string_view text, std::size_t at) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHighs = 0x8080808080808080;
  const auto zeros = [](std::uint64_t bytes) { return (bytes - kOnes) & ~bytes & kHighs; };
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, text.data() + at, sizeof bytes);
    const std::uint64_t controls = (bytes - kOnes * 0x20) & ~bytes & kHighs;
    // May be set for bytes behind one that counts, never for none at all. 0x7f is not escaped.
    if ((controls | zeros(bytes ^ kOnes * '"') | zeros(bytes ^ kOnes * '\\')) != 0) break;
  }
  while (at < text.size() && !kEscaped[static_cast<unsigned char>(text[at])]) ++at;
  return at;
}

void write_escape(char character, std::string& out) {
  constexpr std::string_view kHex = "0123456789abcdef";
  switch (character) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\b': out += "\\b"; return;
    case '\f': out += "\\f"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: break;
  }
  const auto code = static_cast<unsigned char>(character);
  out += "\\u00";
  out += kHex[code >> 4];
  out += kHex[code & 15];
}

std::size_t string_bytes(std::string_view text) {
  std::size_t bytes = text.size() + 2;
  for (std::size_t at = next_escaped(text, 0); at < text.size(); at = next_escaped(text, at + 1)) {
    constexpr std::string_view kShort = "\"\\\b\f\n\r\t";
    bytes += kShort.find(text[at]) != kShort.npos ? 1U : 5U;
  }
  return bytes;
}

void write_timestamp(EpochSeconds written, std::string& out) {
  out += R"({"timestamp":)";
  write_integer(written, out);
  out += '}';
}

// Every element of an array has the time of the array: arrays are replaced whole.
void write_metadata_at(const Node& node, EpochSeconds written, std::string& out) {
  if (!node.is_container()) return write_timestamp(written, out);
  const bool object = node.is_object();
  out += object ? '{' : '[';
  bool first = true;
  for (const Node& child : node.children()) {
    if (!first) out += ',';
    first = false;
    if (object) {
      write_string(child.name(), out);
      out += ':';
    }
    write_metadata_at(child, written, out);
  }
  out += object ? '}' : ']';
}

}  // namespace

struct JsonReader::Working {
  rapidjson::Reader reader;
  TreeBuilder builder;
};

JsonReader::JsonReader() : working_(std::make_unique<Working>()) {}
JsonReader::~JsonReader() = default;

Reading JsonReader::read(std::string_view text, EpochSeconds written, Arena& arena, Node& root) {
  const mqtt::TextFacts facts = mqtt::scan_text<false>(text);
  if (!facts.well_formed) return Reading::NotUtf8;
  // RapidJSON takes a zero byte for the end of the text.
  if (facts.has_nul) return Reading::NotJson;
  constexpr unsigned kFlags =
      rapidjson::kParseIterativeFlag | rapidjson::kParseNumbersAsStringsFlag;
  rapidjson::MemoryStream bytes(text.data(), text.size());
  rapidjson::EncodedInputStream<rapidjson::UTF8<>, rapidjson::MemoryStream> stream(bytes);
  working_->builder.start(written, arena);
  if (working_->reader.Parse<kFlags>(stream, working_->builder).IsError()) return Reading::NotJson;
  root = working_->builder.root();
  return Reading::Good;
}

void write_string(std::string_view text, std::string& out) {
  out += '"';
  std::size_t from = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    i = next_escaped(text, i);
    out.append(text, from, i - from);
    if (i == text.size()) break;
    write_escape(text[i], out);
    from = i + 1;
  }
  out += '"';
}

void write_integer(std::int64_t value, std::string& out) {
  char digits[24];
  const std::to_chars_result end = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, end.ptr);
}

void write_value(const Node& node, std::string& out) {
  switch (node.kind) {
    case Kind::Null: out += "null"; return;
    case Kind::False: out += "false"; return;
    case Kind::True: out += "true"; return;
    case Kind::Number: out += node.characters(); return;
    case Kind::String: return write_string(node.characters(), out);
    case Kind::Array:
    case Kind::Object: break;
  }
  const bool object = node.is_object();
  out += object ? '{' : '[';
  bool first = true;
  for (const Node& child : node.children()) {
    if (!first) out += ',';
    first = false;
    if (object) {
      write_string(child.name(), out);
      out += ':';
    }
    write_value(child, out);
  }
  out += object ? '}' : ']';
}

void write_metadata(const Node& node, std::string& out) {
  if (!node.is_object()) return write_metadata_at(node, node.written, out);
  out += '{';
  bool first = true;
  for (const Node& child : node.children()) {
    if (!first) out += ',';
    first = false;
    write_string(child.name(), out);
    out += ':';
    write_metadata(child, out);
  }
  out += '}';
}

std::size_t value_bytes(const Node& node) {
  switch (node.kind) {
    case Kind::Null:
    case Kind::True: return 4;
    case Kind::False: return 5;
    case Kind::Number: return node.size;
    case Kind::String: return string_bytes(node.characters());
    case Kind::Array:
    case Kind::Object: break;
  }
  std::size_t bytes = node.size == 0 ? 2 : 1 + node.size;
  for (const Node& child : node.children()) {
    if (node.is_object()) bytes += string_bytes(child.name()) + 1;
    bytes += value_bytes(child);
  }
  return bytes;
}

}  // namespace twinmq::shadow
