#pragma once
// Protocol Buffers to JSON values, by descriptors that the configuration names.

#include <memory>
#include <optional>
#include <string_view>

#include <twinmq/result.hpp>

#include "json/value.hpp"

namespace twinmq::sql {

/// The message types of one FileDescriptorSet, as protoc --descriptor_set_out --include_imports
/// writes it. Any thread.
class ProtobufTypes {
 public:
  /// The error says which file of the set is wrong.
  static Result<std::unique_ptr<ProtobufTypes>> read(std::string_view descriptor_set);
  ~ProtobufTypes();

  struct Type;
  /// By its full name, or by its name in the package of one of the files. `file`: the .proto file's
  /// name without folder and extension; empty: any. nullptr: there is none.
  const Type* find(std::string_view message, std::string_view file = {}) const;

  /// The message as an object with the fields' names of the .proto file. Numbers keep 64 bits;
  /// enumerators are texts, and numbers where they have no name; bytes are base64 text; maps are
  /// objects; NaN and infinities are null. A field that is not there has its default if the file
  /// says nothing of its presence (proto3 without `optional`), else it is absent; lists and maps
  /// always exist. Unknown fields are passed over. Nothing: no such message, one that nests deeper
  /// than json::kDepthMax, or the arena is spent.
  static std::optional<json::Value> decode(const Type& type, std::string_view bytes,
                                           json::Arena& arena);

 private:
  ProtobufTypes();

  struct Pool;
  std::unique_ptr<Pool> pool_;
};

}  // namespace twinmq::sql
