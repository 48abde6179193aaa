#pragma once
// What a listener's URL says: how clients come in, and where.

#include <cstdint>
#include <string>
#include <string_view>

#include <twinmq/result.hpp>

namespace twinmq::net {

/// "mqtt://host:port", "ws://host:port/path", "http://host:port", "unix:///path".
struct ListenerUrl {
  std::string scheme;
  std::string host;        ///< a name or an address; an IPv6 address without its brackets
  std::uint16_t port = 0;  ///< 0: any free one
  std::string path;        ///< of a Unix socket, or of WebSocket requests; empty: every path serves

  bool unix_socket() const { return scheme == "unix"; }
  bool websocket() const { return scheme == "ws" || scheme == "wss"; }
  bool http() const { return scheme == "http" || scheme == "https"; }
  bool encrypted() const { return scheme == "mqtts" || scheme == "wss" || scheme == "https"; }
  /// Whether only this machine can reach it.
  bool loopback() const;
  /// The URL again.
  std::string text() const;
};

/// The error (InvalidConfig) says what was found and what is allowed.
Result<ListenerUrl> parse_listener_url(std::string_view url);

}  // namespace twinmq::net
