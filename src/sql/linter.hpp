#pragma once
// Warnings of what surely is a mistake, though it can be read.

#include <string>
#include <string_view>
#include <vector>

#include "sql/statement.hpp"

namespace twinmq::sql {

/// Sentences without a full stop, each with its place in the statement.
std::vector<std::string> warnings(const Statement& statement);

/// Whether FROM covers a topic that the template (a text with ${expressions}) may make: a rule that
/// publishes there sees what it published. An expression may be any one level, or a part of one;
/// topic() and topic(n) are known.
bool may_cover(const Statement& statement, std::string_view topic);

}  // namespace twinmq::sql
