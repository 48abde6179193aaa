#include "base/prng.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <vector>

#include "base/hash.hpp"

using twinmq::base::mix_hash;
using twinmq::base::Prng;

TEST_CASE("the same seed gives the same numbers and another seed others", "[base][prng]") {
  Prng a(5), b(5), c(6);
  for (int i = 0; i < 100; ++i) {
    const auto value = a.next();
    REQUIRE(value == b.next());
    REQUIRE(value != c.next());
  }
}

TEST_CASE("below stays below and reaches every value", "[base][prng]") {
  Prng random(1);
  std::vector<int> seen(7, 0);
  for (int i = 0; i < 7000; ++i) {
    const auto value = random.below(7);
    REQUIRE(value < 7);
    ++seen[value];
  }
  for (const int count : seen) CHECK(count > 800);
  CHECK(random.below(1) == 0);
}

TEST_CASE("chance knows never and always", "[base][prng]") {
  Prng random(2);
  int hits = 0;
  for (int i = 0; i < 10'000; ++i) {
    REQUIRE_FALSE(random.chance(0));
    REQUIRE(random.chance(1));
    hits += random.chance(0.25);
  }
  CHECK(hits > 2300);
  CHECK(hits < 2700);
}

TEST_CASE("similar texts of every length have different hashes, and so do different seeds",
          "[base][hash]") {
  std::set<std::uint64_t> hashes;
  std::size_t count = 0;
  for (std::size_t length = 0; length <= 80; ++length) {
    const std::string text(length, 'x');
    hashes.insert(mix_hash(text, 0));
    ++count;
    for (std::size_t at = 0; at < length; ++at) {
      std::string changed = text;
      changed[at] = 'y';
      hashes.insert(mix_hash(changed, 0));
      ++count;
    }
  }
  for (std::uint64_t seed = 1; seed <= 1000; ++seed, ++count)
    hashes.insert(mix_hash("client", seed));
  CHECK(hashes.size() == count);
}

TEST_CASE("numbered client identifiers spread evenly over the shards", "[base][hash]") {
  for (const unsigned shards : {2u, 3u, 8u, 64u}) {
    std::vector<unsigned> per_shard(shards, 0);
    const unsigned clients = 1000 * shards;
    for (unsigned i = 0; i < clients; ++i)
      ++per_shard[mix_hash("sensor-" + std::to_string(i), 0) % shards];
    for (const unsigned count : per_shard) {
      CHECK(count > 850);
      CHECK(count < 1150);
    }
  }
}
