#include "modules/access/token_file.hpp"

#include <catch2/catch.hpp>

#include <memory>
#include <string>

using namespace twinmq;
using namespace twinmq::access;

namespace {

std::unique_ptr<TokenFile> parsed(const std::string& text, std::int64_t* now) {
  auto file = TokenFile::parse(text, "tokens", [now] { return *now; });
  if (!file) FAIL(file.error().detail);
  return std::move(*file);
}

}  // namespace

TEST_CASE("a token stands for its user until its end") {
  std::int64_t now = 1000;
  const auto file =
      parsed("# machines\nalice:" + token_entry("one", 2000) + "\nalice:" + token_entry("two", 0) +
                 "\nbob:" + token_entry("three", 500) + "\n",
             &now);
  CHECK(file->user_of("one") == "alice");
  CHECK(file->user_of("two") == "alice");
  CHECK_FALSE(file->user_of("three"));
  CHECK_FALSE(file->user_of("four"));
  CHECK_FALSE(file->user_of(""));
  now = 2000;
  CHECK_FALSE(file->user_of("one"));
  CHECK(file->user_of("two") == "alice");
}

TEST_CASE("an entry does not hold its token") {
  CHECK(token_entry("secret", 0).find("secret") == std::string::npos);
  CHECK(token_entry("secret", 0).ends_with("$never"));
}

TEST_CASE("tokens differ and fit into a header") {
  const std::string one = make_token();
  CHECK(one.size() == 43);
  CHECK(one != make_token());
  CHECK(one.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
        std::string::npos);
}

TEST_CASE("a broken line of a token is told with its place") {
  const std::string digits(64, 'a');
  for (const std::string& text :
       {std::string("alice"), ":sha256$" + digits + "$never", "alice:" + digits + "$never",
        "alice:sha256$" + digits, "alice:sha256$" + digits + "$soon",
        std::string("alice:sha256$aa$never"), "alice:sha256$" + digits + "$-1",
        "a:sha256$" + digits + "$never\nb:sha256$" + digits + "$1"}) {
    INFO(text);
    const auto file = TokenFile::parse(text, "tokens", [] { return std::int64_t{0}; });
    REQUIRE_FALSE(file);
    CHECK(file.error().detail.find("tokens:") != std::string::npos);
  }
}
