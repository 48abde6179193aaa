#include <catch2/catch.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "net/listener.hpp"
#include "net/proxy_protocol.hpp"
#include "unit/net/certificates.hpp"

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
  explicit Accepting(std::uint32_t total_max = 100, std::uint32_t listener_max = 0,
                     Listener::Options options = {.url = "mqtt://127.0.0.1:0", .name = "main"})
      : limits(total_max, 1) {
    options.connections_max = listener_max;
    auto made = EventLoop::create(EventLoop::Driver::OwnThread);
    REQUIRE(made.has_value());
    loop = std::move(*made);
    auto opened = Listener::open(options);
    REQUIRE(opened.has_value());
    listener = std::move(*opened);
    acceptor = std::make_unique<Acceptor>(
        *loop, limits, Tag{7},
        Acceptor::Hooks{[this](Descriptor socket, Listener&, Caller caller) {
                          if (meanwhile) meanwhile();
                          sockets.push_back(std::move(socket));
                          peers.push_back(std::move(caller.address));
                          users.push_back(std::move(caller.user));
                          places.push_back(std::move(caller.place));
                        },
                        [this](const Listener&) { ++refused; },
                        [this](bool now_paused, std::string_view) { paused = now_paused; }});
    acceptor->start({listener.get()});
  }
  void work(int patience = 1000) {
    for (const epoll_event& event : loop->wait(patience)) acceptor->on_event(event.data.u64);
  }

  ConnectionLimits limits;
  std::unique_ptr<EventLoop> loop;
  std::unique_ptr<Listener> listener;
  std::unique_ptr<Acceptor> acceptor;
  std::function<void()> meanwhile;  ///< while one is accepted
  std::vector<Descriptor> sockets;
  std::vector<AddressCount::Place> places;
  std::vector<std::string> peers;
  std::vector<std::string> users;
  int refused = 0;
  bool paused = false;
};

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
    CHECK(each->limits.total.now() == 1);
  }
}

TEST_CASE("an address has as many connections as it may, until one of them ends") {
  Accepting accepting;
  accepting.limits.addresses.set_max(2);
  const Descriptor first = dial(accepting.listener->url());
  const Descriptor second = dial(accepting.listener->url());
  const Descriptor third = dial(accepting.listener->url());
  while (accepting.refused == 0) accepting.work();
  CHECK(accepting.sockets.size() == 2);
  CHECK(closed_by_peer(third));
  CHECK(accepting.limits.total.now() == 2);
  accepting.places.pop_back();
  const Descriptor fourth = dial(accepting.listener->url());
  while (accepting.sockets.size() < 3) accepting.work();
  CHECK(accepting.refused == 1);
}

