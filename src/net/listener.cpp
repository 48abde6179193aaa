#include "net/listener.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace twinmq::net {
namespace {

constexpr int kBacklog = 4096;
constexpr int kAcceptsPerEvent = 64;
constexpr Milliseconds kRetryDelay{100};
constexpr std::string_view kScheme = "mqtt://";

Error bad_url(std::string_view url, std::string_view why) {
  return {ErrorCode::InvalidConfig, "listener url \"" + std::string(url) + "\": " +
                                        std::string(why) + "; allowed is mqtt://host:port"};
}

std::uint16_t port_of(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  }
  return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

void set_port(sockaddr_storage& address, std::uint16_t port) {
  if (address.ss_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6&>(address).sin6_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in&>(address).sin_port = htons(port);
  }
}

Result<Descriptor> bind_one(const sockaddr_storage& address, socklen_t size, std::string_view url) {
  const auto failed = [&](std::string_view what) {
    const ErrorCode code = errno == EADDRINUSE ? ErrorCode::AddressInUse
                           : errno == EACCES   ? ErrorCode::PermissionDenied
                                               : ErrorCode::Internal;
    return system_error(code, std::string(what) + " " + std::string(url), errno);
  };
  Descriptor socket(::socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return failed("cannot make a socket for");
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0)
    return failed("cannot bind");
  if (::listen(socket.get(), kBacklog) != 0) return failed("cannot listen on");
  return socket;
}

struct Candidate {
  sockaddr_storage address{};
  socklen_t size = 0;
};

Result<std::vector<Candidate>> resolve(const ListenerAddress& where, std::string_view url) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(where.port);
  // Every interface: the IPv6 wildcard takes IPv4 connections too, where the system has IPv6 at
  // all.
  const bool everywhere = where.host.empty() || where.host == "*";
  const int failure =
      ::getaddrinfo(everywhere ? nullptr : where.host.c_str(), port.c_str(), &hints, &found);
  if (failure != 0) return bad_url(url, ::gai_strerror(failure));
  std::vector<Candidate> candidates;
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
    Candidate candidate;
    std::memcpy(&candidate.address, info->ai_addr, info->ai_addrlen);
    candidate.size = info->ai_addrlen;
    if (everywhere && info->ai_family == AF_INET6) {
      candidates.insert(candidates.begin(), candidate);
    } else {
      candidates.push_back(candidate);
    }
  }
  ::freeaddrinfo(found);
  return candidates;
}

}  // namespace

Result<ListenerAddress> parse_listener_url(std::string_view url) {
  if (!url.starts_with(kScheme)) return bad_url(url, "unknown scheme");
  std::string_view rest = url.substr(kScheme.size());
  if (rest.ends_with('/')) rest.remove_suffix(1);
  ListenerAddress address{{}, 1883};
  std::string_view port;
  if (rest.starts_with('[')) {
    const std::size_t end = rest.find(']');
    if (end == std::string_view::npos) return bad_url(url, "the bracket is not closed");
    address.host = rest.substr(1, end - 1);
    port = rest.substr(end + 1);
  } else {
    const std::size_t colon = rest.find(':');
    address.host = rest.substr(0, colon);
    port = colon == std::string_view::npos ? std::string_view() : rest.substr(colon);
    if (port.find(':', 1) != std::string_view::npos)
      return bad_url(url, "an IPv6 address stands in brackets");
  }
  if (port.empty()) return address;
  port.remove_prefix(1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc() || end != port.data() + port.size())
    return bad_url(url, "the port is not 0..65535");
  return address;
}

std::string address_text(const void* socket_address) {
  char text[INET6_ADDRSTRLEN] = "";
  const auto* address = static_cast<const sockaddr_storage*>(socket_address);
  const std::string port = std::to_string(port_of(*address));
  if (address->ss_family == AF_INET) {
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text,
                sizeof text);
    return std::string(text) + ":" + port;
  }
  const in6_addr& six = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&six)) {
    ::inet_ntop(AF_INET, &six.s6_addr[12], text, sizeof text);
    return std::string(text) + ":" + port;
  }
  ::inet_ntop(AF_INET6, &six, text, sizeof text);
  return "[" + std::string(text) + "]:" + port;
}

