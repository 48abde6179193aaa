#pragma once
// JSON path: parts of a document by a text like $.rooms[*].name.

#include <string_view>

#include "json/value.hpp"

namespace twinmq::sql {

constexpr std::size_t kPathStepsMax = 64;

/// `path` begins with $ and goes on with .key, ['key'], [n] (from the end where n < 0), .* or [*]
/// (every element), ..key (wherever it is). A path without * and .. yields the value it leads to,
/// Undefined where there is none; one with them a list of all values, in the order of the document.
/// Undefined: no such path, more than `values_max` values looked at, or the arena is spent.
json::Value json_path(const json::Value& document, std::string_view path, json::Arena& arena,
                      std::size_t values_max);

}  // namespace twinmq::sql
