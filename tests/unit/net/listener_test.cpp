#include <catch2/catch.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "net/listener.hpp"

namespace {

using namespace twinmq;
using namespace twinmq::net;

Descriptor dial(const std::string& url) {
  const auto address = parse_listener_url(url);
  REQUIRE(address.has_value());
  Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(address->port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
  return socket;
}

bool closed_by_peer(const Descriptor& socket) {
  char byte = 0;
  return ::recv(socket.get(), &byte, 1, 0) <= 0;
}

struct Accepting {
  explicit Accepting(std::uint32_t total_max = 100, std::uint32_t listener_max = 0)
      : total(total_max) {
    auto made = EventLoop::create(EventLoop::Driver::OwnThread);
    REQUIRE(made.has_value());
    loop = std::move(*made);
    auto opened = Listener::open({"mqtt://127.0.0.1:0", "main", listener_max});
    REQUIRE(opened.has_value());
    listener = std::move(*opened);
    acceptor = std::make_unique<Acceptor>(
        *loop, total, Tag{7},
        Acceptor::Hooks{[this](Descriptor socket, Listener&, std::string peer) {
                          sockets.push_back(std::move(socket));
                          peers.push_back(std::move(peer));
                        },
                        [this](const Listener&) { ++refused; },
                        [this](bool now_paused, std::string_view) { paused = now_paused; }});
    acceptor->start({listener.get()});
  }
  void work(int patience = 1000) {
    for (const epoll_event& event : loop->wait(patience)) acceptor->on_event(event.data.u64);
  }

  ConnectionCount total;
  std::unique_ptr<EventLoop> loop;
  std::unique_ptr<Listener> listener;
  std::unique_ptr<Acceptor> acceptor;
  std::vector<Descriptor> sockets;
  std::vector<std::string> peers;
  int refused = 0;
  bool paused = false;
};

TEST_CASE("a listener url names host and port") {
  const auto plain = parse_listener_url("mqtt://example.org:1884");
  REQUIRE(plain.has_value());
  CHECK(plain->host == "example.org");
  CHECK(plain->port == 1884);
  CHECK(parse_listener_url("mqtt://127.0.0.1")->port == 1883);
  CHECK(parse_listener_url("mqtt://[::1]:9")->host == "::1");
  CHECK(parse_listener_url("mqtt://:1883")->host.empty());
  for (const char* bad : {"", "tcp://a:1", "mqtt://a:70000", "mqtt://a:x",
                          "mqtt://a:", "mqtt://::1:1883", "mqtt://[::1:1"}) {
    INFO(bad);
    const auto result = parse_listener_url(bad);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == ErrorCode::InvalidConfig);
  }
}

TEST_CASE("port 0 picks a free port and tells which") {
  const auto listener = Listener::open({"mqtt://127.0.0.1:0", "", 0});
  REQUIRE(listener.has_value());
  const auto bound = parse_listener_url((*listener)->url());
  REQUIRE(bound.has_value());
  CHECK(bound->port != 0);
  CHECK((*listener)->name() == (*listener)->url());
}

TEST_CASE("a taken address is told as such") {
  const auto first = Listener::open({"mqtt://127.0.0.1:0", "", 0});
  REQUIRE(first.has_value());
  const auto second = Listener::open({(*first)->url(), "", 0});
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().code == ErrorCode::AddressInUse);
}

TEST_CASE("a connection beyond a limit is accepted and closed at once") {
  Accepting by_listener(100, 1);
  Accepting by_total(1, 0);
  for (Accepting* each : {&by_listener, &by_total}) {
    const Descriptor first = dial(each->listener->url());
    const Descriptor second = dial(each->listener->url());
    while (each->refused == 0) each->work();
    CHECK(each->sockets.size() == 1);
    CHECK(each->peers.front().starts_with("127.0.0.1:"));
    CHECK(each->refused == 1);
    CHECK(closed_by_peer(second));
    CHECK(each->total.now() == 1);
  }
}

TEST_CASE("without free descriptors accepting pauses, a client is told, and it goes on later") {
  Accepting accepting;
  const Descriptor one = dial(accepting.listener->url());
  const Descriptor two = dial(accepting.listener->url());

  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit none = before;
  none.rlim_cur = 3;
  ::setrlimit(RLIMIT_NOFILE, &none);
  accepting.acceptor->set_now(Instant(Milliseconds(1000)));
  accepting.work();
  ::setrlimit(RLIMIT_NOFILE, &before);

  CHECK(accepting.paused);
  CHECK(accepting.sockets.empty());
  const Instant retry = accepting.acceptor->next_deadline();
  CHECK(retry > Instant(Milliseconds(1000)));
  CHECK(accepting.loop->wait(0).empty());
  accepting.acceptor->on_time(retry);
  CHECK_FALSE(accepting.paused);
  CHECK(accepting.acceptor->next_deadline() == kNever);
  accepting.work();
  CHECK(accepting.sockets.size() + static_cast<std::size_t>(accepting.refused) == 2);
}

}  // namespace
