#include "records/sink_record.hpp"

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"

namespace twinmq::records {

namespace {

constexpr std::uint8_t kPlainFormat = 1;
constexpr std::uint8_t kAddressedFormat = 2;  ///< url and headers follow
constexpr std::size_t kHeadersMax = 1000;

void append_big_endian(std::string& key, std::uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    key.push_back(static_cast<char>(value >> shift));
}

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char each : bytes) value = (value << 8) | static_cast<unsigned char>(each);
  return value;
}

}  // namespace

std::string sink_prefix(char kind, std::string_view sink) {
  std::string key(1, kind);
  append_big_endian(key, sink.size(), 2);
  key += sink;
  return key;
}

std::string sink_key(char kind, std::string_view sink, std::uint16_t lane, std::uint64_t sequence) {
  std::string key = sink_prefix(kind, sink);
  append_big_endian(key, lane, 2);
  append_big_endian(key, sequence, 8);
  return key;
}

std::optional<SinkKey> parse_sink_key(std::string_view key) {
  if (key.size() < 3 || (key.front() != kSinkPrefix && key.front() != kDeadLetterPrefix))
    return std::nullopt;
  const std::size_t size = big_endian(key.substr(1, 2));
  if (key.size() != 3 + size + 10) return std::nullopt;
  SinkKey parsed;
  parsed.sink = key.substr(3, size);
  parsed.lane = static_cast<std::uint16_t>(big_endian(key.substr(3 + size, 2)));
  parsed.sequence = big_endian(key.substr(5 + size));
  return parsed;
}

std::string encode_sink_entry(const SinkEntry& entry) {
  base::ByteWriter out;
  const bool addressed = !entry.url.empty() || !entry.headers.empty();
  out.number(addressed ? kAddressedFormat : kPlainFormat);
  out.signed_number(entry.at.time_since_epoch().count());
  out.text(entry.id);
  out.text(entry.topic);
  out.text(entry.content_type);
  out.text(entry.payload);
  if (addressed) {
    out.text(entry.url);
    for (const auto& [name, value] : entry.headers) {
      out.text(name);
      out.text(value);
    }
    out.text({});
  }
  return out.take();
}

Result<SinkEntry> decode_sink_entry(std::string_view record) {
  base::ByteReader in(record);
  const auto format = in.number<std::uint8_t>();
  SinkEntry entry;
  entry.at = WallTime(Milliseconds(in.signed_number()));
  entry.id = in.text();
  entry.topic = in.text();
  entry.content_type = in.text();
  entry.payload = in.text();
  if (format == kAddressedFormat) {
    entry.url = in.text();
    std::string name(in.text());
    for (; !name.empty() && entry.headers.size() < kHeadersMax; name = in.text())
      entry.headers.emplace_back(name, std::string(in.text()));
  }
  if (!in.finished() || (format != kPlainFormat && format != kAddressedFormat))
    return Error{ErrorCode::Corrupt, "an entry of a sink's queue does not verify"};
  return entry;
}

}  // namespace twinmq::records
