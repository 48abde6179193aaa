// A WebSocket client: the handshake (left out when the input begins with '!'), then frames. Checked
// beyond not crashing: in pieces of any size the payload, the answers and the verdict are the same,
// but for pings, of which those in one piece share a pong.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "net/websocket.hpp"

using namespace twinmq;
using namespace twinmq::net;

namespace {

constexpr std::string_view kOpening =
    "GET /mqtt HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Protocol: mqtt\r\n\r\n";

std::string outcome(ByteView bytes, std::size_t step, bool opened) {
  static const auto options = std::make_shared<const WebSocketOptions>(
      WebSocketOptions{.path = "/mqtt", .origins = {"https://a"}, .frame_bytes_max = 4096});
  WebSocketFilter filter(options, "192.0.2.1:1");
  ByteBuffer up;
  ByteBuffer down;
  if (opened) {
    filter.receive(bytes_of(kOpening), up, down);
    if (filter.state() != FilterState::Open) std::abort();
  }
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    filter.receive(bytes.subspan(at, std::min(step, bytes.size() - at)), up, down);
    if (filter.state() == FilterState::Failed || filter.state() == FilterState::Ended) break;
  }
  if (up.size() > bytes.size()) std::abort();
  if ((filter.state() == FilterState::Failed) == filter.error().empty()) std::abort();
  filter.end(down);
  return std::to_string(static_cast<int>(filter.state())) + "|" + std::string(filter.error()) +
         "|" + std::string(text_of(up.view()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const bool opened = size > 0 && data[0] == '!';
  const ByteView bytes{data + (opened ? 1 : 0), size - (opened ? 1 : 0)};
  const std::string whole = outcome(bytes, size + 1, opened);
  if (outcome(bytes, 1, opened) != whole || outcome(bytes, 13, opened) != whole) std::abort();
  return 0;
}