Result<std::unique_ptr<Listener>> Listener::open(const Options& options) {
  Result<ListenerAddress> where = parse_listener_url(options.url);
  if (!where) return where.error();
  Result<std::vector<Candidate>> candidates = resolve(*where, options.url);
  if (!candidates) return candidates.error();

  std::unique_ptr<Listener> listener(
      new Listener(options.connections_max == 0 ? ~std::uint32_t{0} : options.connections_max));
  std::uint16_t port = where->port;
  Error last{ErrorCode::Internal, "no address for " + options.url};
  const bool everywhere = where->host.empty() || where->host == "*";
  for (Candidate& candidate : *candidates) {
    set_port(candidate.address, port);
    Result<Descriptor> socket = bind_one(candidate.address, candidate.size, options.url);
    if (!socket) {
      // A name may stand for an address this machine lacks; a taken port is never passed over.
      last = socket.error();
      if (last.code != ErrorCode::Internal) return last;
      continue;
    }
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    ::getsockname(socket->get(), reinterpret_cast<sockaddr*>(&bound), &size);
    port = port_of(bound);
    listener->sockets_.push_back(std::move(*socket));
    if (everywhere) break;
  }
  if (listener->sockets_.empty()) return last;
  const bool six = where->host.find(':') != std::string::npos;
  const std::string host = where->host.empty() ? "*" : where->host;
  listener->url_ =
      std::string(kScheme) + (six ? "[" + host + "]" : host) + ":" + std::to_string(port);
  listener->name_ = options.name.empty() ? listener->url_ : options.name;
  return listener;
}

Acceptor::Acceptor(EventLoop& loop, ConnectionCount& total, Tag base, Hooks hooks)
    : loop_(loop), total_(total), base_(base), hooks_(std::move(hooks)) {}

void Acceptor::start(const std::vector<Listener*>& listeners) {
  stop();
  reserve_ = Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  for (Listener* listener : listeners) {
    for (const Descriptor& socket : listener->sockets()) {
      places_.push_back({listener, socket.get()});
      loop_.watch(socket.get(), EPOLLIN | EPOLLEXCLUSIVE, tag_of(places_.size() - 1));
    }
  }
}

void Acceptor::stop() {
  if (retry_at_ == kNever) {
    for (const Place& place : places_) loop_.forget(place.fd);
  }
  places_.clear();
  reserve_ = Descriptor();
  retry_at_ = kNever;
}

void Acceptor::on_event(Tag tag) {
  const std::size_t index = static_cast<std::size_t>((tag - base_) >> 32);
  if (index < places_.size() && retry_at_ == kNever) accept_from(places_[index]);
}

void Acceptor::accept_from(const Place& place) {
  for (int i = 0; i < kAcceptsPerEvent; ++i) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    Descriptor socket(::accept4(place.fd, reinterpret_cast<sockaddr*>(&address), &size,
                                SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        pause(place, errno);
      if (errno == ECONNABORTED || errno == EINTR) continue;
      return;
    }
    if (!total_.enter()) {
      hooks_.refused(*place.listener);
      continue;
    }
    if (!place.listener->connections().enter()) {
      total_.leave();
      hooks_.refused(*place.listener);
      continue;
    }
    const int on = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    hooks_.opened(std::move(socket), *place.listener, address_text(&address));
  }
}

void Acceptor::pause(const Place& place, int reason) {
  // Without a free descriptor a waiting client would hang: one is told by a close, through the
  // reserve.
  reserve_.close();
  if (Descriptor turned_away(::accept4(place.fd, nullptr, nullptr, SOCK_CLOEXEC)); turned_away) {
    hooks_.refused(*place.listener);
  }
  reserve_ = Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  // Out of the set, because level-triggered readiness would otherwise keep the loop spinning.
  for (const Place& each : places_) loop_.forget(each.fd);
  retry_at_ = now_ + kRetryDelay;
  hooks_.paused(true, std::strerror(reason));
  errno = EAGAIN;
}

void Acceptor::on_time(Instant now) {
  now_ = now;
  if (retry_at_ == kNever || now < retry_at_) return;
  retry_at_ = kNever;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    loop_.watch(places_[i].fd, EPOLLIN | EPOLLEXCLUSIVE, tag_of(i));
  }
  hooks_.paused(false, "");
}

}  // namespace twinmq::net
