#pragma once
// WebSocket frames (RFC 6455, section 5) as a server reads and writes them.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <twinmq/bytes.hpp>

namespace twinmq::net {

enum class WebSocketOpcode : std::uint8_t {
  Continuation = 0x0,
  Text = 0x1,
  Binary = 0x2,
  Close = 0x8,
  Ping = 0x9,
  Pong = 0xA,
};

/// Why a connection closes, section 7.4.1.
enum class WebSocketClose : std::uint16_t {
  Normal = 1000,
  GoingAway = 1001,
  ProtocolError = 1002,
  UnsupportedData = 1003,
  InvalidText = 1007,
  TooBig = 1009,
};

/// The masking key in the order of its bytes on the wire.
using MaskKey = std::array<std::uint8_t, 4>;

/// to[i] = from[i] ^ key[i % 4], eight bytes at a time. The two may be the same place; otherwise
/// they do not overlap.
void unmask(std::uint8_t* to, const std::uint8_t* from, std::size_t size, MaskKey key);

/// The key as it continues behind `size` bytes.
MaskKey rotated(MaskKey key, std::size_t size);

inline constexpr std::size_t kServerHeaderMax = 10;

/// The header of a whole server frame, which is not masked, in front of `size` bytes of payload;
/// answers its length.
std::size_t write_frame_header(std::uint8_t* out, WebSocketOpcode opcode, std::uint64_t size);

/// A whole control frame of a server; `payload` has at most 125 bytes.
std::string control_frame(WebSocketOpcode opcode, std::string_view payload);
std::string close_frame(WebSocketClose code, std::string_view reason = {});

/// The header of a client's frame.
struct ClientFrame {
  WebSocketOpcode opcode = WebSocketOpcode::Binary;
  bool final = false;
  std::uint64_t size = 0;
  MaskKey key{};
};

struct WebSocketFault {
  WebSocketClose code = WebSocketClose::ProtocolError;
  std::string_view reason;  ///< a sentence that lives for ever
};

/// What the first bytes of a frame are.
struct FrameHead {
  std::size_t taken = 0;  ///< bytes of the header; 0: more are needed
  ClientFrame frame;
  std::optional<WebSocketFault> fault;  ///< no frame a client may send
};

inline constexpr std::size_t kClientHeaderMax = 14;

/// Judges the header alone: what may follow what is WebSocketReader's business.
FrameHead read_frame_head(const std::uint8_t* bytes, std::size_t size);

}  // namespace twinmq::net
