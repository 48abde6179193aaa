#include <catch2/catch.hpp>

#include <string>

#include "net/listener_url.hpp"

namespace {

using namespace twinmq;
using namespace twinmq::net;

TEST_CASE("a listener url names host and port") {
  const auto plain = parse_listener_url("mqtt://example.org:1884");
  REQUIRE(plain.has_value());
  CHECK(plain->host == "example.org");
  CHECK(plain->port == 1884);
  CHECK(parse_listener_url("mqtt://[::1]:9")->host == "::1");
}

TEST_CASE("a Unix url is a path") {
  const auto file = parse_listener_url("unix:///run/twinmq/mqtt.sock");
  REQUIRE(file.has_value());
  CHECK(file->unix_socket());
  CHECK(file->path == "/run/twinmq/mqtt.sock");
  CHECK(file->loopback());
}

TEST_CASE("a listener url is written as it was read") {
  for (const char* url : {"mqtt://127.0.0.1:1883", "mqtt://[::1]:80", "unix:///run/a"}) {
    CHECK(parse_listener_url(url)->text() == url);
  }
}

TEST_CASE("what is no listener url is refused with a reason") {
  for (const std::string& bad :
       {std::string(""), std::string("tcp://a:1"), std::string("mqtt://a:70000"),
        std::string("mqtt://a:x"), std::string("mqtt://a:"), std::string("mqtt://a"),
        std::string("mqtt://:1883"), std::string("mqtt://::1:1883"), std::string("mqtt://[::1:1"),
        std::string("mqtt://a:1/path"), std::string("unix://relative"), std::string("unix:///"),
        std::string("unix:///directory/"), "unix:///" + std::string(200, 'x')}) {
    INFO(bad);
    const auto result = parse_listener_url(bad);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == ErrorCode::InvalidConfig);
    CHECK(result.error().detail.find("allowed:") != std::string::npos);
  }
}

}  // namespace
