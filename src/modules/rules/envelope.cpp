#include "modules/rules/envelope.hpp"

namespace twinmq::rules {
namespace {

constexpr std::size_t kSizeBytes = 4;

}  // namespace

std::string write_envelope(const Envelope& envelope) {
  std::string bytes;
  bytes += static_cast<char>(envelope.qos);
  bytes += static_cast<char>(envelope.retain ? 1 : 0);
  for (const std::string_view text : {envelope.topic, envelope.payload, envelope.properties, envelope.publisher,
                                      envelope.principal, envelope.peer}) {
    for (std::size_t i = 0; i < kSizeBytes; ++i) bytes += static_cast<char>(text.size() >> (8 * i) & 0xFF);
    bytes += text;
  }
  return bytes;
}

std::optional<Envelope> read_envelope(std::string_view bytes) {
  if (bytes.size() < 2) return std::nullopt;
  Envelope envelope;
  envelope.qos = static_cast<std::uint8_t>(bytes[0]);
  envelope.retain = bytes[1] != 0;
  bytes.remove_prefix(2);
  for (std::string_view* text : {&envelope.topic, &envelope.payload, &envelope.properties, &envelope.publisher,
                                 &envelope.principal, &envelope.peer}) {
    if (bytes.size() < kSizeBytes) return std::nullopt;
    std::size_t size = 0;
    for (std::size_t i = 0; i < kSizeBytes; ++i) size |= std::size_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
    bytes.remove_prefix(kSizeBytes);
    if (bytes.size() < size) return std::nullopt;
    *text = bytes.substr(0, size);
    bytes.remove_prefix(size);
  }
  if (!bytes.empty() || envelope.qos > 2) return std::nullopt;
  return envelope;
}

}  // namespace twinmq::rules
