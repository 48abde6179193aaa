#pragma once
// Tokens to a tree.

#include <cstdint>
#include <string_view>

#include <twinmq/result.hpp>

#include "sql/fault.hpp"
#include "sql/syntax.hpp"

namespace twinmq::sql {

enum class Dialect : std::uint8_t {
  Aws,     ///< AWS IoT SQL and nothing else
  Twinmq,  ///< and what this house adds
};

constexpr std::size_t kStatementBytesMax = std::size_t{256} << 10;
/// How deep an expression may nest.
constexpr int kNestingMax = 250;
/// How many operators may follow each other without parentheses.
constexpr int kTreeDepthMax = 2000;
constexpr std::size_t kVariablesMax = 10;
constexpr std::size_t kVariableNameMax = 64;

/// A whole statement: [SET …] SELECT … [FROM …] [WHERE …].
Result<Syntax, SyntaxFault> parse_statement(std::string_view text, Dialect dialect);

/// One expression; it is the node that the answer's selects[0].where names.
Result<Syntax, SyntaxFault> parse_expression(std::string_view text, Dialect dialect);

}  // namespace twinmq::sql
