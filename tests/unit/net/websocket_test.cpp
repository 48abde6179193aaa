#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <string_view>

#include "net/websocket.hpp"

namespace {

using namespace twinmq;
using namespace twinmq::net;

const std::string kOpening =
    "GET /mqtt HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Protocol: mqtt\r\n";

std::string frame(unsigned first, const std::string& payload) {
  std::string out(1, static_cast<char>(first));
  if (payload.size() < 126) {
    out += static_cast<char>(0x80 | payload.size());
  } else {
    out += '\xFE';
    out += static_cast<char>(payload.size() >> 8);
    out += static_cast<char>(payload.size());
  }
  const std::string key = "\x12\xab\x34\xcd";
  out += key;
  for (std::size_t i = 0; i < payload.size(); ++i)
    out += static_cast<char>(payload[i] ^ key[i % 4]);
  return out;
}

struct Served {
  explicit Served(WebSocketOptions options = {}, std::string_view peer = "203.0.113.1:1")
      : filter(std::make_shared<WebSocketOptions>(std::move(options)), peer) {}

  void feed(std::string_view bytes, std::size_t step = 1'000'000) {
    for (std::size_t at = 0; at < bytes.size(); at += step)
      filter.receive(bytes_of(bytes.substr(at, step)), up, down);
  }
  void open() {
    feed(kOpening + "\r\n");
    REQUIRE(filter.state() == FilterState::Open);
    down.clear();
  }
  std::string taken(ByteBuffer& from) {
    std::string text(text_of(from.view()));
    from.clear();
    return text;
  }

