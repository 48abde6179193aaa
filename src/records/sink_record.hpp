#pragma once
// What waits for a sink, as it lies in the store: key 'q', sink, lane and sequence; dead letters
// the same under 'x'. A lane is written by one shard at a time, so that its entries keep their
// order.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <twinmq/result.hpp>
#include <twinmq/sink.hpp>

namespace twinmq::records {

inline constexpr char kSinkPrefix = 'q';
inline constexpr char kDeadLetterPrefix = 'x';

/// Every key of the sink begins with it.
std::string sink_prefix(char kind, std::string_view sink);
std::string sink_key(char kind, std::string_view sink, std::uint16_t lane, std::uint64_t sequence);

struct SinkKey {
  std::string_view sink;
  std::uint16_t lane = 0;
  std::uint64_t sequence = 0;
};
std::optional<SinkKey> parse_sink_key(std::string_view key);

std::string encode_sink_entry(const SinkEntry& entry);
Result<SinkEntry> decode_sink_entry(std::string_view record);

}  // namespace twinmq::records
