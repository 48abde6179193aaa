#pragma once
// The client's side of WebSocket, as far as a load generator needs it: asks for /path with the
// subprotocol mqtt, masks what it sends, and trusts the broker's frames.

#include <cstdint>
#include <memory>
#include <string>

#include "net/filter.hpp"

namespace twinmq::load {

class WebSocketClient final : public net::Filter {
 public:
  /// `below`: TLS between the socket and WebSocket; null: none.
  WebSocketClient(std::string host, std::string path, std::unique_ptr<net::Filter> below);

  std::string_view error() const override { return error_; }
  void start(net::ByteBuffer& down) override;
  void receive(ByteView bytes, net::ByteBuffer& up, net::ByteBuffer& down) override;
  void send(std::span<const iovec> parts, net::ByteBuffer& down) override;

 private:
  void ask(net::ByteBuffer& down);
  void pass_down(net::ByteBuffer& from, net::ByteBuffer& down);
  void read(ByteView bytes, net::ByteBuffer& up);
  void read_frames(ByteView bytes, net::ByteBuffer& up);

  std::string host_;
  std::string path_;
  std::unique_ptr<net::Filter> below_;
  net::ByteBuffer risen_;
  net::ByteBuffer early_;  ///< of an answer or a header that came in pieces
  std::string error_;
  std::uint64_t left_ = 0;  ///< of a frame's payload
  bool passing_ = false;    ///< that payload is for above
  bool asked_ = false;
};

}  // namespace twinmq::load
