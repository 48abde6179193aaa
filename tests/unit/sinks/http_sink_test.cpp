#include "sinks/http_sink.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include <mutex>
#include <thread>

using namespace twinmq;
using namespace twinmq::sinks;

namespace {

// Answers each request with the next status, on a connection of its own.
class Server {
 public:
  explicit Server(std::vector<int> statuses) : statuses_(std::move(statuses)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    socklen_t size = sizeof address;
    REQUIRE(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    REQUIRE(::listen(listener_, 8) == 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() { end(); }
  void end() {
    if (thread_.joinable()) thread_.join();
    if (listener_ >= 0) ::close(std::exchange(listener_, -1));
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/in"; }
  std::vector<std::string> requests;

 private:
  void serve() {
    for (const int status : statuses_) {
      const int client = ::accept(listener_, nullptr, nullptr);
      std::string text;
      std::size_t wanted = std::string::npos;
      char bytes[4096];
      while (text.size() < wanted) {
        const ssize_t count = ::read(client, bytes, sizeof bytes);
        if (count <= 0) break;
        text.append(bytes, static_cast<std::size_t>(count));
        const std::size_t head = text.find("\r\n\r\n");
        const std::size_t length = text.find("Content-Length: ");
        if (head != std::string::npos && length != std::string::npos)
          wanted = head + 4 + std::stoul(text.substr(length + 16));
      }
      requests.push_back(text);
      const std::string elsewhere = status / 100 == 3 ? "Location: /admin\r\n" : "";
      const std::string answer = "HTTP/1.1 " + std::to_string(status) + " x\r\n" + elsewhere +
                                 "Content-Length: 4\r\nConnection: close\r\n\r\nsaid";
      (void)!::write(client, answer.data(), answer.size());
      ::close(client);
    }
  }

  std::vector<int> statuses_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

SinkEntry entry_of(const std::string& payload) {
  SinkEntry entry;
  entry.id = "id-" + payload;
  entry.payload = payload;
  return entry;
}

SinkVerdict deliver(HttpSinkOptions options, const std::vector<SinkEntry>& batch) {
  auto sink = HttpSink::open(std::move(options));
  REQUIRE(sink);
  return (*sink)->deliver(batch);
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("each entry is a request of its own, with its identifier and the configured headers") {
  Server server({200, 202});
  const auto verdict = deliver({.url = server.url(), .headers = {{"X-Plant", "a\r\nX-Evil: 1"}}},
                               {entry_of("1"), entry_of("2")});
  server.end();
  CHECK(verdict.kind == SinkVerdict::Kind::Delivered);
  CHECK(verdict.count == 2);
  CHECK(has(server.requests[0], "POST /in HTTP/1.1\r\n"));
  CHECK(has(server.requests[0], "Idempotency-Key: id-1\r\n"));
  CHECK(has(server.requests[0], "X-Plant: aX-Evil: 1\r\n"));
  CHECK(has(server.requests[0], "Content-Type: application/json\r\n"));
  CHECK(server.requests[1].ends_with("\r\n\r\n2"));
}

TEST_CASE("a batch goes as one array, or line by line") {
  using Body = HttpSinkOptions::Body;
  const auto [body, text] =
      GENERATE(table<Body, std::string>({{Body::Array, "[1,2]"}, {Body::Lines, "1\n2\n"}}));
  Server server({200});
  const auto verdict = deliver({.url = server.url(), .body = body}, {entry_of("1"), entry_of("2")});
  server.end();
  CHECK(verdict.count == 2);
  CHECK(server.requests[0].ends_with("\r\n\r\n" + text));
}

TEST_CASE("servers that are busy or broken are tried again, what they refuse is refused") {
  const auto [status, kind] = GENERATE(table<int, SinkVerdict::Kind>({
      {500, SinkVerdict::Kind::Retry},
      {503, SinkVerdict::Kind::Retry},
      {429, SinkVerdict::Kind::Retry},
      {400, SinkVerdict::Kind::Refused},
      {301, SinkVerdict::Kind::Refused},
  }));
  Server server({status});
  const auto verdict = deliver({.url = server.url()}, {entry_of("1")});
  CHECK(verdict.kind == kind);
  CHECK(verdict.count == 0);
  CHECK(verdict.why == "HTTP " + std::to_string(status) + ": said");
}

TEST_CASE("a request holds neighbours with the same address and headers, in their order") {
  Server server({200, 200, 200, 200});
  std::vector<SinkEntry> batch;
  for (const auto& [payload, path, plant, topic] :
       std::vector<std::tuple<std::string, std::string, std::string, std::string>>{
           {"1", "/a", "x", "t"},
           {"2", "/a", "x", "t"},
           {"3", "/b", "x", "t"},
           {"4", "/b", "y", "t"},
           {"5", "/b", "y", "u"}}) {
    batch.push_back(entry_of(payload));
    batch.back().url = server.url() + path;
    batch.back().headers = {{"X-Plant", plant}};
    batch.back().topic = topic;
  }
  const auto verdict = deliver(
      {.url = server.url(), .body = HttpSinkOptions::Body::Array, .one_topic = true}, batch);
  server.end();
  CHECK(verdict.count == 5);
  REQUIRE(server.requests.size() == 4);
  CHECK(server.requests[0].starts_with("POST /in/a "));
  CHECK(has(server.requests[0], "X-Plant: x\r\n"));
  CHECK(server.requests[0].ends_with("[1,2]"));
  CHECK(server.requests[1].starts_with("POST /in/b "));
  CHECK(server.requests[1].ends_with("[3]"));
  CHECK(has(server.requests[2], "X-Plant: y\r\n"));
  CHECK(server.requests[3].ends_with("[5]"));
}

TEST_CASE("an entry whose address is not admitted is refused, and those before it are delivered") {
  Server server({200});
  std::vector<SinkEntry> batch = {entry_of("1"), entry_of("2"), entry_of("3")};
  batch[1].url = server.url() + "/admin";
  const auto admit = [&](const std::string& url) {
    return url == server.url() ? Result<void>()
                               : Result<void>(Error{ErrorCode::InvalidArgument, "not there"});
  };
  const auto verdict = deliver({.url = server.url(), .admit = admit}, batch);
  server.end();
  CHECK(verdict.kind == SinkVerdict::Kind::Refused);
  CHECK(verdict.count == 1);
  CHECK(verdict.why == "not there");
}

TEST_CASE("a redirect is not followed, wherever it leads") {
  const int status = GENERATE(301, 302, 303, 307, 308);
  Server server({status});
  const auto verdict = deliver({.url = server.url()}, {entry_of("1")});
  server.end();
  CHECK(verdict.kind == SinkVerdict::Kind::Refused);
  CHECK(server.requests.size() == 1);
  CHECK(server.requests[0].starts_with("POST /in "));
}

TEST_CASE("of a batch that is refused the entry to blame is found") {
  Server server({400, 200, 400});
  const auto verdict = deliver({.url = server.url(), .body = HttpSinkOptions::Body::Array},
                               {entry_of("1"), entry_of("2"), entry_of("3")});
  CHECK(verdict.kind == SinkVerdict::Kind::Refused);
  CHECK(verdict.count == 1);
}

TEST_CASE("a compressed body says so and is shorter") {
  Server server({200});
  const std::string payload(10'000, 'x');
  const auto verdict = deliver({.url = server.url(), .gzip = true}, {entry_of(payload)});
  server.end();
  CHECK(verdict.kind == SinkVerdict::Kind::Delivered);
  CHECK(has(server.requests[0], "Content-Encoding: gzip\r\n"));
  const std::string body = server.requests[0].substr(server.requests[0].find("\r\n\r\n") + 4);
  CHECK(body.size() < 200);
  CHECK(body.starts_with("\x1f\x8b"));
}

TEST_CASE("a server that is not there, or an address that is none, is told") {
  const auto verdict = deliver({.url = "http://127.0.0.1:1/"}, {entry_of("1")});
  CHECK(verdict.kind == SinkVerdict::Kind::Retry);
  CHECK_FALSE(verdict.why.empty());
  CHECK_FALSE(HttpSink::open({.url = "file:///etc/passwd"}));
}
