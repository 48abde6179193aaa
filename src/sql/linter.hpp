#pragma once
// Warnings of what surely is a mistake, though it can be read.

#include <string>
#include <string_view>
#include <vector>

#include "sql/statement.hpp"

namespace twinmq::sql {

/// Sentences without a full stop, each with its place in the statement.
std::vector<std::string> warnings(const Statement& statement);

}  // namespace twinmq::sql
