#pragma once
// What reading a schema and judging a value by it see in a node alike.

#include <optional>
#include <string>
#include <string_view>

#include "json/decimal.hpp"
#include "modules/shadow/json_tree.hpp"

namespace twinmq::shadow {

/// Levels of schemas within each other.
inline constexpr int kSchemaDepthMax = 200;

/// Empty: no number, or one beyond what is compared.
inline std::optional<json::Decimal> decimal(const Node& node) {
  if (node.kind != Kind::Number) return std::nullopt;
  return json::read_decimal(node.characters(), json::Exponents::Signed);
}

/// A key as a level of a JSON pointer: "~1" is a slash in a pointer, "~0" a tilde.
inline std::string pointer_key(std::string_view key) {
  std::string text;
  for (const char character : key) {
    if (character == '~') {
      text += "~0";
    } else if (character == '/') {
      text += "~1";
    } else {
      text += character;
    }
  }
  return text;
}

}  // namespace twinmq::shadow
