#pragma once
// A WebSocket whose frames a case chooses itself.

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "conformance/cases.hpp"

namespace twinmq::testing {

/// The first byte of a whole message of one frame.
enum FirstByte : unsigned { kText = 0x81, kBinary = 0x82, kClose = 0x88 };

class RawWebSocket {
 public:
  struct Frame {
    unsigned first = 0;
    std::string payload;
  };

  /// Shakes hands, offering these sub protocols.
  explicit RawWebSocket(Broker& broker, std::string_view protocols = "mqtt")
      : socket_(broker.open_below_websocket()) {
    socket_->write(
        "GET /mqtt HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Protocol: " +
        std::string(protocols) + "\r\n\r\n");
    std::size_t end = std::string::npos;
    while ((end = wire_.find("\r\n\r\n")) == std::string::npos && socket_->read(wire_)) {
    }
    if (!wire_.starts_with("HTTP/1.1 101 ")) throw std::runtime_error("no WebSocket: " + wire_);
    const std::string_view name = "Sec-WebSocket-Protocol: ";
    if (const std::size_t at = wire_.find(name); at < end)
      protocol_ = wire_.substr(at + name.size(), wire_.find("\r\n", at) - at - name.size());
    wire_.erase(0, end + 4);
  }

  /// What the server chose; empty: none.
  const std::string& protocol() const { return protocol_; }

  /// One frame of up to 125 bytes.
  void send(unsigned first, std::string_view payload) {
    std::string frame = {static_cast<char>(first), static_cast<char>(0x80 | payload.size())};
    const std::string key = "\x12\xab\x34\xcd";
    frame += key;
    for (std::size_t i = 0; i < payload.size(); ++i)
      frame += static_cast<char>(payload[i] ^ key[i % 4]);
    socket_->write(frame);
  }

  /// The next frame of up to 125 bytes.
  Frame next() {
    const auto byte = [this](std::size_t at) { return static_cast<unsigned char>(wire_[at]); };
    while (wire_.size() < 2 || wire_.size() < 2U + byte(1)) {
      if (!socket_->read(wire_)) throw std::runtime_error("no frame came");
    }
    Frame frame{byte(0), wire_.substr(2, byte(1))};
    wire_.erase(0, 2 + frame.payload.size());
    return frame;
  }

  /// Reads this many short packets, of whatever frames; the first byte of the last.
  unsigned packets(int count) {
    std::string bytes;
    unsigned last = 0;
    while (count > 0) {
      if (bytes.size() < 2 || bytes.size() < 2U + static_cast<unsigned char>(bytes[1])) {
        bytes += next().payload;
        continue;
      }
      last = static_cast<unsigned char>(bytes[0]);
      bytes.erase(0, 2U + static_cast<unsigned char>(bytes[1]));
      --count;
    }
    return last;
  }

  /// Whether the server ends the connection without another frame.
  bool ends() {
    while (socket_->read(wire_)) {
    }
    return wire_.empty() && socket_->ended();
  }

 private:
  std::unique_ptr<Stream> socket_;
  std::string wire_;
  std::string protocol_;
};

}  // namespace twinmq::testing
