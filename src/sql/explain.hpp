#pragma once
// A statement as it was understood: its clauses with every parenthesis, and its program.

#include <optional>
#include <string>
#include <vector>

#include "sql/statement.hpp"

namespace twinmq::sql {

/// The expression with all its parentheses.
std::string text_of(const Syntax& syntax, NodeId node);

/// Clauses and program, for a person; lines.
std::string explain(const Statement& statement);

/// An expression of a statement and what it is for one message.
struct ExplainedValue {
  std::string expression;
  std::optional<std::string> value;  ///< JSON; nothing: Undefined
};

/// Every expression over the message in the statement, the inner ones first, each once; not those
/// over elements of nested queries and over windows. At most so many.
std::vector<ExplainedValue> explain_values(const Statement& statement, Dialect dialect,
                                           const Event& event, Payload& payload, World* world,
                                           std::size_t most = 200);

}  // namespace twinmq::sql
