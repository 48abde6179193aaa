#pragma once
// What the network needs to know of a configured listener.

#include <twinmq/config.hpp>

#include "net/listener.hpp"

namespace twinmq::app {

/// Of a Config that validate() found no fault with.
net::Listener::Options listener_options(const Config& config, const ListenerConfig& listener);

}  // namespace twinmq::app
