#pragma once
// What a listener's URL says.

#include <cstdint>
#include <string>
#include <string_view>

#include <twinmq/result.hpp>

namespace twinmq::app {

struct ListenerUrl {
  std::string scheme;  ///< "mqtt"
  std::string host;    ///< a name or an address; an IPv6 address without its brackets
  std::uint16_t port = 0;

  /// Whether only this machine can reach it.
  bool loopback() const;
};

/// "mqtt://host:port". The error says what was found and what is allowed.
Result<ListenerUrl> parse_listener_url(std::string_view url);

}  // namespace twinmq::app
