#include "net/listener.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/escape.hpp"

namespace twinmq::net {
namespace {

constexpr int kBacklog = 4096;
constexpr int kAcceptsPerEvent = 64;
constexpr Milliseconds kRetryDelay{100};
constexpr Milliseconds kHandshakesDelay{10};

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

Result<std::vector<Candidate>> resolve(const ListenerUrl& where, std::string_view url) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(where.port);
  // Every interface: the IPv6 wildcard takes IPv4 connections too, where the system has IPv6 at
  // all.
  const bool everywhere = where.host == "*";
  const int failure =
      ::getaddrinfo(everywhere ? nullptr : where.host.c_str(), port.c_str(), &hints, &found);
  if (failure != 0) {
    return Error{ErrorCode::InvalidConfig,
                 "cannot find " + std::string(url) + ": " + ::gai_strerror(failure)};
  }
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

constexpr unsigned kNobody = ~0u;  // chown leaves that one alone

struct Owner {
  uid_t user = kNobody;
  gid_t group = kNobody;
};

Result<Owner> find_owner(std::string_view text) {
  Owner owner;
  const std::size_t colon = text.find(':');
  const std::string user(text.substr(0, colon));
  const std::string group(colon == std::string_view::npos ? std::string_view()
                                                          : text.substr(colon + 1));
  const auto unknown = [](std::string_view what, const std::string& name) {
    return Error{ErrorCode::InvalidConfig,
                 "unix.owner: found " + quoted(name) + ", which is no " + std::string(what) +
                     " of this machine; allowed: \"user\", \"user:group\" or \":group\""};
  };
  char room[4096];
  if (!user.empty()) {
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwnam_r(user.c_str(), &entry, room, sizeof room, &found) != 0 || found == nullptr)
      return unknown("user", user);
    owner.user = entry.pw_uid;
  }
  if (!group.empty()) {
    struct group entry {};
    struct group* found = nullptr;
    if (::getgrnam_r(group.c_str(), &entry, room, sizeof room, &found) != 0 || found == nullptr)
      return unknown("group", group);
    owner.group = entry.gr_gid;
  }
  return owner;
}

sockaddr_un file_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), std::min(path.size(), sizeof address.sun_path - 1));
  return address;
}

// A socket that nobody listens on any more is what a killed process left behind. Whatever else
// stands there is somebody's.
Result<void> remove_stale(const std::string& path) {
  struct stat there {};
  if (::lstat(path.c_str(), &there) != 0) return {};
  if (!S_ISSOCK(there.st_mode)) {
    return Error{ErrorCode::AddressInUse,
                 "cannot listen on unix://" + path + ": a file that is no socket stands there"};
  }
  const Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const sockaddr_un address = file_address(path);
  const bool refused =
      probe &&
      ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
      errno == ECONNREFUSED;
  if (!refused) {
    return Error{ErrorCode::AddressInUse,
                 "cannot listen on unix://" + path + ": another process does"};
  }
  ::unlink(path.c_str());
  return {};
}

std::string user_name(uid_t id) {
  char room[4096];
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(id, &entry, room, sizeof room, &found) == 0 && found != nullptr)
    return entry.pw_name;
  return "uid:" + std::to_string(id);  // no user of a password file has a colon
}

Caller caller_of(int socket, const sockaddr_storage& address, const Listener& listener) {
  if (!listener.address().unix_socket()) return {address_text(&address), {}};
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return {"unix:", {}};
  return {"unix:" + std::to_string(peer.uid) + ":" + std::to_string(peer.pid),
          listener.unix_identity() ? user_name(peer.uid) : std::string()};
}

}  // namespace

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

bool listens_at(int socket, const ListenerUrl& url) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  int listening = 0;
  socklen_t listening_size = sizeof listening;
  if (::getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &listening, &listening_size) != 0 ||
      listening == 0 || ::getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &size) != 0)
    return false;
  if (bound.ss_family == AF_UNIX)
    return url.unix_socket() && url.path == reinterpret_cast<const sockaddr_un&>(bound).sun_path;
  if (url.unix_socket() || url.port == 0 || port_of(bound) != url.port) return false;
  if (bound.ss_family != AF_INET && bound.ss_family != AF_INET6) return false;
  Result<std::vector<Candidate>> candidates = resolve(url, url.host);
  if (!candidates) return false;
  return std::any_of(candidates->begin(), candidates->end(), [&](Candidate& candidate) {
    set_port(candidate.address, url.port);
    return address_text(&candidate.address) == address_text(&bound);
  });
}

