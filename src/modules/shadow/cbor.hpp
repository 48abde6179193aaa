#pragma once
// CBOR (RFC 8949) that says what JSON can say, into JSON text and back.

#include <optional>
#include <string>
#include <string_view>

#include "modules/shadow/json_tree.hpp"

namespace twinmq::shadow {

/// The JSON text of one item; nothing for bytes that are no CBOR, and for what JSON has no word
/// for: byte strings, keys that are no texts, tags (55799 alone is passed over), undefined, NaN,
/// infinity. Whether texts are UTF-8 is left to who reads the JSON.
std::optional<std::string> json_of_cbor(std::string_view bytes);

/// Appends the value in the preferred form. Numbers that are no integers of 64 bits become doubles,
/// or floats where that is the same number.
void write_cbor(const Node& node, std::string& out);

}  // namespace twinmq::shadow
