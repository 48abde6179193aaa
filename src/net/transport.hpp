#pragma once
// What lies between a listener's sockets and MQTT.

#include <memory>
#include <string_view>

#include "net/filter_chain.hpp"
#include "net/tls_server.hpp"

namespace twinmq::net {

struct ProxyOptions;
struct WebSocketOptions;

/// What the filters of new connections are made from. Immutable; a reload gives the listener
/// another one, and connections keep what they began with.
struct Transport {
  std::shared_ptr<const ProxyOptions> proxy;          ///< null: no PROXY header comes first
  std::shared_ptr<TlsServer> tls;                     ///< null: not encrypted
  std::shared_ptr<const WebSocketOptions> websocket;  ///< null: MQTT without frames

  /// Whether connections have filters at all, and with them a handshake.
  bool filtered() const { return proxy || tls || websocket; }
};

/// Whether the peer is a proxy that is believed when it names its clients.
bool may_name_others(const Transport& transport, std::string_view peer);

/// The chain of a new connection; null for a plain one. `peer` is the socket's own far address,
/// "127.0.0.1:50712".
std::unique_ptr<FilterChain> make_filters(const Transport& transport, std::string_view peer);

}  // namespace twinmq::net
