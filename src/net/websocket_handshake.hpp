#pragma once
// The HTTP request that opens a WebSocket (RFC 6455, section 4.2) and its answer.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "net/address_list.hpp"
#include "net/http_request.hpp"

namespace twinmq::net {

/// What a listener asks of its WebSocket clients.
struct WebSocketOptions {
  std::string path;                  ///< of the request; empty: every path serves
  std::vector<std::string> origins;  ///< that may connect from a browser; empty: all
  std::uint64_t frame_bytes_max = 33'554'432;
  std::size_t head_bytes_max = 8192;  ///< of the HTTP request
  AddressList trusted_proxies;        ///< whose X-Forwarded-For is believed
};

struct WebSocketAnswer {
  bool accepted = false;
  std::string response;  ///< bytes for the peer, whether accepted or not
  std::string refusal;   ///< a sentence for the log; empty: accepted
};

WebSocketAnswer answer_upgrade(const HttpRequest& request, const WebSocketOptions& options);

/// The address of the client behind proxies: the last one in X-Forwarded-For that is no trusted
/// proxy itself. Empty: the header says nothing that can be believed.
std::string forwarded_for(const HttpRequest& request, const AddressList& trusted);

/// Sec-WebSocket-Accept for this Sec-WebSocket-Key.
std::string websocket_accept(std::string_view key);

}  // namespace twinmq::net
