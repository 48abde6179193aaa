#pragma once
// Reads MQTT's fields (section 1.5) one after the other and never past the end. The first fault
// sticks: all reads after it give zero or empty, so that a decoder reads everything and asks once.
// The only place of the codec that moves pointers over received bytes.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include <twinmq/bytes.hpp>

#include "mqtt/decode.hpp"
#include "mqtt/topic.hpp"

namespace twinmq::mqtt {

class FieldReader {
 public:
  explicit FieldReader(ByteView bytes)
      : begin_(bytes.data()), at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool more() const { return at_ != end_; }
  bool failed() const { return failed_; }
  const DecodeError& fault() const { return fault_; }

  /// Remembers the fault, unless an earlier one stands, and ends the reading.
  void fail(ReasonCode code, std::string_view what) {
    if (failed_) return;
    failed_ = true;
    fault_ = {code, what};
    at_ = end_;
  }

  std::uint8_t byte() { return has(1) ? *at_++ : std::uint8_t{0}; }

  std::uint16_t u16() {
    if (!has(2)) return 0;
    const auto value = static_cast<std::uint16_t>(at_[0] << 8U | at_[1]);
    at_ += 2;
    return value;
  }

  std::uint32_t u32() {
    if (!has(4)) return 0;
    const std::uint32_t value = std::uint32_t{at_[0]} << 24U | std::uint32_t{at_[1]} << 16U |
                                std::uint32_t{at_[2]} << 8U | std::uint32_t{at_[3]};
    at_ += 4;
    return value;
  }

  /// A Variable Byte Integer: at most four bytes, in the shortest form [MQTT-1.5.5-1].
  std::uint32_t varint() {
    std::uint32_t value = 0;
    for (unsigned shift = 0; shift < 28; shift += 7) {
      if (!has(1)) return 0;
      const std::uint8_t next = *at_++;
      value |= (next & 0x7FU) << shift;
      if ((next & 0x80U) != 0) continue;
      if (next == 0 && shift != 0) break;
      return value;
    }
    fail(ReasonCode::MalformedPacket, "a variable byte integer is too long");
    return 0;
  }

  /// Bytes with a two-byte length in front.
  std::string_view binary() { return take(u16()); }

  /// The same, holding valid text [MQTT-1.5.4-1] [MQTT-1.5.4-2].
  std::string_view text() {
    const std::string_view value = binary();
    if (is_valid_text(value)) return value;
    fail(ReasonCode::MalformedPacket, "a string is not valid UTF-8");
    return {};
  }

  /// A packet identifier, which is never 0 [MQTT-2.2.1-3].
  std::uint16_t packet_id() {
    const std::uint16_t id = u16();
    if (id == 0) fail(ReasonCode::ProtocolError, "the packet identifier is 0");
    return id;
  }

  /// Passes the next byte if it is 0, which most property lengths are.
  bool skip_zero() {
    if (at_ == end_ || *at_ != 0) return false;
    ++at_;
    return true;
  }

  std::string_view take(std::size_t size) {
    if (!has(size)) return {};
    const std::string_view bytes(reinterpret_cast<const char*>(at_), size);
    at_ += size;
    return bytes;
  }

  /// All that is left.
  std::string_view rest() { return take(static_cast<std::size_t>(end_ - at_)); }

  /// How many bytes were read so far. Of no meaning after a fault.
  std::size_t position() const { return static_cast<std::size_t>(at_ - begin_); }

  /// To be called when the packet should be used up.
  void expect_end() {
    if (more()) fail(ReasonCode::MalformedPacket, "bytes are left over at the end of the packet");
  }

 private:
  bool has(std::size_t size) {
    if (static_cast<std::size_t>(end_ - at_) >= size) return true;
    fail(ReasonCode::MalformedPacket, "the packet ends within a field");
    return false;
  }

  const std::uint8_t* begin_;
  const std::uint8_t* at_;
  const std::uint8_t* end_;
  bool failed_ = false;
  DecodeError fault_;
};

/// The packet if everything was read without a fault and nothing is left over.
template <typename T>
Decoded<T> finish(FieldReader& in, T&& packet) {
  in.expect_end();
  if (in.failed()) return in.fault();
  return std::forward<T>(packet);
}

}  // namespace twinmq::mqtt
