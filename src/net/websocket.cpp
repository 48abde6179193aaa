#include "net/websocket.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace twinmq::net {
namespace {

void append(ByteBuffer& to, std::string_view text) {
  to.append({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

/// Section 7.4: codes that may stand in a close frame.
bool may_be_sent(unsigned code) {
  if (code >= 3000 && code <= 4999) return true;
  return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto first = static_cast<std::uint8_t>(text[i]);
    const std::size_t more = first < 0x80   ? 0
                             : first < 0xC2 ? 4
                             : first < 0xE0 ? 1
                             : first < 0xF0 ? 2
                             : first < 0xF5 ? 3
                                            : 4;
    if (more == 4 || text.size() - i <= more) return false;
    for (std::size_t k = 1; k <= more; ++k) {
      const auto next = static_cast<std::uint8_t>(text[i + k]);
      if ((next & 0xC0) != 0x80) return false;
      const bool overlong =
          k == 1 && ((first == 0xE0 && next < 0xA0) || (first == 0xF0 && next < 0x90));
      const bool beyond =
          k == 1 && ((first == 0xED && next > 0x9F) || (first == 0xF4 && next > 0x8F));
      if (overlong || beyond) return false;
    }
    i += more + 1;
  }
  return true;
}

bool is_control(WebSocketOpcode opcode) {
  return static_cast<std::uint8_t>(opcode) >= 0x8;
}

}  // namespace

// --- Reading frames

void WebSocketReader::read(ByteView bytes, ByteBuffer& up, ByteBuffer& down) {
  // Payload is never longer than what carries it.
  std::uint8_t* const begin = bytes.empty() ? nullptr : up.room(bytes.size()).data();
  std::uint8_t* out = begin;
  while (!closed_ && !fault_) {
    if (!in_frame_) {
      const std::size_t taken = take_head(bytes);
      bytes = bytes.subspan(taken);
      if (!in_frame_) break;
    }
    const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
    if (is_control(frame_.opcode)) {
      const std::size_t at = control_.size();
      control_.resize(at + part);
      unmask(reinterpret_cast<std::uint8_t*>(control_.data()) + at, bytes.data(), part, frame_.key);
    } else if (part > 0) {
      unmask(out, bytes.data(), part, frame_.key);
      out += part;
    }
    bytes = bytes.subspan(part);
    left_ -= part;
    if (left_ > 0) {
      frame_.key = rotated(frame_.key, part);
      break;
    }
    in_frame_ = false;
    if (is_control(frame_.opcode)) {
      end_control();
    } else {
      in_message_ = !frame_.final;
    }
  }
  if (out != begin) up.grow(static_cast<std::size_t>(out - begin));
  // Section 5.5.3 lets one pong answer the pings before it: a flood of pings costs its sender more
  // than us.
  if (std::exchange(ponged_, false)) append(down, control_frame(WebSocketOpcode::Pong, pong_));
  if (closed_) append(down, control_);
}

// Answers how many of the bytes belong to a header, and begins the frame when it is whole.
std::size_t WebSocketReader::take_head(ByteView bytes) {
  const std::uint8_t* from = bytes.data();
  std::size_t size = bytes.size();
  const std::size_t before = head_size_;
  if (before > 0) {
    size = std::min(size, kClientHeaderMax - before);
    if (size > 0) std::memcpy(head_.data() + before, from, size);
    from = head_.data();
    size += before;
  }
  const FrameHead head = read_frame_head(from, size);
  if (head.fault) {
    fault_ = head.fault;
    return 0;
  }
  if (head.taken == 0) {
    if (before == 0 && size > 0) std::memcpy(head_.data(), from, size);
    head_size_ = static_cast<std::uint8_t>(size);
    return size - before;
  }
  head_size_ = 0;
  in_frame_ = begin_frame(head.frame);
  return head.taken - before;
}

bool WebSocketReader::begin_frame(const ClientFrame& frame) {
  frame_ = frame;
  left_ = frame.size;
  if (is_control(frame.opcode)) {
    control_.clear();
    return true;
  }
  if (frame.opcode == WebSocketOpcode::Text) {
    fail(WebSocketClose::UnsupportedData,
         "MQTT travels in binary frames, not in text [MQTT-6.0.0-1]");
  } else if (frame.opcode == WebSocketOpcode::Continuation && !in_message_) {
    fail(WebSocketClose::ProtocolError, "a fragment continues nothing");
  } else if (frame.opcode == WebSocketOpcode::Binary && in_message_) {
    fail(WebSocketClose::ProtocolError, "a message begins inside another one");
  } else if (frame.size > frame_bytes_max_) {
    fail(WebSocketClose::TooBig, "a frame is longer than allowed");
  }
  return !fault_;
}

void WebSocketReader::end_control() {
  if (frame_.opcode == WebSocketOpcode::Ping) {
    ponged_ = true;
    pong_ = control_;
  } else if (frame_.opcode == WebSocketOpcode::Close) {
    on_close();
  }
}

// The answer repeats the peer's code.
void WebSocketReader::on_close() {
  if (control_.empty()) {
    closed_ = true;
    control_ = close_frame(WebSocketClose::Normal);
    return;
  }
  const auto byte = [this](std::size_t at) { return static_cast<std::uint8_t>(control_[at]); };
  const unsigned code = control_.size() < 2 ? 0u : (byte(0) * 256u + byte(1));
  if (!may_be_sent(code))
    return fail(WebSocketClose::ProtocolError, "a close frame has no code that may be sent");
  if (!is_utf8(std::string_view(control_).substr(2)))
    return fail(WebSocketClose::InvalidText, "the reason of a close frame is no UTF-8");
  closed_ = true;
  control_ = close_frame(static_cast<WebSocketClose>(code));
}

// --- The layer

WebSocketFilter::WebSocketFilter(std::shared_ptr<const WebSocketOptions> options,
                                 std::string_view peer)
    : Filter(FilterState::Handshaking),
      options_(std::move(options)),
      request_(std::make_unique<HttpRequestReader>(
          HttpLimits{.head_bytes_max = options_->head_bytes_max, .body_bytes_max = 0})),
      reader_(options_->frame_bytes_max),
      proxied_(options_->trusted_proxies.contains_peer(peer)) {}

void WebSocketFilter::receive(ByteView bytes, ByteBuffer& up, ByteBuffer& down) {
  if (state_ == FilterState::Handshaking) {
    const std::size_t taken =
        shake_hands({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, down);
    bytes = bytes.subspan(taken);
  }
  if (state_ != FilterState::Open || bytes.empty()) return;
  reader_.read(bytes, up, down);
  if (reader_.closed()) {
    close_sent_ = true;
    state_ = FilterState::Ended;
  } else if (const auto& fault = reader_.fault()) {
    error_ = fault->reason;
    if (!std::exchange(close_sent_, true)) append(down, close_frame(fault->code));
    state_ = FilterState::Failed;
  }
}

std::size_t WebSocketFilter::shake_hands(std::string_view bytes, ByteBuffer& down) {
  const auto fail = [&](std::string why, std::string_view answer) {
    error_ = "WebSocket handshake: " + why;
    append(down, answer);
    state_ = FilterState::Failed;
    return bytes.size();
  };
  const Result<std::size_t, HttpFault> taken = request_->read(bytes);
  if (!taken) return fail(taken.error().reason, write_http(http_refusal(taken.error())));
  if (!request_->complete()) return *taken;
  const HttpRequest request = request_->take();
  WebSocketAnswer answer = answer_upgrade(request, *options_);
  if (!answer.accepted) return fail(answer.refusal, answer.response);
  append(down, answer.response);
  if (proxied_) forwarded_for_ = forwarded_for(request, options_->trusted_proxies);
  request_.reset();
  state_ = FilterState::Open;
  return *taken;
}

void WebSocketFilter::send(std::span<const iovec> parts, ByteBuffer& down) {
  std::size_t size = 0;
  for (const iovec& part : parts) size += part.iov_len;
  // After a close frame nothing may follow.
  if (size == 0 || close_sent_) return;
  std::uint8_t* out = down.room(kServerHeaderMax + size).data();
  const std::size_t header = write_frame_header(out, WebSocketOpcode::Binary, size);
  out += header;
  for (const iovec& part : parts) {
    std::memcpy(out, part.iov_base, part.iov_len);
    out += part.iov_len;
  }
  down.grow(header + size);
}

void WebSocketFilter::end(ByteBuffer& down) {
  if (state_ == FilterState::Open && !std::exchange(close_sent_, true))
    append(down, close_frame(WebSocketClose::Normal));
}

void WebSocketFilter::tell(ConnectionFacts& facts) const {
  if (!forwarded_for_.empty()) facts.peer = forwarded_for_;
}

std::size_t WebSocketFilter::memory() const {
  return (request_ ? options_->head_bytes_max : 0) + error_.capacity() + forwarded_for_.capacity();
}

}  // namespace twinmq::net
