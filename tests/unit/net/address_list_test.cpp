#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "net/address_list.hpp"

namespace {

using namespace twinmq;
using namespace twinmq::net;

AddressList list_of(std::vector<std::string> entries) {
  auto list = AddressList::parse(entries);
  REQUIRE(list.has_value());
  return std::move(*list);
}

TEST_CASE("a network contains its addresses and no others") {
  const AddressList list = list_of({"10.0.0.0/8", "192.0.2.7", "fd00::/9", "172.16.0.0/12"});
  for (const char* inside : {"10.1.2.3:80", "10.255.255.255", "192.0.2.7:1", "[fd00::1]:9",
                             "fd7f::1", "::ffff:10.0.0.1", "172.31.255.1"}) {
    INFO(inside);
    CHECK(list.contains_peer(inside));
  }
  for (const char* outside : {"11.0.0.1:80", "192.0.2.8:1", "[fd80::1]:9", "172.32.0.1", "", "10.1",
                              "unix:1000:1", "example.org:80", "[10.0.0.1"}) {
    INFO(outside);
    CHECK_FALSE(list.contains_peer(outside));
  }
}

TEST_CASE("every address, and none, can be listed") {
  CHECK(list_of({"0.0.0.0/0"}).contains_peer("203.0.113.1:1"));
  CHECK_FALSE(list_of({"0.0.0.0/0"}).contains_peer("[2001:db8::1]:1"));
  CHECK(list_of({"::/0"}).contains_peer("203.0.113.1:1"));
  CHECK(list_of({}).empty());
  CHECK_FALSE(list_of({}).contains_peer("127.0.0.1:1"));
}

TEST_CASE("Unix sockets are listed by a word") {
  CHECK(list_of({"unix"}).contains_peer("unix:0:17"));
  CHECK_FALSE(list_of({"unix"}).empty());
  CHECK_FALSE(list_of({"127.0.0.1"}).contains_peer("unix:0:17"));
}

TEST_CASE("what is no network is refused by name") {
  for (const char* bad : {"10.0.0.0/33", "::/129", "10.0.0", "localhost", "10.0.0.0/",
                          "10.0.0.0/8x", "", "10.0.0.1:80", "[::1]"}) {
    INFO(bad);
    const std::vector<std::string> entries{"127.0.0.1", bad};
    const auto list = AddressList::parse(entries);
    REQUIRE_FALSE(list.has_value());
    CHECK(list.error().code == ErrorCode::InvalidConfig);
    CHECK(list.error().detail.find("allowed:") != std::string::npos);
  }
}

}  // namespace
