#pragma once
// CBOR (RFC 8949) and MessagePack to JSON values.

#include <optional>
#include <string_view>

#include "json/value.hpp"

namespace twinmq::sql {

/// One item and nothing behind it. Byte strings become base64 text, keys that are no text their
/// JSON text, tags are passed over, undefined is null. Nothing: no such document, one that nests
/// deeper than json::kDepthMax, or the arena is spent.
std::optional<json::Value> read_cbor(std::string_view bytes, json::Arena& arena);

/// The same for MessagePack; extension types become base64 text.
std::optional<json::Value> read_msgpack(std::string_view bytes, json::Arena& arena);

}  // namespace twinmq::sql
