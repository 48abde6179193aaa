#pragma once
// A table of rows by key, read from a file's text once and never changed.

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include <twinmq/result.hpp>

#include "json/value.hpp"

namespace twinmq::sql {

/// Any thread. Rows live as long as the table.
class LookupTable {
 public:
  /// RFC 4180 with a line of headings; the first column is the key. Fields that are numbers become
  /// numbers (007 stays a text); every row becomes an object. The error names the line.
  /// `bytes_max`: of the rows in memory.
  static Result<std::shared_ptr<const LookupTable>> read_csv(std::string text,
                                                             std::size_t bytes_max);

  /// An object of rows by key, or a list of objects whose first member is the key.
  static Result<std::shared_ptr<const LookupTable>> read_json(std::string text,
                                                              std::size_t bytes_max);

  /// Undefined: there is none.
  json::Value row(std::string_view key) const;

  std::size_t size() const { return rows_.size(); }
  std::size_t bytes() const;

 private:
  LookupTable(std::string text, std::size_t bytes_max)
      : text_(std::move(text)), arena_(bytes_max) {}

  /// False: the key was there.
  bool add(const json::Value& key, const json::Value& row);

  const std::string text_;
  json::Arena arena_;
  std::unordered_map<std::string_view, json::Value> rows_;
};

}  // namespace twinmq::sql