SocketFile::SocketFile(std::string path) : path_(std::move(path)) {
  struct stat made {};
  if (::lstat(path_.c_str(), &made) != 0) return;
  device_ = made.st_dev;
  inode_ = made.st_ino;
}

SocketFile::SocketFile(SocketFile&& other) noexcept
    : path_(std::exchange(other.path_, {})), device_(other.device_), inode_(other.inode_) {}

SocketFile& SocketFile::operator=(SocketFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(device_, other.device_);
  std::swap(inode_, other.inode_);
  return *this;
}

SocketFile::~SocketFile() {
  struct stat there {};
  if (path_.empty() || ::lstat(path_.c_str(), &there) != 0) return;
  if (there.st_dev == device_ && there.st_ino == inode_) ::unlink(path_.c_str());
}

Result<std::unique_ptr<Listener>> Listener::open(const Options& options) {
  Result<ListenerUrl> where = parse_listener_url(options.url);
  if (!where) return Error{where.error().code, "listener url: " + where.error().detail};
  std::unique_ptr<Listener> listener(new Listener(0));
  listener->set_connections_max(options.connections_max);
  listener->set_transport(options.transport ? options.transport
                                            : std::make_shared<const Transport>());
  listener->address_ = std::move(*where);
  listener->unix_identity_ = options.unix_identity;
  const Result<void> bound = !options.sockets.empty() ? listener->adopt(options)
                             : listener->address_.unix_socket()
                                 ? listener->bind_file(options)
                                 : listener->bind_addresses(options.url);
  if (!bound) return bound.error();
  listener->url_ = listener->address_.text();
  listener->name_ = options.name.empty() ? listener->url_ : options.name;
  return listener;
}

void Listener::set_connections_max(std::uint32_t max) {
  connections_.set_max(max == 0 ? ~std::uint32_t{0} : max);
}

void Listener::close() {
  sockets_.clear();
  file_ = SocketFile();
}

Result<void> Listener::adopt(const Options& options) {
  for (const int socket : options.sockets) {
    int listening = 0;
    socklen_t size = sizeof listening;
    Descriptor mine(::fcntl(socket, F_DUPFD_CLOEXEC, 3));
    if (!mine || ::getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 ||
        listening == 0) {
      return Error{ErrorCode::InvalidConfig, "the socket handed over for " + options.url +
                                                 " is none that listens for streams"};
    }
    ::fcntl(mine.get(), F_SETFL, ::fcntl(mine.get(), F_GETFL) | O_NONBLOCK);
    sockaddr_storage bound{};
    size = sizeof bound;
    ::getsockname(mine.get(), reinterpret_cast<sockaddr*>(&bound), &size);
    if (bound.ss_family != AF_UNIX) address_.port = port_of(bound);
    sockets_.push_back(std::move(mine));
  }
  return {};
}

Result<void> Listener::bind_addresses(std::string_view url) {
  Result<std::vector<Candidate>> candidates = resolve(address_, url);
  if (!candidates) return candidates.error();
  Error last{ErrorCode::Internal, "no address for " + std::string(url)};
  for (Candidate& candidate : *candidates) {
    set_port(candidate.address, address_.port);
    Result<Descriptor> socket = bind_one(candidate.address, candidate.size, url);
    if (!socket) {
      // A name may stand for an address this machine lacks; a taken port is never passed over.
      last = socket.error();
      if (last.code != ErrorCode::Internal) return last;
      continue;
    }
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    ::getsockname(socket->get(), reinterpret_cast<sockaddr*>(&bound), &size);
    address_.port = port_of(bound);
    sockets_.push_back(std::move(*socket));
    if (address_.host == "*") break;
  }
  if (sockets_.empty()) return last;
  return {};
}

Result<void> Listener::take_file(const Options& options) {
  const std::string& path = address_.path;
  if (path.empty() || !address_.unix_socket()) return {};
  Result<Owner> owner = find_owner(options.unix_owner);
  if (!owner) return owner.error();
  const auto failed = [&](std::string_view what) {
    return system_error(errno == EPERM ? ErrorCode::PermissionDenied : ErrorCode::Internal,
                        std::string(what) + " " + options.url, errno);
  };
  if ((owner->user != kNobody || owner->group != kNobody) &&
      ::lchown(path.c_str(), owner->user, owner->group) != 0)
    return failed("cannot give the owner of");
  if (::chmod(path.c_str(), options.unix_mode & 0777) != 0) return failed("cannot set the mode of");
  return {};
}

