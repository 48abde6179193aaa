#include <catch2/catch.hpp>

#include <string>
#include <string_view>

#include "net/http_request.hpp"

namespace {

using namespace twinmq;
using namespace twinmq::net;

/// The status of the fault that the text meets, in pieces of `step` bytes; 0: none.
int fault_of(std::string_view text, HttpLimits limits = {}, std::size_t step = 1'000'000) {
  HttpRequestReader reader(limits);
  for (std::size_t at = 0; at < text.size() && !reader.complete();) {
    const auto taken = reader.read(text.substr(at, step));
    if (!taken) return taken.error().status;
    at += *taken;
  }
  return 0;
}

TEST_CASE("a request is read whatever pieces it comes in") {
  const std::string_view text =
      "POST /things/a%20b/shadow?name=x HTTP/1.1\r\nHost: example.org\r\nX-List: one, Two\r\n"
      "x-list: three\r\nContent-Length: 5\r\n\r\nhelloGET";
  for (std::size_t step = 1; step <= text.size(); ++step) {
    HttpRequestReader reader;
    CHECK(reader.idle());
    std::size_t at = 0;
    while (!reader.complete()) {
      REQUIRE(at < text.size());
      const auto taken = reader.read(text.substr(at, step));
      REQUIRE(taken.has_value());
      at += *taken;
    }
    CHECK(text.substr(at) == "GET");
    CHECK(*reader.read("more") == 0);
    const HttpRequest request = reader.take();
    CHECK(request.method == "POST");
    CHECK(request.path() == "/things/a%20b/shadow");
    CHECK(request.query() == "name=x");
    CHECK(*request.header("HOST") == "example.org");
    CHECK(request.header("Absent") == nullptr);
    CHECK(request.count("X-List") == 2);
    CHECK(request.has_token("X-List", "two"));
    CHECK(request.has_token("X-List", "THREE"));
    CHECK_FALSE(request.has_token("X-List", "on"));
    CHECK(request.body == "hello");
    CHECK(request.keep_alive);
    CHECK_FALSE(request.upgrade);
    CHECK(reader.idle());
  }
}

TEST_CASE("requests follow one another on a connection") {
  HttpRequestReader reader;
  std::string_view text =
      "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  auto taken = reader.read(text);
  REQUIRE(taken.has_value());
  CHECK(reader.take().path() == "/1");
  text.remove_prefix(*taken);
  REQUIRE(*reader.read(text) == text.size());
  const HttpRequest second = reader.take();
  CHECK(second.path() == "/2");
  CHECK_FALSE(second.keep_alive);
}

TEST_CASE("a chunked body is put together, and fields behind it count for nothing") {
  HttpRequestReader reader;
  const std::string_view text =
      "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;note=x\r\nabc\r\n2\r\nde\r\n0\r\nHost: evil\r\n\r\n";
  REQUIRE(*reader.read(text) == text.size());
  REQUIRE(reader.complete());
  const HttpRequest request = reader.take();
  CHECK(request.body == "abcde");
  CHECK(request.count("Host") == 1);
}

TEST_CASE("an upgrade ends the HTTP part at the end of its head") {
  HttpRequestReader reader;
  const std::string_view head =
      "GET /mqtt HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
  const std::string text = std::string(head) + "\x82\x80not HTTP";
  REQUIRE(*reader.read(text) == head.size());
  REQUIRE(reader.complete());
  CHECK(reader.take().upgrade);
}

TEST_CASE("a client that waits before its body is seen waiting") {
  HttpRequestReader reader;
  REQUIRE(
      reader.read("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
                  "Expect: 100-continue\r\n\r\n"));
  CHECK(reader.wants_continue());
  REQUIRE(reader.read("ok"));
  CHECK_FALSE(reader.wants_continue());
  CHECK(reader.take().body == "ok");
}

TEST_CASE("what could be read in two ways is refused") {
  const char* const ambiguous[] = {
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3x\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n",
      "\x10\x0c\x00\x04MQTT",
  };
  for (const char* text : ambiguous) {
    INFO(text);
    CHECK(fault_of(text) == 400);
    CHECK(fault_of(text, {}, 1) == 400);
  }
  CHECK(fault_of("GET / HTTP/2.0\r\nHost: a\r\n\r\n") == 505);
}

TEST_CASE("every part of a request has its limit") {
  const HttpLimits limits{.head_bytes_max = 200, .headers_max = 3, .body_bytes_max = 10};
  const std::string long_text(300, 'x');
  CHECK(fault_of("GET /" + long_text, limits) == 414);
  CHECK(fault_of("GET / HTTP/1.1\r\nHost: a\r\nX: " + long_text, limits) == 431);
  CHECK(fault_of("GET / HTTP/1.1\r\nHost: a\r\n" + long_text, limits, 7) == 431);
  CHECK(fault_of("GET / HTTP/1.1\r\nHost: a\r\nb: 1\r\nc: 1\r\nd: 1\r\n\r\n", limits) == 431);
  CHECK(fault_of("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n", limits) == 413);
  CHECK(fault_of("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "b\r\n01234567890\r\n",
                 limits) == 413);
  CHECK(fault_of("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789", limits) ==
        0);
}

TEST_CASE("an answer says how long it is and whether another may follow") {
  HttpResponse response;
  response.headers = {{"Content-Type", "text/plain"}};
  response.body = "hello";
  response.keep_alive = true;
  CHECK(write_http(response) ==
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n"
        "Connection: keep-alive\r\n\r\nhello");
  const std::string refusal = write_http(http_refusal({403, "not here"}));
  CHECK(refusal.starts_with("HTTP/1.1 403 Forbidden\r\n"));
  CHECK(refusal.find("Connection: close") != std::string::npos);
  CHECK(refusal.ends_with("\r\n\r\nnot here\n"));
}

}  // namespace
