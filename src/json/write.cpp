#include "json/write.hpp"

#include <charconv>

namespace twinmq::json {
namespace {

void write_within(const Value& value, std::string& to, Numbers numbers, int depth) {
  switch (value.kind()) {
    case Kind::Undefined: break;
    case Kind::Null: to += "null"; break;
    case Kind::Boolean: to += value.truth() ? "true" : "false"; break;
    case Kind::String: write_text(value.text(), to); break;
    case Kind::Number: {
      char text[kDecimalTextMax];
      if (value.is_small_integer()) {
        to.append(text, std::to_chars(text, text + sizeof text, value.small_integer()).ptr);
        break;
      }
      const Decimal decimal = value.decimal();
      to.append(text,
                write_decimal(numbers == Numbers::Stripped ? stripped(decimal) : decimal, text));
      break;
    }
    case Kind::Array: {
      to += '[';
      bool first = true;
      for (const Value& item : value.items()) {
        if (!first) to += ',';
        first = false;
        if (item.is_undefined() || depth == 0)
          to += "null";
        else
          write_within(item, to, numbers, depth - 1);
      }
      to += ']';
      break;
    }
    case Kind::Object: {
      to += '{';
      bool first = true;
      for (const Member& member : value.members()) {
        if (member.value.is_undefined() || depth == 0) continue;
        if (!first) to += ',';
        first = false;
        write_text(member.key, to);
        to += ':';
        write_within(member.value, to, numbers, depth - 1);
      }
      to += '}';
      break;
    }
  }
}

}  // namespace

void write(const Value& value, std::string& to, Numbers numbers) {
  write_within(value, to, numbers, 2 * kDepthMax);
}

std::string text_of(const Value& value, Numbers numbers) {
  std::string text;
  write(value, text, numbers);
  return text;
}

void write_text(std::string_view text, std::string& to) {
  constexpr char kHex[] = "0123456789abcdef";
  to += '"';
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    to.append(text, begin, at - begin);
    begin = at + 1;
    to += '\\';
    switch (byte) {
      case '"':
      case '\\': to += static_cast<char>(byte); break;
      case '\n': to += 'n'; break;
      case '\r': to += 'r'; break;
      case '\t': to += 't'; break;
      case '\b': to += 'b'; break;
      case '\f': to += 'f'; break;
      default:
        to += "u00";
        to += kHex[byte >> 4];
        to += kHex[byte & 15];
    }
  }
  to.append(text, begin);
  to += '"';
}

}  // namespace twinmq::json
