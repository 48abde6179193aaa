// A bare forwarder: every connection to its port is carried, byte for byte, to and from another
// port of this machine; with a certificate its clients speak TLS. The difference between the two
// ways in CPU per message is what OpenSSL costs at least.
//
// twinmq-forwarder PORT TARGET_PORT [CERTIFICATE KEY]

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include <openssl/ssl.h>

namespace {

constexpr std::size_t kBlock = 65'536;

struct Pair;

/// One end of a pair; `tls` only at the client's.
struct End {
  Pair* pair = nullptr;
  int fd = -1;
  SSL* tls = nullptr;
};

struct Pair {
  End client;
  End target;
  bool open = false;
};

int set = -1;
char block[kBlock];

void watch(End& end) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = &end;
  ::epoll_ctl(set, EPOLL_CTL_ADD, end.fd, &event);
}

void prepare(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::fcntl(fd, F_SETFL, O_NONBLOCK);
}

void finish(Pair* pair) {
  if (pair->client.tls != nullptr) {
    SSL_shutdown(pair->client.tls);
    SSL_free(pair->client.tls);
  }
  ::close(pair->client.fd);
  ::close(pair->target.fd);
  delete pair;
}

// Blocks until everything is written: a load test's peers read.
bool write_all(End& end, const char* bytes, std::size_t size) {
  while (size > 0) {
    ssize_t sent = 0;
    if (end.tls != nullptr) {
      std::size_t written = 0;
      sent = SSL_write_ex(end.tls, bytes, size, &written) == 1 ? static_cast<ssize_t>(written) : -1;
      if (sent < 0 && SSL_get_error(end.tls, 0) != SSL_ERROR_WANT_WRITE) return false;
    } else {
      sent = ::send(end.fd, bytes, size, MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) return false;
    }
    if (sent < 0) {
      pollfd room{end.fd, POLLOUT, 0};
      ::poll(&room, 1, 1000);
      continue;
    }
    bytes += sent;
    size -= static_cast<std::size_t>(sent);
  }
  return true;
}

// What one readiness brings is gathered and leaves in one write. False: the pair is over.
bool carry_from_client(Pair& pair) {
  End& from = pair.client;
  if (from.tls == nullptr) {
    const ssize_t got = ::recv(from.fd, block, kBlock, 0);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    return write_all(pair.target, block, static_cast<std::size_t>(got));
  }
  if (!pair.open) {
    const int done = SSL_accept(from.tls);
    if (done != 1) return SSL_get_error(from.tls, done) == SSL_ERROR_WANT_READ;
    pair.open = true;
  }
  std::size_t filled = 0;
  bool more = true;
  while (more) {
    std::size_t got = 0;
    const int result = SSL_read_ex(from.tls, block + filled, kBlock - filled, &got);
    if (result == 1) {
      filled += got;
      if (filled < kBlock) continue;
    } else if (SSL_get_error(from.tls, result) != SSL_ERROR_WANT_READ) {
      return false;
    } else {
      more = false;
    }
    if (!write_all(pair.target, block, filled)) return false;
    filled = 0;
  }
  return true;
}

bool carry_from_target(Pair& pair) {
  const ssize_t got = ::recv(pair.target.fd, block, kBlock, 0);
  if (got <= 0) return got < 0 && errno == EAGAIN;
  return write_all(pair.client, block, static_cast<std::size_t>(got));
}

sockaddr_in local(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void accept_one(int listener, int target_port, SSL_CTX* context) {
  const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd < 0) return;
  auto pair = std::make_unique<Pair>();
  pair->client = {pair.get(), fd, nullptr};
  pair->target = {pair.get(), ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), nullptr};
  const sockaddr_in address = local(target_port);
  if (::connect(pair->target.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
      0) {
    std::perror("target");
    return finish(pair.release());
  }
  prepare(pair->client.fd);
  prepare(pair->target.fd);
  if (context != nullptr) {
    pair->client.tls = SSL_new(context);
    SSL_set_fd(pair->client.tls, fd);
  }
  watch(pair->client);
  watch(pair->target);
  static_cast<void>(pair.release());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 && argc != 5) {
    std::fputs("twinmq-forwarder PORT TARGET_PORT [CERTIFICATE KEY]\n", stderr);
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  SSL_CTX* context = nullptr;
  if (argc == 5) {
    context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_mode(context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
    if (SSL_CTX_use_certificate_chain_file(context, argv[3]) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, argv[4], SSL_FILETYPE_PEM) != 1) {
      std::fputs("the certificate or its key cannot be used\n", stderr);
      return 2;
    }
  }
  set = ::epoll_create1(EPOLL_CLOEXEC);
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in address = local(std::atoi(argv[1]));
  if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener, 1024) != 0) {
    std::perror("listen");
    return 1;
  }
  End door{nullptr, listener, nullptr};
  watch(door);
  epoll_event events[256];
  while (true) {
    int count = ::epoll_wait(set, events, 256, -1);
    for (int i = 0; i < count; ++i) {
      End& end = *static_cast<End*>(events[i].data.ptr);
      if (end.pair == nullptr) {
        accept_one(listener, std::atoi(argv[2]), context);
        continue;
      }
      Pair& pair = *end.pair;
      if (&end == &pair.client ? carry_from_client(pair) : carry_from_target(pair)) continue;
      // The other end may stand among the events of this turn.
      for (int k = i + 1; k < count; ++k) {
        if (events[k].data.ptr == &pair.client || events[k].data.ptr == &pair.target)
          events[k--] = events[--count];
      }
      finish(&pair);
    }
  }
}
