#include <catch2/catch.hpp>

#include <string>
#include <utility>
#include <vector>

#include "net/websocket_handshake.hpp"

namespace {

using namespace twinmq;
using namespace twinmq::net;

HttpRequest opening() {
  HttpRequest request;
  request.method = "GET";
  request.target = "/mqtt";
  request.headers = {{"Host", "a"},
                     {"Upgrade", "websocket"},
                     {"Connection", "keep-alive, Upgrade"},
                     {"Sec-WebSocket-Version", "13"},
                     {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
                     {"Sec-WebSocket-Protocol", "mqtt"}};
  return request;
}

HttpRequest without(std::string_view name) {
  HttpRequest request = opening();
  std::erase_if(request.headers,
                [name](const HttpHeader& each) { return same_word(each.name, name); });
  return request;
}

HttpRequest with(std::string name, std::string value) {
  HttpRequest request = without(name);
  request.headers.push_back({std::move(name), std::move(value)});
  return request;
}

HttpRequest twice(std::string name, std::string value) {
  HttpRequest request = opening();
  request.headers.push_back({std::move(name), std::move(value)});
  return request;
}

WebSocketOptions at_path(std::string path) {
  WebSocketOptions options;
  options.path = std::move(path);
  return options;
}

/// "101", "400 …"
std::string status(const HttpRequest& request, const WebSocketOptions& options = {}) {
  const WebSocketAnswer answer = answer_upgrade(request, options);
  CHECK(answer.accepted == answer.refusal.empty());
  CHECK(answer.response.starts_with("HTTP/1.1 "));
  return answer.response.substr(9, 3);
}

TEST_CASE("the example of RFC 6455 is accepted with its answer") {
  CHECK(websocket_accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  const WebSocketAnswer answer = answer_upgrade(opening(), at_path("/mqtt"));
  REQUIRE(answer.accepted);
  CHECK(
      answer.response ==
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n");
}

TEST_CASE("the client's first known subprotocol is agreed on [MQTT-6.0.0-3] [MQTT-6.0.0-4]") {
  const auto agreed = [](const std::string& offered) {
    const WebSocketAnswer answer = answer_upgrade(with("Sec-WebSocket-Protocol", offered), {});
    return answer.response.find("Sec-WebSocket-Protocol: mqttv3.1\r\n") != std::string::npos
               ? "mqttv3.1"
           : answer.accepted ? "mqtt"
                             : "";
  };
  CHECK(agreed("chat, mqttv3.1, mqtt") == std::string("mqttv3.1"));
  CHECK(agreed("mqtt,mqttv3.1") == std::string("mqtt"));
  CHECK(agreed("chat") == std::string());
  CHECK(agreed("MQTT") == std::string());
}

TEST_CASE("a request that does not open a WebSocket gets a clear answer") {
  CHECK(status(opening(), at_path("/other")) == "404");
  HttpRequest queried = opening();
  queried.target = "/mqtt?token=1";
  CHECK(status(queried, at_path("/mqtt")) == "101");
  HttpRequest post = opening();
  post.method = "POST";
  CHECK(status(post) == "405");
  HttpRequest old = opening();
  old.minor = 0;
  CHECK(status(old) == "505");
  CHECK(status(without("Upgrade")) == "426");
  CHECK(status(without("Connection")) == "426");
  CHECK(status(without("Sec-WebSocket-Key")) == "400");
  CHECK(status(twice("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")) == "400");
  CHECK(status(with("Sec-WebSocket-Key", "short")) == "400");
  CHECK(status(with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j*Q==")) == "400");
  CHECK(status(without("Sec-WebSocket-Protocol")) == "400");
}

TEST_CASE("another version is told which one is spoken") {
  for (const HttpRequest& request :
       {with("Sec-WebSocket-Version", "8"), without("Sec-WebSocket-Version"),
        twice("Sec-WebSocket-Version", "13")}) {
    const WebSocketAnswer answer = answer_upgrade(request, {});
    CHECK_FALSE(answer.accepted);
    CHECK(answer.response.starts_with("HTTP/1.1 426 "));
    CHECK(answer.response.find("Sec-WebSocket-Version: 13\r\n") != std::string::npos);
  }
}

TEST_CASE("pages of other origins are kept out, programs without origin are not") {
  WebSocketOptions options;
  options.origins = {"https://plant.example"};
  CHECK(status(with("Origin", "https://plant.example"), options) == "101");
  CHECK(status(with("Origin", "HTTPS://Plant.Example"), options) == "101");
  CHECK(status(with("Origin", "https://evil.example"), options) == "403");
  CHECK(status(with("Origin", "https://plant.example.evil.example"), options) == "403");
  CHECK(status(with("Origin", "null"), options) == "403");
  CHECK(status(opening(), options) == "101");
  CHECK(status(with("Origin", "https://evil.example")) == "101");
}

TEST_CASE("compression is never agreed on") {
  const WebSocketAnswer answer =
      answer_upgrade(with("Sec-WebSocket-Extensions", "permessage-deflate"), {});
  CHECK(answer.accepted);
  CHECK(answer.response.find("Sec-WebSocket-Extensions") == std::string::npos);
}

TEST_CASE("of forwarded addresses the last untrusted one is the client") {
  const std::vector<std::string> entries{"10.0.0.0/8"};
  const auto trusted = AddressList::parse(entries);
  const auto client = [&](const std::string& list) {
    return forwarded_for(with("X-Forwarded-For", list), *trusted);
  };
  CHECK(client("203.0.113.5") == "203.0.113.5");
  CHECK(client("203.0.113.5, 10.0.0.1") == "203.0.113.5");
  CHECK(client("198.51.100.1, 203.0.113.5, 10.0.0.1") == "203.0.113.5");
  CHECK(client("203.0.113.5, nonsense") == "");
  CHECK(client("10.0.0.2, 10.0.0.1") == "10.0.0.2");
  CHECK(forwarded_for(opening(), *trusted) == "");
  HttpRequest two = with("X-Forwarded-For", "203.0.113.5");
  two.headers.push_back({"x-forwarded-for", "10.0.0.1"});
  CHECK(forwarded_for(two, *trusted) == "203.0.113.5");
}

}  // namespace
