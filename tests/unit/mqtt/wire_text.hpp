#pragma once
// Bytes as a person writes them, and the shortest ways between bytes and packets.

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "mqtt/decode.hpp"
#include "mqtt/encode.hpp"

namespace twinmq::mqtt::test {

inline constexpr std::uint32_t kAnySize = 0xFFFF'FFFF;

/// wire("10 02 'MQTT' ff") is hexadecimal bytes with text in quotes.
inline std::string wire(std::string_view notation) {
  std::string bytes;
  const auto digit = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
  for (std::size_t i = 0; i < notation.size();) {
    if (notation[i] == ' ') {
      ++i;
    } else if (notation[i] == '\'') {
      const std::size_t end = notation.find('\'', i + 1);
      bytes += notation.substr(i + 1, end - i - 1);
      i = end + 1;
    } else {
      bytes.push_back(static_cast<char>(digit(notation[i]) * 16 + digit(notation[i + 1])));
      i += 2;
    }
  }
  return bytes;
}

inline std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    text += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
    text += "0123456789abcdef"[static_cast<unsigned char>(c) & 15];
    text += ' ';
  }
  return text;
}

/// A two-byte length and the text.
inline std::string field(std::string_view text) {
  std::string bytes{static_cast<char>(text.size() >> 8), static_cast<char>(text.size() & 0xFF)};
  return bytes.append(text);
}

/// A packet of fewer than 128 bytes after its fixed header.
inline std::string packet_of(unsigned first_byte, std::string_view body) {
  REQUIRE(body.size() < 128);
  return std::string{static_cast<char>(first_byte), static_cast<char>(body.size())}.append(body);
}

/// Bytes that end where their memory ends, so that AddressSanitizer sees the first step too far.
class ExactBytes {
 public:
  explicit ExactBytes(std::string_view bytes)
      : size_(bytes.size()), bytes_(std::make_unique<std::uint8_t[]>(bytes.size())) {
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes_[i] = static_cast<std::uint8_t>(bytes[i]);
  }
  ByteView view() const { return {bytes_.get(), size_}; }

 private:
  std::size_t size_;
  std::unique_ptr<std::uint8_t[]> bytes_;
};

inline Frame frame_of(std::string_view packet) {
  const Framing framing = next_frame(bytes_of(packet), kAnySize);
  INFO(hex(packet));
  REQUIRE(framing.status == Framing::Status::Complete);
  REQUIRE(framing.size == packet.size());
  return framing.frame;
}

/// Success, or the code of the fault.
inline ReasonCode verdict(std::string_view packet, Version version,
                          const DecodeLimits& limits = {}) {
  const Framing framing = next_frame(bytes_of(packet), kAnySize);
  if (framing.status == Framing::Status::Malformed) return framing.fault;
  std::string scratch;
  const Decoded<Packet> decoded = decode(frame_of(packet), version, limits, scratch);
  return decoded ? ReasonCode::Success : decoded.error().code;
}

inline void append_any(std::string& out, const Packet& packet, Version version) {
  std::visit(
      [&](const auto& any) {
        if constexpr (requires { append(out, any, version); }) {
          append(out, any, version);
        } else {
          append(out, any);
        }
      },
      packet);
}

inline std::string encoded(const Packet& packet, Version version) {
  std::string out;
  append_any(out, packet, version);
  return out;
}

}  // namespace twinmq::mqtt::test
