#include "net/listener_url.hpp"

#include <sys/un.h>

#include <charconv>

#include "base/escape.hpp"

namespace twinmq::net {
namespace {

Error not_a_url(std::string_view url, std::string_view why) {
  return {
      ErrorCode::InvalidConfig,
      "found " + quoted(url) + ", " + std::string(why) +
          "; allowed: mqtt://host:port, mqtts://host:port, http://host:port, https://host:port, "
          "ws://host:port/path or wss://host:port/path with a port from 0 to 65535 and "
          "an IPv6 address in brackets, or unix:///path"};
}

bool plain(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7F) return false;
  }
  return true;
}

Result<ListenerUrl> unix_url(std::string_view url, std::string_view rest) {
  ListenerUrl parsed;
  parsed.scheme = "unix";
  if (!rest.starts_with('/')) return not_a_url(url, "whose path is not absolute");
  if (rest.size() == 1 || rest.ends_with('/')) return not_a_url(url, "which names no file");
  if (!plain(rest)) return not_a_url(url, "whose path has a character that none should have");
  if (rest.size() >= sizeof(sockaddr_un::sun_path)) {
    return not_a_url(url, "whose path is longer than the " +
                              std::to_string(sizeof(sockaddr_un::sun_path) - 1) +
                              " bytes of a Unix socket's name");
  }
  parsed.path = rest;
  return parsed;
}

}  // namespace

bool ListenerUrl::loopback() const {
  if (unix_socket() || host == "localhost" || host == "::1") return true;
  return host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos;
}

std::string ListenerUrl::text() const {
  if (unix_socket()) return scheme + "://" + path;
  const bool six = host.find(':') != std::string::npos;
  return scheme + "://" + (six ? "[" + host + "]" : host) + ":" + std::to_string(port) + path;
}

Result<ListenerUrl> parse_listener_url(std::string_view url) {
  const auto mark = url.find("://");
  if (mark == std::string_view::npos) return not_a_url(url, "which has no scheme");
  ListenerUrl parsed;
  parsed.scheme = url.substr(0, mark);
  std::string_view rest = url.substr(mark + 3);
  if (parsed.scheme == "unix") return unix_url(url, rest);
  if (parsed.scheme != "mqtt" && !parsed.encrypted() && !parsed.websocket() && !parsed.http())
    return not_a_url(url, "whose scheme is unknown");

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
  const std::string_view after(end, static_cast<std::size_t>(rest.data() + rest.size() - end));
  const bool path = parsed.websocket() && after.starts_with('/');
  if (fault != std::errc() || (!after.empty() && !path))
    return not_a_url(url, "whose port is not one");
  if (after.find_first_of("?#") != std::string_view::npos || !plain(after))
    return not_a_url(url, "whose path is not one");
  if (after != "/") parsed.path = after;
  return parsed;
}

}  // namespace twinmq::net
