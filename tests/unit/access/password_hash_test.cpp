#include "modules/access/password_hash.hpp"

#include <catch2/catch.hpp>

using namespace twinmq::access;

namespace {
// Both written by mosquitto_passwd 2.0.11 for the password "pw".
const std::string kPbkdf2 =
    "$7$101$sO3tkR4r+ti6ZDMk$5uftnK0jcTuH/O+HbkJT/DiKxrvtyp5aYBR8qzzp7Pygw1Ymd4G69NzylSk+K2Tf/"
    "OgJeoYJK/V7f05C9xJFLw==";
const std::string kSha512 =
    "$6$s1aoGkSev3yH0QEO$a/"
    "XdbbIVQSryXolAaR29tznkz5tVylax55Hx4BYtPmWvp5PYZbLJpQqb+aX3Z78ueSl0LlXsaXDPQ"
    "ZHT/hRiLw==";
}  // namespace

TEST_CASE("entries that mosquitto_passwd wrote verify their password and no other") {
  for (const std::string& entry : {kPbkdf2, kSha512}) {
    CHECK(verify_password(entry, "pw"));
    CHECK_FALSE(verify_password(entry, "pW"));
    CHECK_FALSE(verify_password(entry, ""));
  }
}

TEST_CASE("a new hash verifies, is salted, and uses the documented number of iterations") {
  for (const std::string& password :
       {std::string("secret"), std::string(), std::string(65535, 'x')}) {
    const std::string entry = hash_password(password);
    CHECK(entry.starts_with("$7$10000$"));
    CHECK(verify_password(entry, password));
    CHECK_FALSE(verify_password(entry, password + "x"));
    CHECK(hash_password(password) != entry);
  }
}

TEST_CASE("an entry that is not exactly right is refused with the place of the fault") {
  struct Case {
    std::string entry;
    std::size_t at;
    std::string what;
  };
  const std::string digest = kSha512.substr(kSha512.rfind('$') + 1);
  const std::vector<Case> cases = {
      {"plain", 0, "not hashed in a known form"},
      {"$5$abcd$" + digest, 0, "not hashed in a known form"},
      {"", 0, "not hashed in a known form"},
      {"$7$0$AAAA$" + digest, 3, "iterations"},
      {"$7$-1$AAAA$" + digest, 3, "iterations"},
      {"$7$10000001$AAAA$" + digest, 3, "iterations"},
      {"$7$99999999999999999999$AAAA$" + digest, 3, "iterations"},
      {"$7$101x$AAAA$" + digest, 3, "iterations"},
      {"$7$101$$" + digest, 7, "salt"},
      {"$7$101$AAA$" + digest, 7, "salt"},
      {"$7$101$A=AA$" + digest, 7, "salt"},
      {"$7$101$A===$" + digest, 7, "salt"},
      {"$7$101$AAAA", 11, "hash"},
      {"$6$AAAA$AAAA", 8, "hash"},
      {"$6$AAAA$ " + digest, 8, "hash"},
      {"$6$AAAA$" + digest + "$x", 9 + digest.size(), "nothing may follow"},
  };
  for (const Case& c : cases) {
    INFO(c.entry);
    const auto hash = parse_password_hash(c.entry);
    REQUIRE_FALSE(hash);
    CHECK(hash.error().at == c.at);
    CHECK_THAT(hash.error().what, Catch::Contains(c.what));
    CHECK_FALSE(verify_password(c.entry, "pw"));
  }
}
