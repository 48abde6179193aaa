#include <catch2/catch.hpp>

#include "net/transport.hpp"

namespace {

using namespace twinmq::net;

TEST_CASE("a plain listener's connections have no filters") {
  CHECK(make_filters(Transport{}, "127.0.0.1:1") == nullptr);
  CHECK_FALSE(Transport{}.filtered());
}

}  // namespace
