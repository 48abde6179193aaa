#include "base/chunk_memory.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

#include "base/block_pool.hpp"
#include "base/hash_index.hpp"
#include "base/prng.hpp"

using twinmq::base::BlockPool;
using twinmq::base::ChunkMemory;
using twinmq::base::HashIndex;
using twinmq::base::Prng;

namespace {

constexpr std::size_t kChunk = 256 << 10;

void fill(std::byte* chunk, std::size_t number) {
  std::memset(chunk, static_cast<int>(number % 251), kChunk);
}

bool is_filled(const std::byte* chunk, std::size_t number) {
  const std::vector<std::byte> expected(kChunk, static_cast<std::byte>(number % 251));
  return std::memcmp(chunk, expected.data(), kChunk) == 0;
}

}  // namespace

TEST_CASE("chunks stay where they are and keep what is in them while others come and go",
          "[base]") {
  ChunkMemory memory(kChunk);
  std::vector<std::byte*> places;
  // Some from the heap, then three regions, the last of them begun.
  for (std::size_t i = 0; i < 28; ++i) {
    places.push_back(memory.add());
    fill(places.back(), i);
  }
  for (const std::size_t left : {28U, 27U, 24U, 17U, 16U, 9U, 8U, 7U, 1U}) {
    memory.shrink_to(left);
    REQUIRE(memory.size() == left);
    for (std::size_t i = 0; i < left; ++i) {
      REQUIRE(memory[i] == places[i]);
      REQUIRE(is_filled(memory[i], i));
    }
    memory.add();
    fill(memory[left], 200);
    REQUIRE(is_filled(memory[left - 1], left - 1));
    memory.shrink_to(left);
  }
  memory.shrink_to(0);
  CHECK(memory.size() == 0);
}

TEST_CASE("a small table pays for what it uses, a large one at most for a region more", "[base]") {
  ChunkMemory memory(kChunk);
  CHECK(memory.footprint(0) == 0);
  memory.add();
  CHECK(memory.footprint(100) < 200);
  for (std::size_t i = 1; i < 8; ++i) memory.add();
  CHECK(memory.footprint(100) < 7 * kChunk + 1000);
  for (std::size_t i = 8; i < 20; ++i) memory.add();
  CHECK(memory.footprint(100) >= 20 * kChunk);
  CHECK(memory.footprint(100) < 19 * kChunk + ChunkMemory::kRegionBytes);
}

TEST_CASE("blocks that lie in regions are handed out once, and again after their release",
          "[base]") {
  BlockPool pool;
  std::vector<BlockPool::Handle> blocks;
  for (std::uint32_t i = 0; i < 60'000; ++i) {
    blocks.push_back(pool.allocate(100));
    std::memcpy(pool.at(blocks.back()), &i, sizeof i);
  }
  const auto number_in = [&](BlockPool::Handle block) {
    std::uint32_t number = 0;
    std::memcpy(&number, pool.at(block), sizeof number);
    return number;
  };
  const std::size_t bytes = pool.footprint();
  CHECK(bytes > 2 * ChunkMemory::kRegionBytes);
  for (std::uint32_t i = 0; i < 60'000; i += 2) pool.release(blocks[i], 100);
  for (std::uint32_t i = 0; i < 60'000; i += 2) {
    blocks[i] = pool.allocate(100);
    std::memcpy(pool.at(blocks[i]), &i, sizeof i);
  }
  CHECK(pool.footprint() == bytes);
  for (std::uint32_t i = 0; i < 60'000; ++i) REQUIRE(number_in(blocks[i]) == i);
  for (const BlockPool::Handle block : blocks) pool.release(block, 100);
  CHECK(pool.blocks() == 0);
  CHECK(pool.footprint() < 2000);
}

TEST_CASE("an index finds every number of half a million, and no other, while it grows and empties",
          "[base]") {
  constexpr std::uint32_t kNumbers = 500'000;
  HashIndex index;
  const auto hash_of = [](std::uint32_t number) {
    return static_cast<std::uint32_t>(Prng(number).next());
  };
  const auto found = [&](std::uint32_t number) {
    return index.find(hash_of(number), [&](std::uint32_t each) { return each == number; }) ==
           number;
  };
  const std::size_t empty = index.footprint();
  for (int round = 0; round < 2; ++round) {
    for (std::uint32_t i = 0; i < kNumbers; ++i) index.insert(hash_of(i), i);
    REQUIRE(index.size() == kNumbers);
    CHECK(index.footprint() > ChunkMemory::kRegionBytes);
    for (std::uint32_t i = 0; i < kNumbers; ++i) REQUIRE(found(i));
    CHECK_FALSE(found(kNumbers));
    for (std::uint32_t i = 0; i < kNumbers; i += 2) REQUIRE(index.erase(hash_of(i), i));
    for (std::uint32_t i = 0; i < kNumbers; ++i) REQUIRE(found(i) == (i % 2 == 1));
    CHECK_FALSE(index.erase(hash_of(0), 0));
    for (std::uint32_t i = 1; i < kNumbers; i += 2) REQUIRE(index.erase(hash_of(i), i));
    CHECK(index.size() == 0);
    CHECK(index.footprint() < empty + 64 * 1024);  // the directory keeps its room
  }
}
