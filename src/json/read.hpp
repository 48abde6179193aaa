#pragma once
// JSON text to values.

#include <cstdint>
#include <string_view>

#include "json/value.hpp"

namespace twinmq::json {

enum class ReadFault : std::uint8_t {
  None,
  Empty,       ///< nothing but blanks
  Syntax,      ///< no JSON (RFC 8259)
  Utf8,        ///< bytes that are no UTF-8, or half a surrogate pair
  TooDeep,     ///< nests deeper than kDepthMax
  OutOfMemory  ///< more than the arena's budget
};

struct ReadResult {
  Value value;  ///< Undefined with a fault
  ReadFault fault = ReadFault::None;
  std::size_t offset = 0;  ///< where the fault was seen, in bytes

  explicit operator bool() const { return fault == ReadFault::None; }
};

/// Reads one document. Texts without escapes point into `text`, which must live as long as the
/// value. Of several members with one key the last counts, in the place of the first. Numbers keep
/// 34 digits and how they were written; a number beyond 9.99…E999 is left out as if it were not
/// there (a null inside an array, so that nothing moves).
ReadResult read(std::string_view text, Arena& arena);

/// A sentence's end: "is no JSON" and so on.
std::string_view describe(ReadFault fault);

}  // namespace twinmq::json
