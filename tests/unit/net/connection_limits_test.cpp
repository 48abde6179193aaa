#include "net/connection_limits.hpp"

#include <catch2/catch.hpp>

#include <optional>
#include <utility>
#include <vector>

namespace twinmq::net {

TEST_CASE("an address has as many connections as it may, whatever its ports and its notation are") {
  AddressCount addresses(2);
  std::vector<std::optional<AddressCount::Place>> places;
  for (const char* peer :
       {"10.0.0.1:7", "10.0.0.1:8", "10.0.0.1:9", "10.0.0.1", "[::ffff:10.0.0.1]:7", "10.0.0.2:7"})
    places.push_back(addresses.enter(peer));
  CHECK(places[0]);
  CHECK(places[1]);
  for (const std::size_t refused : {2u, 3u, 4u}) CHECK_FALSE(places[refused]);
  CHECK(places[5]);
  places[0].reset();
  CHECK(addresses.enter("10.0.0.1:9"));
}

TEST_CASE("a place is counted until it ends, wherever it moved") {
  AddressCount addresses(1);
  auto first = addresses.enter("10.0.0.1:7");
  REQUIRE(first);
  AddressCount::Place moved = std::move(*first);
  first.reset();
  CHECK_FALSE(addresses.enter("10.0.0.1:8"));
  moved = AddressCount::Place();
  CHECK(addresses.addresses() == 0);
  CHECK(addresses.enter("10.0.0.1:8"));
}

TEST_CASE("without a limit, and without an address, nothing is counted") {
  AddressCount addresses;
  const auto unlimited = addresses.enter("10.0.0.1:7");
  CHECK(unlimited);
  addresses.set_max(1);
  const auto first = addresses.enter("10.0.0.1:7");
  const auto socket = addresses.enter("unix:1000:4242");
  const auto other_socket = addresses.enter("unix:1000:4243");
  CHECK((first && socket && other_socket));
  CHECK(addresses.addresses() == 1);
}

}  // namespace twinmq::net
