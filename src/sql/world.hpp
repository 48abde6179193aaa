#pragma once
// What statements may ask of the world outside. Each answer is optional: without a world a
// statement that asks gets nothing, and its rule does not act.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "json/value.hpp"

namespace twinmq::sql {

class ProtobufTypes;

class World {
 public:
  virtual ~World() = default;

  /// A time zone's TZif file by its name (Europe/Berlin); nothing: there is none.
  virtual std::optional<std::string> zone_file(std::string_view /*name*/) { return std::nullopt; }

  /// 64 random bits, for rand(), newuuid() and tokens.
  virtual std::uint64_t random() { return 0x9E3779B97F4A7C15U; }

  /// The JSON text of a thing's shadow document.
  virtual std::optional<std::string> thing_shadow(std::string_view /*thing*/,
                                                  std::string_view /*name*/) {
    return std::nullopt;
  }

  /// The answer of a function that a plugin or the host registered; its name in lower case.
  virtual std::optional<json::Value> call(std::string_view /*function*/,
                                          std::span<const json::Value> /*arguments*/,
                                          json::Arena& /*arena*/) {
    return std::nullopt;
  }

  /// The answer of such an aggregate to the values of a window.
  virtual json::Value aggregate(std::string_view /*name*/, std::span<const json::Value> /*values*/,
                                json::Arena& /*arena*/) {
    return {};
  }

  /// A row of a lookup table by its key; it outlives the evaluation.
  virtual std::optional<json::Value> look_up(std::string_view /*table*/, std::string_view /*key*/,
                                             json::Arena& /*arena*/) {
    return std::nullopt;
  }

  /// A secret by its name.
  virtual std::optional<std::string> secret(std::string_view /*name*/) { return std::nullopt; }

  /// Message types that the configuration names; nullptr: there are none. They outlive the
  /// evaluation.
  virtual const ProtobufTypes* protobuf_types(std::string_view /*name*/) { return nullptr; }

  /// decode() met what it cannot read, and is Null.
  virtual void note_undecodable() {}
};

}  // namespace twinmq::sql
