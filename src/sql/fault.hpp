#pragma once
// What is wrong with a statement, and where.

#include <cstddef>
#include <string>
#include <string_view>

namespace twinmq::sql {

struct SyntaxFault {
  std::size_t offset = 0;  ///< in bytes from the begin of the text
  std::string message;     ///< what was found and what was expected

  bool operator==(const SyntaxFault&) const = default;
};

struct Position {
  std::size_t line = 1;    ///< from 1
  std::size_t column = 1;  ///< in characters, from 1
};

Position position_of(std::string_view text, std::size_t offset);

/// "line 1, column 8: …", the line itself, and a caret below the place.
std::string describe(std::string_view text, const SyntaxFault& fault);

}  // namespace twinmq::sql
