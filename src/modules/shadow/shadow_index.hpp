#pragma once
// Secondary indexes: which documents hold which value at a declared path, in the order of values.
// They are written in the batch that writes the document.

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "modules/shadow/document.hpp"

namespace twinmq::shadow {

/// Keys with from <= key < to.
struct IndexRange {
  std::string path;
  std::string from;
  std::string to;
  bool exact = false;  ///< of one value
};

/// The keys under which the indexes of these paths ("reported.battery") know the document with
/// that record key. Arrays, objects and null are in no index.
std::set<std::string> index_keys(const std::vector<std::string>& paths, std::string_view record_key,
                                 const Document& document);

/// The record's key at the end of a key of that path's index; empty: it is none.
std::string record_of_index_key(std::string_view key, std::string_view path);

/// All keys of a path's index.
IndexRange index_range(std::string_view path);

/// The narrowest range in which every document lies that the condition holds for, if it is bound to
/// one of these paths: the condition is, or is AND of, comparisons of a path with a literal. None:
/// all documents must be looked at.
std::optional<IndexRange> range_of(std::string_view condition,
                                   const std::vector<std::string>& paths);

}  // namespace twinmq::shadow
