#include "net/http_server.hpp"

#include <catch2/catch.hpp>

#include <poll.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace {

using namespace twinmq;
using namespace twinmq::net;

struct Client {
  explicit Client(const std::string& url) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1))));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socket = Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
            0);
  }
  void send(std::string_view text) const {
    REQUIRE(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(text.size()));
  }
  Descriptor socket;
};

// A server on a port of its own; requests wait in `asked` unless `echo` answers them.
struct World {
  World() {
    HttpServer::Options options;
    options.request.body_bytes_max = 100;
    auto made = HttpServer::create(
        options, counters, limits,
        [this](HttpExchange exchange, HttpRequest request, const HttpPeer& peer) {
          asked.push_back(exchange);
          requests.push_back(request);
          last_peer = peer;
          if (echo) answer(exchange, request.method + " " + request.target + " " + request.body);
        });
    REQUIRE(made.has_value());
    server = std::move(*made);
    auto opened = Listener::open({"mqtt://127.0.0.1:0", "front"});
    REQUIRE(opened.has_value());
    listener = std::move(*opened);
    server->turn(now);
  }
  Client connect() {
    Client client(listener->url());
    const int accepted = ::accept4(listener->sockets().front().get(), nullptr, nullptr,
                                   SOCK_NONBLOCK | SOCK_CLOEXEC);
    REQUIRE(accepted >= 0);
    listener->connections().enter_anyway();
    limits.total.enter_anyway();
    server->accept(Descriptor(accepted), *listener, {"127.0.0.1:4242", ""});
    return client;
  }
  void answer(HttpExchange exchange, const std::string& body) {
    HttpResponse response;
    response.body = body;
    response.keep_alive = true;
    server->answer(exchange, response);
  }
  // Turns until the client has as much text, or the end of the stream.
  std::string read(const Client& client, std::string_view until) {
    std::string all;
    for (int i = 0; i < 2000; ++i) {
      server->turn(now);
      char buffer[4096];
      const ssize_t taken = ::recv(client.socket.get(), buffer, sizeof buffer, MSG_DONTWAIT);
      if (taken == 0) return all + "<end>";
      if (taken > 0) all.append(buffer, static_cast<std::size_t>(taken));
      if (!until.empty() && all.find(until) != all.npos) return all;
      pollfd wait{server->fd(), POLLIN, 0};
      ::poll(&wait, 1, 1);
    }
    return all + "<nothing>";
  }

  base::Counters counters;
  ConnectionLimits limits{100, 100};
  std::unique_ptr<Listener> listener;
  std::vector<HttpExchange> asked;
  std::vector<HttpRequest> requests;
  HttpPeer last_peer;
  bool echo = true;
  Instant now{Milliseconds(1'000'000)};
  std::unique_ptr<HttpServer> server;
};

TEST_CASE("a request is answered and the connection lives on") {
  World world;
  const Client client = world.connect();
  client.send("GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(world.read(client, "GET /a?b ").starts_with("HTTP/1.1 200 "));
  CHECK(world.last_peer.address == "127.0.0.1:4242");
  CHECK(world.last_peer.listener == "front");
  client.send("POST /c HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
  CHECK(world.read(client, "POST /c hello").find("Content-Length: 13") != std::string::npos);
  CHECK(world.server->open() == 1);
}

TEST_CASE("pipelined requests are answered one after the other in their order") {
  World world;
  world.echo = false;
  const Client client = world.connect();
  client.send(
      "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\nGET /3 "
      "HTTP/1.1\r\nHost: x\r\n\r\n");
  for (int i = 0; i < 100 && world.asked.empty(); ++i) {
    pollfd wait{world.server->fd(), POLLIN, 0};
    ::poll(&wait, 1, 100);
    world.server->turn(world.now);
  }
  CHECK(world.asked.size() == 1);
  world.answer(world.asked[0], "one");
  CHECK(world.read(client, "one").find("two") == std::string::npos);
  REQUIRE(world.asked.size() == 2);
  world.answer(world.asked[1], "two");
  world.read(client, "two");
  REQUIRE(world.asked.size() == 3);
  CHECK(world.requests[2].target == "/3");
  world.answer(world.asked[2], "three");
  world.read(client, "three");
}

TEST_CASE("a client that asks for the end gets it after its answer") {
  World world;
  const Client client = world.connect();
  client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  CHECK(world.read(client, "").ends_with("<end>"));
  CHECK(world.server->open() == 0);
  CHECK(world.limits.total.now() == 0);
}

TEST_CASE("what is no request is refused and the connection ends") {
  World world;
  const Client client = world.connect();
  client.send("nonsense\r\n\r\n");
  const std::string answer = world.read(client, "");
  CHECK(answer.starts_with("HTTP/1.1 400 "));
  CHECK(answer.ends_with("<end>"));
  CHECK(world.asked.empty());
}

TEST_CASE("a body above the limit is refused with 413") {
  World world;
  const Client client = world.connect();
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n");
  CHECK(world.read(client, "").starts_with("HTTP/1.1 413 "));
}

TEST_CASE("a client that waits for permission to send its body gets it") {
  World world;
  const Client client = world.connect();
  client.send("POST /p HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  CHECK(world.read(client, "100 Continue").starts_with("HTTP/1.1 100 Continue\r\n\r\n"));
  client.send("ok");
  world.read(client, "POST /p ok");
}

TEST_CASE("a HEAD is told the length and no body") {
  World world;
  const Client client = world.connect();
  client.send("HEAD /h HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string answer = world.read(client, "\r\n\r\n");
  CHECK(answer.find("Content-Length: 8") != std::string::npos);
  CHECK(answer.ends_with("\r\n\r\n"));
}

TEST_CASE("slow requests and idle connections end in their time") {
  World world;
  const Client slow = world.connect();
  const Client slow_body = world.connect();
  const Client idle = world.connect();
  slow.send("GET / HT");
  slow_body.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf");
  for (int i = 0; i < 50; ++i) {
    pollfd wait{world.server->fd(), POLLIN, 0};
    ::poll(&wait, 1, 1);
    world.server->turn(world.now);
  }
  CHECK(world.server->open() == 3);
  world.now += Milliseconds(11'000);
  CHECK(world.read(slow, "").starts_with("HTTP/1.1 408 "));
  CHECK(world.read(slow_body, "").starts_with("HTTP/1.1 408 "));
  CHECK(world.server->open() == 1);
  world.now += Milliseconds(61'000);
  CHECK(world.read(idle, "") == "<end>");
  CHECK(world.server->open() == 0);
  world.now += Milliseconds(5'000);
  world.server->turn(world.now);
  CHECK(world.server->next_deadline() == kNever);
}

TEST_CASE("an answer to a client that has gone finds nobody") {
  World world;
  world.echo = false;
  {
    const Client client = world.connect();
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < 100 && world.asked.empty(); ++i) {
      pollfd wait{world.server->fd(), POLLIN, 0};
      ::poll(&wait, 1, 100);
      world.server->turn(world.now);
    }
  }
  REQUIRE(world.asked.size() == 1);
  world.answer(world.asked[0], "late");
  for (int i = 0; i < 100 && world.server->open() > 0; ++i) {
    pollfd wait{world.server->fd(), POLLIN, 0};
    ::poll(&wait, 1, 10);
    world.server->turn(world.now);
  }
  CHECK(world.server->open() == 0);
}

}  // namespace
