#pragma once
// JSON text into trees and back. Reading is strict (RFC 8259); the last of several members with one
// key counts; a byte order mark is passed over; numbers keep the digits they came with.

#include <memory>
#include <string>
#include <string_view>

#include "modules/shadow/json_tree.hpp"

namespace twinmq::shadow {

enum class Reading : std::uint8_t {
  Good,
  NotUtf8,  ///< the bytes are no UTF-8
  NotJson,
};

/// Reads texts one after the other; keeps its working memory.
class JsonReader {
 public:
  JsonReader();
  ~JsonReader();

  /// The tree lies in the arena. Every leaf is as if written at `written`. Any depth is read
  /// without recursion.
  Reading read(std::string_view text, EpochSeconds written, Arena& arena, Node& root);

 private:
  struct Working;
  std::unique_ptr<Working> working_;
};

/// Appends the value, compact. Recurses to the depth of the tree.
void write_value(const Node& node, std::string& out);

/// Appends the metadata of a value: {"timestamp": t} for each leaf, in the form of the tree.
void write_metadata(const Node& node, std::string& out);

/// Appends a JSON string with its quotes.
void write_string(std::string_view text, std::string& out);

void write_integer(std::int64_t value, std::string& out);

/// Bytes that write_value() would append.
std::size_t value_bytes(const Node& node);

}  // namespace twinmq::shadow
