#include "app/tls_listeners.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "app/file_watch.hpp"
#include "net/listener_url.hpp"

namespace twinmq::app {
namespace {

// The URL, and the how-manieth of that URL it is: port 0 may stand there more than once.
std::string name_of(const std::vector<ListenerConfig>& listeners, std::size_t index) {
  const std::string& url = listeners[index].url;
  const auto before = std::count_if(listeners.begin(), listeners.begin() + static_cast<long>(index),
                                    [&](const ListenerConfig& each) { return each.url == url; });
  return fmt::format("{}#{}", url, before);
}

bool is_encrypted(const ListenerConfig& listener) {
  const auto url = net::parse_listener_url(listener.url);
  return url && url->encrypted();
}

}  // namespace

Result<TlsListeners::Renewal> TlsListeners::prepare(
    const std::vector<ListenerConfig>& listeners) const {
  Renewal renewal;
  renewal.files = state_of_files(tls_files(listeners));
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    if (!is_encrypted(listeners[i])) continue;
    const auto fault = [i](const Error& error) {
      return Error{error.code, fmt::format("listener[{}].{}", i, error.detail)};
    };
    const std::string name = name_of(listeners, i);
    if (const auto known = servers_.find(name); known != servers_.end()) {
      auto contexts = known->second->prepare(listeners[i].tls);
      if (!contexts) return fault(contexts.error());
      renewal.parts[name] = {known->second, std::move(*contexts)};
      continue;
    }
    const bool websocket =
        listeners[i].url.starts_with("wss:") || listeners[i].url.starts_with("https:");
    auto server = net::TlsServer::open(listeners[i].tls, websocket);
    if (!server) return fault(server.error());
    renewal.parts[name] = {std::move(*server), nullptr};
  }
  return renewal;
}

bool TlsListeners::install(Renewal renewal, bool keep_tickets) {
  bool trust_changed = false;
  servers_.clear();
  for (auto& [name, part] : renewal.parts) {
    if (part.contexts) {
      trust_changed = trust_changed || !part.contexts->trusts_like(*part.server->current());
      part.server->install(std::move(part.contexts), keep_tickets);
    }
    servers_[name] = std::move(part.server);
  }
  return trust_changed;
}

std::shared_ptr<net::TlsServer> TlsListeners::of(const std::vector<ListenerConfig>& listeners,
                                                 std::size_t index) const {
  const auto found = servers_.find(name_of(listeners, index));
  return found == servers_.end() ? nullptr : found->second;
}

std::uint64_t TlsListeners::expiry() const {
  std::uint64_t first = 0;
  for (const auto& [name, server] : servers_) {
    const std::uint64_t at = server->current()->expiry();
    if (at != 0 && (first == 0 || at < first)) first = at;
  }
  return first;
}

std::vector<std::string> tls_files(const std::vector<ListenerConfig>& listeners) {
  std::vector<std::string> all;
  for (const ListenerConfig& listener : listeners) {
    if (!is_encrypted(listener)) continue;
    const std::vector<std::string> files = net::tls_files(listener.tls);
    all.insert(all.end(), files.begin(), files.end());
  }
  return all;
}

}  // namespace twinmq::app
