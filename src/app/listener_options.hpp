#pragma once
// What the network needs to know of a configured listener.

#include <twinmq/config.hpp>

#include "net/listener.hpp"

namespace twinmq::app {

/// Of a Config that validate() found no fault with; `tls` is null for a listener without.
net::Listener::Options listener_options(const Config& config, const ListenerConfig& listener,
                                        std::shared_ptr<net::TlsServer> tls);

}  // namespace twinmq::app
