#pragma once
// What statements may look into by name.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sql/lookup_table.hpp"
#include "sql/protobuf.hpp"

namespace twinmq::sql {

/// Read once and never changed.
struct KnownFiles {
  std::map<std::string, std::shared_ptr<const LookupTable>, std::less<>> tables;
  std::map<std::string, std::shared_ptr<const ProtobufTypes>, std::less<>> descriptors;

  std::optional<json::Value> row(std::string_view table, std::string_view key) const {
    const auto found = tables.find(table);
    const json::Value row = found == tables.end() ? json::Value() : found->second->row(key);
    return row.is_undefined() ? std::nullopt : std::optional(row);
  }

  /// For the log.
  std::string counted() const {
    return "tables=" + std::to_string(tables.size()) +
           " descriptors=" + std::to_string(descriptors.size());
  }

  const ProtobufTypes* types(std::string_view name) const {
    const auto found = descriptors.find(name);
    return found == descriptors.end() ? nullptr : found->second.get();
  }
};

}  // namespace twinmq::sql
