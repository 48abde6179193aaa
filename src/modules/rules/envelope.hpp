#pragma once
// A message with what is known of its publisher, as it travels to the shard where a rule remembers.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace twinmq::rules {

/// Views into what was read.
struct Envelope {
  std::string_view topic;
  std::string_view payload;
  std::string_view properties;
  std::string_view publisher;
  std::string_view principal;
  std::string_view peer;
  std::uint8_t qos = 0;
  bool retain = false;
};

std::string write_envelope(const Envelope& envelope);

/// Nothing: the bytes are not from write_envelope().
std::optional<Envelope> read_envelope(std::string_view bytes);

}  // namespace twinmq::rules
