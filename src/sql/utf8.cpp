#include "sql/utf8.hpp"

#include <algorithm>

namespace twinmq::sql {
namespace {

bool continues(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

}  // namespace

std::size_t character_count(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !continues(c); }));
}

std::size_t character_offset(std::string_view text, std::size_t index) {
  for (std::size_t at = 0; at < text.size(); ++at)
    if (!continues(text[at]) && index-- == 0) return at;
  return text.size();
}

std::uint32_t next_character(std::string_view text, std::size_t& offset) {
  const auto lead = static_cast<unsigned char>(text[offset++]);
  if (lead < 0xC0) return lead;
  const int more = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
  std::uint32_t point = lead & (0x3FU >> more);
  for (int i = 0; i < more && offset < text.size() && continues(text[offset]); ++i)
    point = point << 6 | (static_cast<unsigned char>(text[offset++]) & 0x3F);
  return point;
}

void append_character(std::uint32_t point, std::string& to) {
  const auto put = [&](std::uint32_t byte) { to += static_cast<char>(byte); };
  if (point < 0x80) return put(point);
  if (point < 0x800) {
    put(0xC0 | point >> 6);
  } else {
    if (point < 0x10000) {
      put(0xE0 | point >> 12);
    } else {
      put(0xF0 | point >> 18);
      put(0x80 | (point >> 12 & 0x3F));
    }
    put(0x80 | (point >> 6 & 0x3F));
  }
  put(0x80 | (point & 0x3F));
}

std::uint32_t upper_character(std::uint32_t point) {
  if (point < 0x80) return point >= 'a' && point <= 'z' ? point - 32 : point;
  if (point == 0xB5) return 0x39C;
  if (point >= 0xE0 && point <= 0xFE && point != 0xF7) return point - 32;
  if (point == 0xFF) return 0x178;
  if (point == 0x131) return 'I';
  if (point == 0x17F) return 'S';
  if ((point >= 0x139 && point <= 0x148) || (point >= 0x179 && point <= 0x17E))
    return point % 2 == 0 ? point - 1 : point;
  if (point >= 0x100 && point <= 0x177 && point != 0x138) return point % 2 == 1 ? point - 1 : point;
  if (point >= 0x3B1 && point <= 0x3C9) return point == 0x3C2 ? 0x3A3 : point - 32;
  if (point == 0x3AC) return 0x386;
  if (point >= 0x3AD && point <= 0x3AF) return point - 37;
  if (point >= 0x430 && point <= 0x44F) return point - 32;
  if (point >= 0x450 && point <= 0x45F) return point - 80;
  return point;
}

std::uint32_t lower_character(std::uint32_t point) {
  if (point < 0x80) return point >= 'A' && point <= 'Z' ? point + 32 : point;
  if (point >= 0xC0 && point <= 0xDE && point != 0xD7) return point + 32;
  if (point == 0x130) return 'i';
  if (point == 0x178) return 0xFF;
  if ((point >= 0x139 && point <= 0x148) || (point >= 0x179 && point <= 0x17E))
    return point % 2 == 1 ? point + 1 : point;
  if (point >= 0x100 && point <= 0x177 && point != 0x138) return point % 2 == 0 ? point + 1 : point;
  if (point >= 0x391 && point <= 0x3A9 && point != 0x3A2) return point + 32;
  if (point == 0x386) return 0x3AC;
  if (point >= 0x388 && point <= 0x38A) return point + 37;
  if (point >= 0x410 && point <= 0x42F) return point + 32;
  if (point >= 0x400 && point <= 0x40F) return point + 80;
  return point;
}

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const std::size_t more = lead < 0x80       ? 0
                             : lead >> 5 == 6  ? 1
                             : lead >> 4 == 14 ? 2
                             : lead >> 3 == 30 ? 3
                                               : 9;
    if (more == 9 || text.size() - at <= more) return false;
    for (std::size_t i = 1; i <= more; ++i)
      if (!continues(text[at + i])) return false;
    std::size_t end = at;
    const std::uint32_t point = next_character(text, end);
    constexpr std::uint32_t kSmallest[] = {0, 0x80, 0x800, 0x10000};
    if (point < kSmallest[more] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
      return false;
    at = end;
  }
  return true;
}

}  // namespace twinmq::sql