  WebSocketFilter filter;
  ByteBuffer up;
  ByteBuffer down;
};

/// The close code that the bytes meet, or 0.
unsigned close_code(const std::string& bytes, WebSocketOptions options = {}) {
  Served served(std::move(options));
  served.open();
  served.feed(bytes);
  const std::string said = served.taken(served.down);
  if (served.filter.state() != FilterState::Failed) return 0;
  CHECK_FALSE(served.filter.error().empty());
  REQUIRE(said.size() >= 4);
  CHECK(said[0] == '\x88');
  return static_cast<unsigned char>(said[2]) * 256u + static_cast<unsigned char>(said[3]);
}

TEST_CASE("a handshake and frames pass in pieces of any size") {
  const std::string large(1000, 'x');
  const std::string stream = kOpening + "\r\n" + frame(0x82, "hello") + frame(0x02, "frag") +
                             frame(0x89, "ping") + frame(0x00, "") + frame(0x80, "ment") +
                             frame(0x8A, "unasked") + frame(0x82, large);
  for (std::size_t step : {1u, 2u, 3u, 5u, 7u, 16u, 100u, 100'000u}) {
    INFO(step);
    Served served;
    served.feed(stream, step);
    CHECK(served.filter.state() == FilterState::Open);
    CHECK(served.taken(served.up) == "hellofragment" + large);
    const std::string said = served.taken(served.down);
    CHECK(said.starts_with("HTTP/1.1 101 "));
    CHECK(said.ends_with("\r\n\r\n\x8A\x04ping"));
  }
}

TEST_CASE("one turn's output is one binary frame, however many parts it has") {
  Served served;
  served.open();
  std::string one = "one";
  std::string two(200, '2');
  const iovec parts[] = {{one.data(), one.size()}, {two.data(), two.size()}};
  served.filter.send(parts, served.down);
  CHECK(served.taken(served.down) == std::string("\x82\x7E\x00\xCB", 4) + one + two);
  served.filter.send({}, served.down);
  CHECK(served.down.empty());
}

TEST_CASE("a flood of pings is answered once for the bytes at hand") {
  Served served;
  served.open();
  std::string flood;
  for (int i = 0; i < 1000; ++i) flood += frame(0x89, "ping" + std::to_string(i));
  served.feed(flood);
  CHECK(served.taken(served.down) == "\x8A\x07ping999");
}

TEST_CASE("a close frame is answered with its code, and what came before it counts") {
  Served served;
  served.open();
  served.feed(frame(0x82, "last") + frame(0x88, "\x03\xE9going") + frame(0x82, "too late"));
  CHECK(served.filter.state() == FilterState::Ended);
  CHECK(served.taken(served.up) == "last");
  CHECK(served.taken(served.down) == std::string("\x88\x02\x03\xE9"));
  Served silent;
  silent.open();
  silent.feed(frame(0x88, ""));
  CHECK(silent.taken(silent.down) == std::string("\x88\x02\x03\xE8"));
}

TEST_CASE("our own goodbye is a close frame, and nothing follows it") {
  Served served;
  served.open();
  served.filter.end(served.down);
  CHECK(served.taken(served.down) == std::string("\x88\x02\x03\xE8"));
  std::string more = "more";
  const iovec part{more.data(), more.size()};
  served.filter.send({&part, 1}, served.down);
  served.filter.end(served.down);
  CHECK(served.down.empty());
}

TEST_CASE("every misdeed has its close code") {
  CHECK(close_code(frame(0x81, "text")) == 1003);  // [MQTT-6.0.0-1]
  CHECK(close_code(frame(0x80, "continues nothing")) == 1002);
  CHECK(close_code(frame(0x02, "begun") + frame(0x82, "another")) == 1002);
  CHECK(close_code(frame(0x09, "fragmented ping")) == 1002);
  CHECK(close_code(frame(0xC2, "compressed")) == 1002);
  CHECK(close_code(frame(0x83, "undefined")) == 1002);
  CHECK(close_code(std::string("\x82\x05hello", 7)) == 1002);
  CHECK(close_code(std::string("\x82\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF....", 14)) == 1002);
  CHECK(close_code(std::string("\x82\xFF\x00\x00\x00\xFF\x00\x00\x00\x00....", 14)) == 1009);
  CHECK(close_code(frame(0x88, "x")) == 1002);
  CHECK(close_code(frame(0x88, "\x03\xED")) == 1002);  // 1005 may not be sent
  CHECK(close_code(frame(0x88, "\x03\xE8\xFF\xFE")) == 1007);
  CHECK(close_code(frame(0x88, std::string("\x03\xE8\xC0\x80"))) == 1007);
  WebSocketOptions small;
  small.frame_bytes_max = 125;
  CHECK(close_code(frame(0x82, std::string(126, 'x')), small) == 1009);
  CHECK(close_code(frame(0x82, std::string(125, 'x')), small) == 0);
}

TEST_CASE("a handshake that is too large, or none at all, is refused in HTTP") {
  Served large;
  large.feed(kOpening + "X: " + std::string(1 << 20, 'x'), 4096);
  CHECK(large.filter.state() == FilterState::Failed);
  CHECK(large.taken(large.down).starts_with("HTTP/1.1 431 "));
  CHECK(large.up.empty());
  Served mqtt;
  mqtt.feed(std::string("\x10\x0c\x00\x04MQTT\x05\x02\x00\x00", 12));
  CHECK(mqtt.filter.state() == FilterState::Failed);
  CHECK(mqtt.taken(mqtt.down).starts_with("HTTP/1.1 400 "));
  Served body;
  body.feed(kOpening + "Content-Length: 1\r\n\r\nx");
  CHECK(body.filter.state() == FilterState::Failed);
}

TEST_CASE("a forwarded address is believed of trusted proxies alone") {
  const std::vector<std::string> entries{"10.0.0.0/8"};
  for (const bool trusted : {true, false}) {
    WebSocketOptions options;
    options.trusted_proxies = *AddressList::parse(entries);
    Served served(options, trusted ? "10.0.0.1:80" : "11.0.0.1:80");
    served.feed(kOpening + "X-Forwarded-For: 203.0.113.9\r\n\r\n");
    ConnectionFacts facts;
    served.filter.tell(facts);
    CHECK(facts.peer == (trusted ? "203.0.113.9" : ""));
  }
}

TEST_CASE("an open WebSocket keeps no memory of its handshake") {
  Served served;
  CHECK(served.filter.memory() > 1000);
  served.open();
  CHECK(served.filter.memory() < 100);
}

}  // namespace
