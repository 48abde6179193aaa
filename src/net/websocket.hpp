#pragma once
// WebSocket as a layer below MQTT: the HTTP handshake first, then frames.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "net/filter.hpp"
#include "net/http_request.hpp"
#include "net/websocket_frame.hpp"
#include "net/websocket_handshake.hpp"

namespace twinmq::net {

/// Takes the payload out of a client's frames.
class WebSocketReader {
 public:
  explicit WebSocketReader(std::uint64_t frame_bytes_max) : frame_bytes_max_(frame_bytes_max) {}

  /// Appends the payload of binary messages to `up` and answers to control frames to `down`. Takes
  /// everything; after closed() or a fault nothing more counts.
  void read(ByteView bytes, ByteBuffer& up, ByteBuffer& down);

  /// The peer closed in good order; its close frame is answered.
  bool closed() const { return closed_; }
  /// What the peer did that it may not; nothing: it behaves.
  const std::optional<WebSocketFault>& fault() const { return fault_; }

 private:
  bool begin_frame(const ClientFrame& frame);
  void end_control();
  void on_close();
  std::size_t take_head(ByteView bytes);
  void fail(WebSocketClose code, std::string_view reason) { fault_ = WebSocketFault{code, reason}; }

  std::uint64_t frame_bytes_max_;
  std::uint64_t left_ = 0;  ///< of the frame's payload
  ClientFrame frame_;
  std::array<std::uint8_t, kClientHeaderMax> head_{};  ///< of a frame whose header came in pieces
  std::uint8_t head_size_ = 0;
  bool in_frame_ = false;
  bool in_message_ = false;  ///< its last fragment has not come
  bool closed_ = false;
  bool ponged_ = false;  ///< `pong_` waits for the end of the bytes at hand
  std::string control_;  ///< payload of a control frame so far
  std::string pong_;
  std::optional<WebSocketFault> fault_;
};

class WebSocketFilter final : public Filter {
 public:
  /// `peer` is the far end of the socket: whether its X-Forwarded-For is believed.
  WebSocketFilter(std::shared_ptr<const WebSocketOptions> options, std::string_view peer);

  std::string_view error() const override { return error_; }
  void receive(ByteView bytes, ByteBuffer& up, ByteBuffer& down) override;
  /// One binary frame around all of it.
  void send(std::span<const iovec> parts, ByteBuffer& down) override;
  void end(ByteBuffer& down) override;
  void tell(ConnectionFacts& facts) const override;
  std::size_t memory() const override;

 private:
  std::size_t shake_hands(std::string_view bytes, ByteBuffer& down);

  std::shared_ptr<const WebSocketOptions> options_;
  std::unique_ptr<HttpRequestReader> request_;  ///< during the handshake
  WebSocketReader reader_;
  std::string forwarded_for_;
  std::string error_;
  bool proxied_ = false;
  bool close_sent_ = false;
};

}  // namespace twinmq::net
