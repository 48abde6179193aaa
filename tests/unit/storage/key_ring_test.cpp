#include "storage/key_ring.hpp"

#include <fstream>
#include <string>

#include <catch2/catch.hpp>

#include "storage/data_directory.hpp"
#include "unit/storage/scratch.hpp"

using namespace twinmq;
using namespace twinmq::storage;

namespace {

CipherKey key_of(char digit) {
  return *parse_cipher_key(std::string(64, digit));
}

}  // namespace

TEST_CASE("a key is 64 hexadecimal digits, blanks around them aside") {
  const auto key = parse_cipher_key(" 00fF" + std::string(60, 'a') + "\n");
  REQUIRE(key);
  CHECK((*key)[0] == 0);
  CHECK((*key)[1] == 0xFF);
  CHECK((*key)[31] == 0xAA);
  CHECK_FALSE(parse_cipher_key(std::string(63, 'a')));
  CHECK_FALSE(parse_cipher_key(std::string(63, 'a') + "g"));
  CHECK_FALSE(parse_cipher_key(""));
}

TEST_CASE("a key ring is opened by its owner's key alone") {
  testing::Scratch scratch;
  const auto made = KeyRing::open(scratch / "KEYS", key_of('1'), nullptr);
  REQUIRE(made);
  const auto again = KeyRing::open(scratch / "KEYS", key_of('1'), nullptr);
  REQUIRE(again);
  CHECK(again->current() == made->current());
  CHECK(*again->find(again->current()) == *made->find(made->current()));
  CHECK(again->find(again->current() + 1) == nullptr);
  const auto refused = KeyRing::open(scratch / "KEYS", key_of('2'), nullptr);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::PermissionDenied);
}

TEST_CASE("another owner's key takes over all data keys and adds one") {
  testing::Scratch scratch;
  const auto made = KeyRing::open(scratch / "KEYS", key_of('1'), nullptr);
  REQUIRE(made);
  const CipherKey previous = key_of('1');
  const auto changed = KeyRing::open(scratch / "KEYS", key_of('2'), &previous);
  REQUIRE(changed);
  CHECK(changed->current() == made->current() + 1);
  CHECK(*changed->find(made->current()) == *made->find(made->current()));
  CHECK_FALSE(KeyRing::open(scratch / "KEYS", key_of('1'), nullptr));
  // The previous key may stay configured: it is not needed again.
  const auto later = KeyRing::open(scratch / "KEYS", key_of('2'), &previous);
  REQUIRE(later);
  CHECK(later->current() == changed->current());
}

TEST_CASE("a damaged key file is told from a wrong key where that can be") {
  testing::Scratch scratch;
  REQUIRE(KeyRing::open(scratch / "KEYS", key_of('1'), nullptr));
  const std::string text = *read_file(scratch / "KEYS");
  for (const std::string& broken :
       {std::string(), text.substr(0, 20), text.substr(0, text.size() - 9), "x" + text}) {
    std::ofstream(scratch / "KEYS") << broken;
    const auto opened = KeyRing::open(scratch / "KEYS", key_of('1'), nullptr);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == ErrorCode::Corrupt);
  }
}
