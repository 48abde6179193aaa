#include "net/transport.hpp"

#include <utility>
#include <vector>

#include "net/proxy_protocol.hpp"
#include "net/tls_filter.hpp"
#include "net/websocket.hpp"

namespace twinmq::net {

bool may_name_others(const Transport& transport, std::string_view peer) {
  return (transport.proxy && transport.proxy->trusted.contains_peer(peer)) ||
         (transport.websocket && transport.websocket->trusted_proxies.contains_peer(peer));
}

// From the socket upwards.
std::unique_ptr<FilterChain> make_filters(const Transport& transport, std::string_view peer) {
  if (!transport.filtered()) return nullptr;
  std::vector<std::unique_ptr<Filter>> filters;
  if (transport.proxy) filters.push_back(std::make_unique<ProxyFilter>(transport.proxy, peer));
  if (transport.tls) filters.push_back(std::make_unique<TlsServerFilter>(transport.tls));
  if (transport.websocket)
    filters.push_back(std::make_unique<WebSocketFilter>(transport.websocket, peer));
  return std::make_unique<FilterChain>(std::move(filters));
}

}  // namespace twinmq::net
