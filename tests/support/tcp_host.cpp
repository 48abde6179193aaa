#include <cerrno>
#include <chrono>
#include <iostream>
#include <stdexcept>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "support/broker_under_test.hpp"
#include "support/child_process.hpp"
#include "support/tls_stream.hpp"

namespace twinmq::testing {
namespace {

/// How long a broker may take for an answer that must come; a sanitized one on a busy machine
/// included.
constexpr int kPatienceMs = 10'000;

class TcpStream final : public Stream {
 public:
  explicit TcpStream(int fd) : fd_(fd) {
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd_, F_SETFL, O_NONBLOCK);
  }
  ~TcpStream() override { close(fd_); }

  void write(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(sent));
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        // A broker that does not read because it wants to write first is served too.
        pollfd wanted{fd_, POLLOUT | POLLIN, 0};
        if (poll(&wanted, 1, kPatienceMs) <= 0) return;
        if (wanted.revents & POLLIN) take(early_);
      } else if (errno != EINTR) {
        return;  // closed by the broker: what it said before is still to be read
      }
    }
  }

  bool read(std::string& bytes) override {
    if (!early_.empty()) {
      bytes += early_;
      early_.clear();
      return true;
    }
    if (ended_) return false;
    pollfd wanted{fd_, POLLIN, 0};
    if (poll(&wanted, 1, kPatienceMs) <= 0) return false;
    return take(bytes);
  }

  bool ended() const override { return ended_; }

  void cut() override {
    shutdown(fd_, SHUT_WR);
    std::string ignored;
    while (read(ignored)) {
    }
  }

 private:
  bool take(std::string& bytes) {
    char block[65536];
    const ssize_t got = recv(fd_, block, sizeof block, 0);
    if (got > 0) {
      bytes.append(block, static_cast<std::size_t>(got));
      return true;
    }
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) ended_ = true;
    return false;
  }

  int fd_;
  bool ended_ = false;
  std::string early_;
};

/// The same over WebSocket. Every write is one message in two fragments with a ping between them,
/// so that whatever runs over TCP tries the reading of frames as well.
class WebSocketStream final : public Stream {
 public:
  explicit WebSocketStream(std::unique_ptr<Stream> below) : socket_(std::move(below)) {
    socket_->write(
        "GET /mqtt HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Protocol: mqtt\r\n\r\n");
    std::size_t end = std::string::npos;
    while ((end = wire_.find("\r\n\r\n")) == std::string::npos && socket_->read(wire_)) {
    }
    if (!wire_.starts_with("HTTP/1.1 101 ")) throw std::runtime_error("no WebSocket: " + wire_);
    wire_.erase(0, end + 4);
  }

  void write(std::string_view bytes) override {
    const std::size_t half = bytes.size() / 2;
    socket_->write(frame(0x02, bytes.substr(0, half)) + frame(0x89, "are you there") +
                   frame(0x80, bytes.substr(half)));
  }

  bool read(std::string& bytes) override {
    const std::size_t before = bytes.size();
    for (;;) {
      while (take_frame(bytes)) {
      }
      if (bytes.size() > before) return true;
      if (closed_ || !socket_->read(wire_)) return false;
    }
  }

  bool ended() const override { return socket_->ended() && wire_.empty(); }
  void cut() override {
    socket_->cut();
    wire_.clear();
  }

 private:
  static std::string frame(unsigned first, std::string_view payload) {
    std::string out(1, static_cast<char>(first));
    const std::size_t size = payload.size();
    const int extended = size < 126 ? 0 : size < 65536 ? 2 : 8;
    out += static_cast<char>(0x80 | (extended == 0 ? size : extended == 2 ? 126u : 127u));
    for (int i = extended - 1; i >= 0; --i) out += static_cast<char>(size >> (8 * i));
    const std::string key = "\x12\xab\x34\xcd";
    out += key;
    for (std::size_t i = 0; i < size; ++i) out += static_cast<char>(payload[i] ^ key[i % 4]);
    return out;
  }

  // Payload of binary frames is appended, pongs are passed over, and close frames end the reading.
  bool take_frame(std::string& bytes) {
    const auto byte = [this](std::size_t at) { return static_cast<unsigned char>(wire_[at]); };
    if (wire_.size() < 2) return false;
    const std::size_t extended = byte(1) < 126 ? 0 : byte(1) == 126 ? 2 : 8;
    if (wire_.size() < 2 + extended) return false;
    std::size_t size = extended == 0 ? byte(1) : 0;
    for (std::size_t i = 0; i < extended; ++i) size = (size << 8) | byte(2 + i);
    if (wire_.size() < 2 + extended + size) return false;
    if (byte(0) == 0x82) {
      bytes.append(wire_, 2 + extended, size);
    } else if (byte(0) == 0x88) {
      closed_ = true;
    } else if (byte(0) != 0x8A) {
      throw std::runtime_error("a frame that no broker sends");
    }
    wire_.erase(0, 2 + extended + size);
    if (closed_) cut();
    return !closed_;
  }

