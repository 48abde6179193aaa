#pragma once
// Between the trees of the module and nlohmann's, which the tests compare by value.

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "modules/shadow/document.hpp"
#include "modules/shadow/json_text.hpp"

namespace twinmq::shadow::test {

using Json = nlohmann::json;

inline Node read(std::string_view text, Arena& arena, EpochSeconds written = 0) {
  JsonReader reader;
  Node node;
  REQUIRE(reader.read(text, written, arena, node) == Reading::Good);
  return node;
}

inline std::string text_of(const Node& node) {
  std::string out;
  write_value(node, out);
  return out;
}

inline std::string metadata_of(const Node& node) {
  std::string out;
  write_metadata(node, out);
  return out;
}

/// A tree whose leaves have the times that the metadata says.
inline Node dated(const Json& value, const Json& metadata, Arena& arena) {
  if (!value.is_object()) {
    const Json* time = &metadata;
    while (time->is_array() && !time->empty()) time = &time->front();
    const bool leaf =
        time->is_object() && time->contains("timestamp") && (*time)["timestamp"].is_number();
    return read(value.dump(), arena, leaf ? (*time)["timestamp"].get<EpochSeconds>() : 0);
  }
  std::vector<Node> members;
  for (const auto& [key, member] : value.items()) {
    Node node = dated(
        member, metadata.is_object() && metadata.contains(key) ? metadata[key] : Json(), arena);
    const std::string_view kept = arena.keep(key);
    node.key = kept.data();
    node.key_size = static_cast<std::uint32_t>(kept.size());
    members.push_back(node);
  }
  Node object;
  object.kind = Kind::Object;
  members.resize(put_in_order(members));
  hold(object, members, arena);
  return object;
}

/// The document as a test vector writes it.
inline Json shown(const Document& document) {
  Json json = {
      {"state", Json::object()}, {"metadata", Json::object()}, {"version", document.version}};
  const auto show = [&json](const char* key, const std::optional<Node>& section) {
    if (!section) return;
    json["state"][key] = Json::parse(text_of(*section));
    json["metadata"][key] = Json::parse(metadata_of(*section));
  };
  show("desired", document.desired);
  show("reported", document.reported);
  return json;
}

}  // namespace twinmq::shadow::test
