#include "base/escape.hpp"

#include <cstddef>
#include <cstdint>

#include <fmt/format.h>

namespace twinmq {
namespace {

struct CodePoint {
  std::uint32_t value = 0;
  std::size_t bytes = 0;  ///< 0: the text does not begin with well-formed UTF-8
};

/// The first code point, by Unicode's table of well-formed sequences.
CodePoint first_code_point(std::string_view text) {
  const auto at = [&](std::size_t i) -> std::uint32_t {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const std::uint32_t lead = at(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4) return {};
  std::uint32_t value = lead & (0x7FU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((at(i) & 0xC0) != 0x80) return {};
    value = (value << 6) | (at(i) & 0x3F);
  }
  const std::uint32_t least = size == 4 ? 0x10000 : size == 3 ? 0x800 : 0x80;
  if (value < least || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return {};
  return {value, size};
}

/// Controls, line separators, and marks that make a line read differently from what it says.
bool misleading(std::uint32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xAD || c == 0x61C ||
         (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
         (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF;
}

bool looks_like_a_number_or_truth(std::string_view text) {
  return text == "true" || text == "false" || text == "null" ||
         text.find_first_not_of("0123456789+-.eE") == std::string_view::npos;
}

bool plain_word(std::string_view text) {
  if (looks_like_a_number_or_truth(text)) return false;
  while (!text.empty()) {
    const CodePoint c = first_code_point(text);
    if (c.bytes == 0 || misleading(c.value)) return false;
    if (c.value == ' ' || c.value == '"' || c.value == '=' || c.value == '\\' || c.value == 0xA0)
      return false;
    text.remove_prefix(c.bytes);
  }
  return true;
}

}  // namespace

std::string escaped(std::string_view text) {
  return !text.empty() && plain_word(text) ? std::string(text) : quoted(text);
}

std::string quoted(std::string_view text) {
  std::string safe = "\"";
  while (!text.empty()) {
    const CodePoint c = first_code_point(text);
    if (c.bytes == 0) {
      safe += fmt::format("\\\\x{:02X}", static_cast<unsigned char>(text.front()));
    } else if (c.value == '"' || c.value == '\\') {
      safe += '\\';
      safe += text.front();
    } else if (c.value == '\n') {
      safe += "\\n";
    } else if (c.value == '\r') {
      safe += "\\r";
    } else if (c.value == '\t') {
      safe += "\\t";
    } else if (misleading(c.value)) {
      safe += fmt::format("\\u{:04x}", c.value);
    } else {
      safe += text.substr(0, c.bytes);
    }
    text.remove_prefix(c.bytes == 0 ? 1 : c.bytes);
  }
  return safe + '"';
}

}  // namespace twinmq
