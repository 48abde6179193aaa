#pragma once
// A message with what is known of its publisher, as it travels to the shard where a rule remembers.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

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
  std::string_view trace_id;  ///< empty: it has none yet
  std::string_view answers;   ///< of write_answers(); empty: its rules asked nothing
};

std::string write_envelope(const Envelope& envelope);

/// Nothing: the bytes are not from write_envelope().
std::optional<Envelope> read_envelope(std::string_view bytes);

/// What functions that answer later said of a message, so that it is evaluated alike wherever that
/// happens.
struct Answers {
  std::uint64_t seed = 0;  ///< of what the evaluation takes from chance
  std::unordered_map<std::string, std::string> by_call;  ///< JSON; empty: Undefined
};

std::string write_answers(const Answers& answers);
/// Nothing: the bytes are not from write_answers().
std::optional<Answers> read_answers(std::string_view bytes);

}  // namespace twinmq::rules
