#include "net/websocket_frame.hpp"

#include <cstring>

namespace twinmq::net {
namespace {

constexpr std::uint8_t kFinal = 0x80;
constexpr std::uint8_t kReserved = 0x70;
constexpr std::uint8_t kMasked = 0x80;
constexpr std::uint8_t kControl = 0x08;
constexpr std::size_t kControlBytesMax = 125;

std::uint64_t load(const std::uint8_t* from) {
  std::uint64_t word = 0;
  std::memcpy(&word, from, sizeof word);
  return word;
}

void store(std::uint8_t* to, std::uint64_t word) {
  std::memcpy(to, &word, sizeof word);
}

FrameHead faulty(std::string_view reason) {
  FrameHead head;
  head.fault = WebSocketFault{WebSocketClose::ProtocolError, reason};
  return head;
}

}  // namespace

void unmask(std::uint8_t* to, const std::uint8_t* from, std::size_t size, MaskKey key) {
  std::uint8_t twice[8];
  std::memcpy(twice, key.data(), 4);
  std::memcpy(twice + 4, key.data(), 4);
  const std::uint64_t wide = load(twice);
  std::size_t at = 0;
  // All loads of a step before its stores, so that they may share vector registers.
  for (; at + 32 <= size; at += 32) {
    const std::uint64_t a = load(from + at) ^ wide;
    const std::uint64_t b = load(from + at + 8) ^ wide;
    const std::uint64_t c = load(from + at + 16) ^ wide;
    const std::uint64_t d = load(from + at + 24) ^ wide;
    store(to + at, a);
    store(to + at + 8, b);
    store(to + at + 16, c);
    store(to + at + 24, d);
  }
  for (; at + 8 <= size; at += 8) store(to + at, load(from + at) ^ wide);
  for (; at < size; ++at) to[at] = static_cast<std::uint8_t>(from[at] ^ key[at & 3]);
}

MaskKey rotated(MaskKey key, std::size_t size) {
  MaskKey turned;
  for (std::size_t i = 0; i < 4; ++i) turned[i] = key[(i + size) & 3];
  return turned;
}

std::size_t write_frame_header(std::uint8_t* out, WebSocketOpcode opcode, std::uint64_t size) {
  out[0] = static_cast<std::uint8_t>(kFinal | static_cast<std::uint8_t>(opcode));
  if (size <= 125) {
    out[1] = static_cast<std::uint8_t>(size);
    return 2;
  }
  const std::size_t bytes = size <= 0xFFFF ? 2 : 8;
  out[1] = bytes == 2 ? 126 : 127;
  for (std::size_t i = 0; i < bytes; ++i)
    out[2 + i] = static_cast<std::uint8_t>(size >> (8 * (bytes - 1 - i)));
  return 2 + bytes;
}

std::string control_frame(WebSocketOpcode opcode, std::string_view payload) {
  payload = payload.substr(0, kControlBytesMax);
  std::uint8_t header[kServerHeaderMax];
  const std::size_t size = write_frame_header(header, opcode, payload.size());
  std::string frame(reinterpret_cast<const char*>(header), size);
  return frame.append(payload);
}

std::string close_frame(WebSocketClose code, std::string_view reason) {
  const auto number = static_cast<unsigned>(code);
  std::string payload{static_cast<char>(number >> 8), static_cast<char>(number & 0xFF)};
  payload += reason.substr(0, kControlBytesMax - 2);
  return control_frame(WebSocketOpcode::Close, payload);
}

FrameHead read_frame_head(const std::uint8_t* bytes, std::size_t size) {
  if (size < 2) return {};
  const std::uint8_t first = bytes[0];
  const std::uint8_t second = bytes[1];
  const std::uint8_t opcode = first & 0x0F;
  const std::uint8_t length = second & 0x7F;
  if (first & kReserved) return faulty("a reserved bit is set and no extension was agreed on");
  if (opcode > 0xA || (opcode > 0x2 && opcode < 0x8)) return faulty("the opcode is not defined");
  if (!(second & kMasked)) return faulty("the frame of a client is not masked");
  if ((opcode & kControl) && !(first & kFinal)) return faulty("a control frame is fragmented");
  if ((opcode & kControl) && length > kControlBytesMax)
    return faulty("a control frame is longer than 125 bytes");

  const std::size_t extended = length == 126 ? 2 : length == 127 ? 8 : 0;
  const std::size_t taken = 2 + extended + 4;
  if (size < taken) return {};
  FrameHead head;
  head.taken = taken;
  head.frame.opcode = static_cast<WebSocketOpcode>(opcode);
  head.frame.final = (first & kFinal) != 0;
  head.frame.size = length;
  if (extended > 0) {
    head.frame.size = 0;
    for (std::size_t i = 0; i < extended; ++i)
      head.frame.size = (head.frame.size << 8) | bytes[2 + i];
    if (head.frame.size >> 63) return faulty("the length of a frame has its highest bit set");
    if (head.frame.size < (extended == 2 ? 126u : 65'536u))
      return faulty("the length of a frame is not written in its shortest form");
  }
  std::memcpy(head.frame.key.data(), bytes + 2 + extended, 4);
  return head;
}

}  // namespace twinmq::net