  std::unique_ptr<Stream> socket_;
  std::string wire_;
  bool closed_ = false;
};

int try_connect(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
  close(fd);
  return -1;
}

int try_connect(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
  close(fd);
  return -1;
}

class TcpHost : public Host {
 public:
  std::unique_ptr<Stream> open() override {
    std::unique_ptr<Stream> stream = open_below_websocket();
    if (websocket_) stream = std::make_unique<WebSocketStream>(std::move(stream));
    return stream;
  }

  std::unique_ptr<Stream> open_below_websocket() override {
    const int fd = path_.empty() ? try_connect(port_) : try_connect(path_);
    if (fd < 0) throw std::runtime_error("nobody listens on " + path_ + std::to_string(port_));
    std::unique_ptr<Stream> stream = std::make_unique<TcpStream>(fd);
    if (encrypted_) stream = make_tls_stream(std::move(stream));
    return stream;
  }

  void advance(Milliseconds time) override { std::this_thread::sleep_for(time); }

 protected:
  std::uint16_t port_ = 0;
  bool websocket_ = false;
  bool encrypted_ = false;
  std::string path_;  ///< of a Unix socket, in the place of a port
};

class DaemonHost final : public TcpHost {
 public:
  explicit DaemonHost(const std::vector<std::string>& arguments) : child_(arguments) {
    const std::string line = child_.wait_for_line("ready");
    if (const std::size_t unix_socket = line.find("unix://"); unix_socket != std::string::npos) {
      path_ =
          line.substr(unix_socket + 7, line.find_first_of(" \"", unix_socket) - unix_socket - 7);
      return;
    }
    const std::size_t at = line.find("127.0.0.1:");
    websocket_ =
        line.find("ws://") != std::string::npos || line.find("wss://") != std::string::npos;
    encrypted_ =
        line.find("mqtts://") != std::string::npos || line.find("wss://") != std::string::npos;
    if (at == std::string::npos)
      throw std::runtime_error("the daemon did not get ready:\n" + child_.output());
    port_ = static_cast<std::uint16_t>(std::stoul(line.substr(at + 10)));
  }

  ~DaemonHost() override {
    // A sanitizer's complaint, or a crash that no client noticed, shows in the exit status.
    const int status = child_.stop();
    if (status != 0) {
      std::cerr << child_.output();
      FAIL_CHECK("the daemon ended with status " << status);
    }
  }

 private:
  ChildProcess child_;
};

std::uint16_t free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  bind(fd, reinterpret_cast<sockaddr*>(&address), size);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  close(fd);
  return ntohs(address.sin_port);
}

class MosquittoHost final : public TcpHost {
 public:
  explicit MosquittoHost(std::uint16_t port)
      : child_({"/usr/sbin/mosquitto", "-p", std::to_string(port)}) {
    port_ = port;
    if (child_.wait_for_line("running").empty()) throw std::runtime_error("mosquitto does not run");
  }

 private:
  ChildProcess child_;
};

class ForeignHost final : public TcpHost {
 public:
  explicit ForeignHost(std::uint16_t port) { port_ = port; }
};

}  // namespace

std::unique_ptr<Host> make_daemon_host(const Setup& setup, unsigned shards,
                                       const std::string& program, const std::string& way) {
  static unsigned sockets = 0;
  std::string url = "mqtt://127.0.0.1:0";
  if (way == "tls") url = "mqtts://127.0.0.1:0";
  if (way == "ws") url = "ws://127.0.0.1:0/mqtt";
  if (way == "wss") url = "wss://127.0.0.1:0/mqtt";
  if (way == "unix") {
    url = "unix:///tmp/twinmq-conformance-" + std::to_string(getpid()) + "-" +
          std::to_string(++sockets) + ".sock";
  }
  std::vector<std::string> arguments = {program, "--listen", url};
  std::vector<std::pair<std::string, std::string>> settings = {
      {"storage.durability", "none"}, {"node.shards", std::to_string(shards)}};
  if (way == "tls" || way == "wss") {
    settings.emplace_back("listener.tls.certificate", certificates() + "/server.pem");
    settings.emplace_back("listener.tls.key", certificates() + "/server.key");
  }
  settings.insert(settings.end(), setup.settings.begin(), setup.settings.end());
  for (const auto& [key, value] : settings) {
    arguments.push_back("--set");
    arguments.push_back(key + "=" + value);
  }
  return std::make_unique<DaemonHost>(arguments);
}

std::unique_ptr<Host> make_mosquitto_host() {
  return std::make_unique<MosquittoHost>(free_port());
}

std::unique_ptr<Host> make_foreign_host(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos) throw std::runtime_error("not host:port: " + address);
  return std::make_unique<ForeignHost>(
      static_cast<std::uint16_t>(std::stoul(address.substr(colon + 1))));
}

}  // namespace twinmq::testing
