#pragma once
// What the network needs to know of a configured listener.

#include <vector>

#include <twinmq/broker.hpp>
#include <twinmq/config.hpp>

#include "net/listener.hpp"

namespace twinmq::app {

/// Of a Config that validate() found no fault with; `tls` is null for a listener without.
net::Listener::Options listener_options(const Config& config, const ListenerConfig& listener,
                                        std::shared_ptr<net::TlsServer> tls);

/// Those of the sockets that are meant for this listener: by its name, or by its address.
std::vector<int> inherited_sockets(const std::vector<ListeningSocket>& sockets,
                                   const net::Listener::Options& options);

}  // namespace twinmq::app
