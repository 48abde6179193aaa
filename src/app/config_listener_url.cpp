#include "app/config_listener_url.hpp"

#include <charconv>

#include <fmt/format.h>

#include "app/config_keys.hpp"

namespace twinmq::app {
namespace {

Error not_a_url(std::string_view url, std::string_view why) {
  return {ErrorCode::InvalidConfig,
          fmt::format("found {}, {}; allowed: mqtt://host:port with a port from 0 to "
                      "65535, an IPv6 address in brackets",
                      toml_quoted(url), why)};
}

bool known_elsewhere(std::string_view scheme) {
  return scheme == "mqtts" || scheme == "ws" || scheme == "wss" || scheme == "unix" ||
         scheme == "http" || scheme == "https";
}

}  // namespace

bool ListenerUrl::loopback() const {
  if (host == "localhost" || host == "::1") return true;
  return host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos;
}

Result<ListenerUrl> parse_listener_url(std::string_view url) {
  const auto mark = url.find("://");
  if (mark == std::string_view::npos) return not_a_url(url, "which has no scheme");
  ListenerUrl parsed;
  parsed.scheme = url.substr(0, mark);
  if (known_elsewhere(parsed.scheme))
    return not_a_url(url, "a transport this version does not serve");
  if (parsed.scheme != "mqtt") return not_a_url(url, "whose scheme is unknown");

  std::string_view rest = url.substr(mark + 3);
  if (rest.starts_with('[')) {
    const auto end = rest.find(']');
    if (end == std::string_view::npos) return not_a_url(url, "whose bracket is not closed");
    parsed.host = rest.substr(1, end - 1);
    rest.remove_prefix(end + 1);
  } else {
    const auto colon = rest.find(':');
    parsed.host = rest.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon);
  }
  if (parsed.host.empty())
    return not_a_url(url, "which names no host (0.0.0.0 means every IPv4 address)");
  if (parsed.host.find_first_of("/?#@ ") != std::string::npos)
    return not_a_url(url, "whose host is not one");
  if (!rest.starts_with(':') || rest.size() == 1) return not_a_url(url, "which names no port");
  rest.remove_prefix(1);
  const auto [end, fault] = std::from_chars(rest.data(), rest.data() + rest.size(), parsed.port);
  if (fault != std::errc() || end != rest.data() + rest.size())
    return not_a_url(url, "whose port is not one");
  return parsed;
}

}  // namespace twinmq::app