TEST_CASE("a proxy may have more connections than an address") {
  Accepting accepting;
  accepting.limits.addresses.set_max(1);
  auto proxy = std::make_shared<ProxyOptions>();
  const std::string trusted[] = {"127.0.0.1"};
  proxy->trusted = *AddressList::parse(trusted);
  auto transport = std::make_shared<Transport>();
  transport->proxy = proxy;
  accepting.listener->set_transport(transport);
  const Descriptor first = dial(accepting.listener->url());
  const Descriptor second = dial(accepting.listener->url());
  while (accepting.sockets.size() < 2) accepting.work();
  CHECK(accepting.refused == 0);
  CHECK(accepting.limits.addresses.addresses() == 0);
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

/// A directory of its own, removed with what is in it.
struct Folder {
  Folder() {
    char name[] = "/tmp/twinmq-listener-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path;
};

Descriptor dial_file(const std::string& path) {
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  path.copy(to.sun_path, sizeof to.sun_path - 1);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
    socket.close();
  return socket;
}

TEST_CASE("a Unix socket has the mode asked for and disappears with its listener") {
  const Folder folder;
  const std::string path = folder.path + "/mqtt.sock";
  {
    const auto listener = Listener::open({.url = "unix://" + path, .unix_mode = 0600});
    REQUIRE(listener.has_value());
    CHECK((*listener)->url() == "unix://" + path);
    struct stat made {};
    REQUIRE(::stat(path.c_str(), &made) == 0);
    CHECK((made.st_mode & 07777) == 0600);
    CHECK(dial_file(path));
  }
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("a socket file that nobody listens on is replaced, one in use is not") {
  const Folder folder;
  const std::string path = folder.path + "/mqtt.sock";
  const std::string url = "unix://" + path;
  {
    // What a killed process leaves behind.
    const Descriptor gone(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(gone.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  const auto first = Listener::open({.url = url});
  REQUIRE(first.has_value());
  const auto second = Listener::open({.url = url});
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().code == ErrorCode::AddressInUse);
  CHECK(dial_file(path));
}

TEST_CASE("a file that is no socket is left alone") {
  const Folder folder;
  const std::string path = folder.path + "/precious";
  std::ofstream(path) << "content";
  REQUIRE_FALSE(Listener::open({.url = "unix://" + path}).has_value());
  CHECK(std::filesystem::file_size(path) == 7);
}

TEST_CASE("an owner that this machine does not know is refused by name") {
  const Folder folder;
  const auto listener =
      Listener::open({.url = "unix://" + folder.path + "/s", .unix_owner = "no-such-user"});
  REQUIRE_FALSE(listener.has_value());
  CHECK(listener.error().detail.find("no-such-user") != std::string::npos);
}

TEST_CASE("a client of a Unix socket is known by its user and process") {
  const Folder folder;
  Accepting accepting(100, 0, {.url = "unix://" + folder.path + "/s", .unix_identity = true});
  const Descriptor client = dial_file(folder.path + "/s");
  REQUIRE(client);
  accepting.work();
  REQUIRE(accepting.peers.size() == 1);
  CHECK(accepting.peers[0] ==
        "unix:" + std::to_string(::getuid()) + ":" + std::to_string(::getpid()));
  CHECK_FALSE(accepting.users[0].empty());
}

TEST_CASE(
    "while as many handshakes are under way as may be, clients of filtered listeners wait in the "
    "backlog") {
  Accepting accepting;
  auto transport = std::make_shared<Transport>();
  transport->tls = tls_server();
  accepting.listener->set_transport(transport);
  accepting.limits.handshakes.enter_anyway();
  const Descriptor client = dial(accepting.listener->url());
  accepting.work();
  CHECK(accepting.sockets.empty());
  CHECK(accepting.loop->wait(0).empty());
  CHECK(accepting.acceptor->next_deadline() < kNever);
  accepting.acceptor->on_time(Instant(Milliseconds(10)));
  CHECK(accepting.loop->wait(0).empty());
  accepting.limits.handshakes.leave();
  accepting.acceptor->on_time(Instant(Milliseconds(20)));
  accepting.work();
  CHECK(accepting.sockets.size() == 1);
  CHECK(accepting.refused == 0);
}

TEST_CASE("the last place for a handshake is not given to two clients by two shards at once") {
  Accepting accepting;
  auto transport = std::make_shared<Transport>();
  transport->tls = tls_server();
  accepting.listener->set_transport(transport);
  const Descriptor first = dial(accepting.listener->url());
  const Descriptor second = dial(accepting.listener->url());
  int other_accepted = 0;
  Acceptor other(*accepting.loop, accepting.limits, Tag{1'000},
                 {[&](Descriptor, Listener&, Caller) { ++other_accepted; }, [](const Listener&) {},
                  [](bool, std::string_view) {}});
  // As another shard would, between what the first one counts and what it does.
  accepting.meanwhile = [&] {
    other.start({accepting.listener.get()});
    other.on_event(Tag{1'000});
    accepting.limits.handshakes.enter_anyway();  // the handshake begins
  };
  accepting.work();
  CHECK(accepting.sockets.size() == 1);
  CHECK(other_accepted == 0);
  CHECK(accepting.limits.handshakes.now() == 1);
  accepting.limits.handshakes.leave();
  accepting.meanwhile = nullptr;
  other.on_time(Instant(Milliseconds(100)));
  other.on_event(Tag{1'000});
  CHECK(other_accepted == 1);
  CHECK(accepting.limits.handshakes.now() == 0);
}

}  // namespace
