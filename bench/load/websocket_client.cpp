#include "websocket_client.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "net/websocket_frame.hpp"

namespace twinmq::load {
namespace {

using net::ByteBuffer;
using net::FilterState;

constexpr net::MaskKey kKey{0x5A, 0xC3, 0x96, 0x3C};
constexpr std::uint8_t kMasked = 0x80;
constexpr std::size_t kFrameBytesMax = std::size_t{1} << 20;

}  // namespace

WebSocketClient::WebSocketClient(std::string host, std::string path,
                                 std::unique_ptr<net::Filter> below)
    : Filter(FilterState::Handshaking),
      host_(std::move(host)),
      path_(std::move(path)),
      below_(std::move(below)) {}

void WebSocketClient::start(ByteBuffer& down) {
  if (below_) return below_->start(down);
  ask(down);
}

void WebSocketClient::ask(ByteBuffer& down) {
  asked_ = true;
  const std::string request = "GET " + path_ + " HTTP/1.1\r\nHost: " + host_ +
                              "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                              "Sec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                              "Sec-WebSocket-Protocol: mqtt\r\n\r\n";
  ByteBuffer own;
  own.append(bytes_of(request));
  pass_down(own, down);
}

void WebSocketClient::pass_down(ByteBuffer& from, ByteBuffer& down) {
  if (!below_) return down.append(from.view());
  const ByteView bytes = from.view();
  const iovec part{const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
  below_->send({&part, 1}, down);
}

void WebSocketClient::receive(ByteView bytes, ByteBuffer& up, ByteBuffer& down) {
  if (!below_) return read(bytes, up);
  risen_.clear();
  below_->receive(bytes, risen_, down);
  if (below_->state() == FilterState::Open && !asked_) ask(down);
  read(risen_.view(), up);
  if (below_->state() == FilterState::Failed || below_->state() == FilterState::Ended) {
    error_ = below_->error();
    state_ = below_->state();
  }
}

void WebSocketClient::read(ByteView bytes, ByteBuffer& up) {
  if (state_ == FilterState::Open) return read_frames(bytes, up);
  early_.append(bytes);
  const std::string_view answer = text_of(early_.view());
  const std::size_t end = answer.find("\r\n\r\n");
  if (end == std::string_view::npos) return;
  if (!answer.starts_with("HTTP/1.1 101 ")) {
    error_ = "no WebSocket: " + std::string(answer.substr(0, answer.find('\r')));
    state_ = FilterState::Failed;
    return;
  }
  state_ = FilterState::Open;
  const ByteBuffer rest = std::exchange(early_, ByteBuffer());
  read_frames(rest.view().subspan(end + 4), up);
}

void WebSocketClient::read_frames(ByteView bytes, ByteBuffer& up) {
  ByteBuffer joined;
  if (!early_.empty()) {
    joined = std::exchange(early_, ByteBuffer());
    joined.append(bytes);
    bytes = joined.view();
  }
  while (!bytes.empty()) {
    if (left_ == 0) {
      const std::size_t extended = bytes.size() < 2  ? 0
                                   : bytes[1] == 126 ? 2
                                   : bytes[1] == 127 ? 8
                                                     : 0;
      if (bytes.size() < 2 + extended) return early_.append(bytes);
      left_ = extended == 0 ? bytes[1] : 0;
      for (std::size_t i = 0; i < extended; ++i) left_ = (left_ << 8) | bytes[2 + i];
      const std::uint8_t opcode = bytes[0] & 0x0F;
      passing_ = opcode <= 0x2;
      if (opcode == 0x8) state_ = FilterState::Ended;
      bytes = bytes.subspan(2 + extended);
      continue;
    }
    const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
    if (passing_) up.append(bytes.subspan(0, part));
    left_ -= part;
    bytes = bytes.subspan(part);
  }
}

// As clients do that batch: long frames, but none so long that a broker refuses it.
void WebSocketClient::send(std::span<const iovec> parts, ByteBuffer& down) {
  ByteBuffer own;
  ByteBuffer& to = below_ ? own : down;
  for (const iovec& part : parts) {
    const auto* from = static_cast<const std::uint8_t*>(part.iov_base);
    for (std::size_t at = 0; at < part.iov_len; at += kFrameBytesMax) {
      const std::size_t size = std::min(kFrameBytesMax, part.iov_len - at);
      std::uint8_t* out = to.room(net::kClientHeaderMax + size).data();
      const std::size_t header = net::write_frame_header(out, net::WebSocketOpcode::Binary, size);
      out[1] |= kMasked;
      std::memcpy(out + header, kKey.data(), kKey.size());
      net::unmask(out + header + kKey.size(), from + at, size, kKey);
      to.grow(header + kKey.size() + size);
    }
  }
  if (below_) pass_down(own, down);
}

}  // namespace twinmq::load
