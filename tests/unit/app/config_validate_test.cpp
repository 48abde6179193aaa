#include "app/config_validate.hpp"

#include <catch2/catch.hpp>

#include <twinmq/config_file.hpp>

#include "net/listener_url.hpp"

using namespace twinmq;
using namespace twinmq::app;
using Catch::Contains;

namespace {

Config with_listener(std::string url) {
  Config config;
  config.listeners.push_back({.url = std::move(url)});
  return config;
}

}  // namespace

TEST_CASE("a Config as it is made is sound, with or without the daemon's defaults") {
  CHECK(Config().validate().empty());
  CHECK(daemon_defaults().validate().empty());
}

TEST_CASE("a field out of its range is named with what is allowed") {
  Config config;
  config.mqtt.qos_max = 3;
  config.mqtt.receive_maximum = 0;
  const auto errors = config.validate();
  REQUIRE(errors.size() == 2);
  CHECK(errors[0].code == ErrorCode::InvalidConfig);
  CHECK(errors[0].detail == "mqtt.receive_maximum: found 0, allowed: an integer from 1 to 65535");
  CHECK(errors[1].detail == "mqtt.qos_max: found 3, allowed: an integer from 0 to 2");
}

TEST_CASE("an address that others can reach demands a word on who may connect") {
  for (const char* url : {"mqtt://0.0.0.0:1883", "mqtt://[::]:1883", "mqtt://192.168.1.2:1883",
                          "mqtt://gateway:1883", "mqtt://127.0.0.1.example.org:1883"}) {
    INFO(url);
    Config config = with_listener(url);
    REQUIRE(config.validate().size() == 1);
    CHECK_THAT(config.validate()[0].detail,
               Contains("listener[0].url") && Contains("password_file = \"FILE\"") &&
                   Contains("twinmq passwd") && Contains("anonymous = true under [access]"));
    config.access.anonymous = true;
    CHECK(config.validate().empty());
    config.access.anonymous.reset();
    config.listeners[0].anonymous = false;
    CHECK(config.validate().empty());
    config.listeners[0].anonymous.reset();
    config.access.password_file = "users";
    CHECK(config.validate().empty());
  }
  for (const char* url :
       {"mqtt://127.0.0.1:1883", "mqtt://127.8.9.1:0", "mqtt://[::1]:1883", "mqtt://localhost:1"}) {
    INFO(url);
    CHECK(with_listener(url).validate().empty());
  }
}

TEST_CASE("a listener's URL that is none is explained") {
  for (const char* url :
       {"", "127.0.0.1:1883", "mqtt://:1883", "mqtt://127.0.0.1",
        "mqtt://127.0.0.1:", "mqtt://a:65536", "mqtt://127.0.0.1:1883/path", "mqtt://[::1:1883",
        "mqtt://a b:1", "tcp://127.0.0.1:1", "unix://run/mqtt", "unix:///"}) {
    INFO(url);
    const auto errors = with_listener(url).validate();
    REQUIRE(errors.size() == 1);
    CHECK_THAT(errors[0].detail, Contains("allowed: mqtt://host:port"));
  }
  const auto parsed = net::parse_listener_url("mqtt://[fe80::1]:70");
  REQUIRE(parsed);
  CHECK(parsed->host == "fe80::1");
  CHECK(parsed->port == 70);
}

TEST_CASE("two listeners have addresses and names of their own") {
  Config config = with_listener("mqtt://127.0.0.1:1883");
  config.listeners.push_back(config.listeners[0]);
  CHECK_THAT(config.validate().at(0).detail,
             Contains("listener[1].url") && Contains("listener[0]"));
  config.listeners[0].url = config.listeners[1].url = "mqtt://127.0.0.1:0";
  CHECK(config.validate().empty());
  config.listeners[0].name = config.listeners[1].name = "inside";
  CHECK_THAT(config.validate().at(0).detail, Contains("listener[1].name"));
}

TEST_CASE("access files are not silently ignored when the access module is off") {
  Config config;
  config.modules.access = false;
  config.access.acl_file = "acl";
  CHECK_THAT(config.validate().at(0).detail,
             Contains("access.acl_file") && Contains("modules.access"));
}

TEST_CASE("levels of topics and listeners need a store on disk") {
  Config config;
  config.storage.os_filters = {"telemetry/#"};
  config.listeners.emplace_back().durability = Durability::Fsync;
  CHECK(durability_complaints(config, Durability::Fsync).empty());
  const auto complaints = durability_complaints(config, Durability::None);
  REQUIRE(complaints.size() == 2);
  CHECK(complaints[0].key == "storage.os_filters");
  CHECK_THAT(complaints[1].key, Catch::Matchers::Contains("].durability"));
  config.storage.durability = Durability::None;
  CHECK(durability_complaints(config, Durability::Fsync).size() == 2);
}

TEST_CASE("durability is the strongest the store gives unless less was asked for") {
  Config config;
  CHECK(effective_durability(config, Durability::Fsync) == Durability::Fsync);
  CHECK(effective_durability(config, Durability::None) == Durability::None);
  config.storage.durability = Durability::OperatingSystem;
  CHECK(effective_durability(config, Durability::Fsync) == Durability::OperatingSystem);
  CHECK(durability_complaints(config, Durability::Fsync).empty());
  CHECK_THAT(durability_complaints(config, Durability::None).at(0).text,
             Contains("found \"os\"") && Contains("memory"));
}

TEST_CASE("who may come without a name is decided by listener, then access, then address") {
  Config config = with_listener("mqtt://127.0.0.1:1883");
  CHECK(anonymous_allowed(config, config.listeners[0]));
  config.access.password_file = "users";
  CHECK_FALSE(anonymous_allowed(config, config.listeners[0]));
  config.access.anonymous = true;
  CHECK(anonymous_allowed(config, config.listeners[0]));
  config.listeners[0].anonymous = false;
  CHECK_FALSE(anonymous_allowed(config, config.listeners[0]));
  CHECK_FALSE(anonymous_allowed(Config(), ListenerConfig{.url = "mqtt://0.0.0.0:1883"}));
}