Result<void> Listener::bind_file(const Options& options) {
  const std::string& path = address_.path;
  const auto failed = [&](std::string_view what) {
    const ErrorCode code = errno == EADDRINUSE ? ErrorCode::AddressInUse
                           : errno == EACCES   ? ErrorCode::PermissionDenied
                                               : ErrorCode::Internal;
    return system_error(code, std::string(what) + " " + options.url, errno);
  };
  if (Result<void> free = remove_stale(path); !free) return free;
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return failed("cannot make a socket for");
  // Nobody may connect before owner and mode are what they are to be: Linux gives the file the
  // socket's mode.
  ::fchmod(socket.get(), 0);
  const sockaddr_un address = file_address(path);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return failed("cannot bind");
  file_ = SocketFile(path);
  if (Result<void> taken = take_file(options); !taken) return taken;
  if (::listen(socket.get(), kBacklog) != 0) return failed("cannot listen on");
  sockets_.push_back(std::move(socket));
  return {};
}

Acceptor::Acceptor(EventLoop& loop, ConnectionLimits& limits, Tag base, Hooks hooks)
    : loop_(loop), limits_(limits), base_(base), hooks_(std::move(hooks)) {}

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
    for (const Place& place : places_) {
      if (!place.waiting) loop_.forget(place.fd);
    }
  }
  places_.clear();
  reserve_ = Descriptor();
  retry_at_ = kNever;
  look_again_at_ = kNever;
}

void Acceptor::on_event(Tag tag) {
  const std::size_t index = static_cast<std::size_t>((tag - base_) >> 32);
  if (index < places_.size() && retry_at_ == kNever) accept_from(places_[index]);
}

// Out of the set, so that they wait in the backlog, where waiting costs nobody anything.
void Acceptor::await_handshakes(Place& place) {
  loop_.forget(place.fd);
  place.waiting = true;
  look_again_at_ = std::min(look_again_at_, now_ + kHandshakesDelay);
}

void Acceptor::go_on() {
  look_again_at_ = kNever;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    if (std::exchange(places_[i].waiting, false))
      loop_.watch(places_[i].fd, EPOLLIN | EPOLLEXCLUSIVE, tag_of(i));
  }
}

void Acceptor::accept_from(Place& place) {
  const bool filtered = place.listener->transport()->filtered();
  for (int i = 0; i < kAcceptsPerEvent; ++i) {
    // A place of its own while it is accepted, so that shards that accept at the same time do not
    // both take the last one; the handshake counts itself when it begins.
    if (filtered && !limits_.handshakes.enter()) return await_handshakes(place);
    const bool more = accept_one(place);
    if (filtered) limits_.handshakes.leave();
    if (!more) return;
  }
}

bool Acceptor::accept_one(Place& place) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  Descriptor socket(::accept4(place.fd, reinterpret_cast<sockaddr*>(&address), &size,
                              SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
      pause(place, errno);
    return errno == ECONNABORTED || errno == EINTR;
  }
  Caller caller = caller_of(socket.get(), address, *place.listener);
  // A proxy has as many as its clients have, who are counted when it has named them.
  if (!may_name_others(*place.listener->transport(), caller.address)) {
    auto counted = limits_.addresses.enter(caller.address);
    if (!counted) {
      hooks_.refused(*place.listener);
      return true;
    }
    caller.place = std::move(*counted);
  }
  if (!limits_.total.enter()) {
    hooks_.refused(*place.listener);
    return true;
  }
  if (!place.listener->connections().enter()) {
    limits_.total.leave();
    hooks_.refused(*place.listener);
    return true;
  }
  const int on = 1;
  if (address.ss_family != AF_UNIX)
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  hooks_.opened(std::move(socket), *place.listener, std::move(caller));
  return true;
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
  for (const Place& each : places_) {
    if (!each.waiting) loop_.forget(each.fd);
  }
  retry_at_ = now_ + kRetryDelay;
  hooks_.paused(true, std::strerror(reason));
  errno = EAGAIN;
}

void Acceptor::on_time(Instant now) {
  now_ = now;
  if (retry_at_ == kNever && look_again_at_ <= now) {
    if (!limits_.handshakes.full()) return go_on();
    look_again_at_ = now + kHandshakesDelay;
  }
  if (retry_at_ == kNever || now < retry_at_) return;
  retry_at_ = kNever;
  look_again_at_ = kNever;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    places_[i].waiting = false;
    loop_.watch(places_[i].fd, EPOLLIN | EPOLLEXCLUSIVE, tag_of(i));
  }
  hooks_.paused(false, "");
}

}  // namespace twinmq::net
