#include "app/listener_options.hpp"

#include <memory>
#include <utility>

#include "app/config_validate.hpp"
#include "net/proxy_protocol.hpp"
#include "net/websocket_handshake.hpp"

namespace twinmq::app {
namespace {

net::AddressList trusted_proxies(const Config& config, const ListenerConfig& listener) {
  const auto& entries =
      listener.trusted_proxies.empty() ? config.access.trusted_proxies : listener.trusted_proxies;
  auto list = net::AddressList::parse(entries);
  return list ? std::move(*list) : net::AddressList();
}

}  // namespace

net::Listener::Options listener_options(const Config& config, const ListenerConfig& listener,
                                        std::shared_ptr<net::TlsServer> tls) {
  net::Listener::Options options;
  options.url = listener.url;
  options.name = listener.name;
  options.connections_max = listener.connections_max;
  options.unix_owner = listener.unix_socket.owner;
  options.unix_mode = unix_mode(listener).value_or(0660);
  options.unix_identity = listener.unix_socket.identity;
  const auto transport = std::make_shared<net::Transport>();
  transport->tls = std::move(tls);
  if (listener.proxy_protocol) {
    const auto proxy = std::make_shared<net::ProxyOptions>();
    proxy->trusted = trusted_proxies(config, listener);
    proxy->common_name_is_user = listener.tls.identity == TlsIdentity::CommonName;
    transport->proxy = proxy;
  }
  if (const auto url = net::parse_listener_url(listener.url); url && url->websocket()) {
    const auto websocket = std::make_shared<net::WebSocketOptions>();
    websocket->path = url->path;
    websocket->origins = listener.websocket.origins;
    websocket->frame_bytes_max = listener.websocket.frame_bytes_max;
    websocket->head_bytes_max = listener.websocket.request_bytes_max;
    websocket->trusted_proxies = trusted_proxies(config, listener);
    transport->websocket = websocket;
  }
  options.transport = transport;
  return options;
}

std::vector<int> inherited_sockets(const std::vector<ListeningSocket>& sockets,
                                   const net::Listener::Options& options) {
  std::vector<int> found;
  const auto url = net::parse_listener_url(options.url);
  for (const ListeningSocket& each : sockets) {
    const bool named = !options.name.empty() && each.name == options.name;
    if (named || (url && net::listens_at(each.fd, *url))) found.push_back(each.fd);
  }
  return found;
}

}  // namespace twinmq::app
