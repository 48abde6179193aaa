#include "sql/fault.hpp"

#include <algorithm>

namespace twinmq::sql {
namespace {

constexpr std::size_t kLineShownMax = 100;

bool begins_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
}

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

}  // namespace

Position position_of(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const std::size_t newline = before.rfind('\n');
  const std::size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
  return {static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n')) + 1,
          characters(before.substr(begin)) + 1};
}

std::string describe(std::string_view text, const SyntaxFault& fault) {
  const std::size_t offset = std::min(fault.offset, text.size());
  const Position at = position_of(text, offset);
  const std::size_t newline = text.substr(0, offset).rfind('\n');
  std::size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
  std::size_t end = std::min(text.find('\n', offset), text.size());
  if (offset - begin > kLineShownMax) begin = offset - kLineShownMax;
  while (begin < offset && !begins_character(text[begin])) ++begin;
  if (end - offset > kLineShownMax) end = offset + kLineShownMax;
  std::string line(text.substr(begin, end - begin));
  std::replace_if(
      line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return "line " + std::to_string(at.line) + ", column " + std::to_string(at.column) + ": " +
         fault.message + "\n  " + line + "\n  " +
         std::string(characters(text.substr(begin, offset - begin)), ' ') + "^";
}

}  // namespace twinmq::sql
