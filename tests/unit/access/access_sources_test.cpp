#include "modules/access/access_sources.hpp"

#include <catch2/catch.hpp>

#include <memory>
#include <string>

#include "modules/access/password_hash.hpp"

using namespace twinmq;
using namespace twinmq::access;

namespace {

std::unique_ptr<TokenFile> tokens() {
  auto file = TokenFile::parse("robot:" + token_entry("token", 0), "tokens",
                               [] { return std::int64_t{0}; });
  REQUIRE(file);
  return std::move(*file);
}

std::unique_ptr<PasswordFile> passwords() {
  static const std::string entry = hash_password("pw");
  auto file = PasswordFile::parse("alice:" + entry, "passwords");
  REQUIRE(file);
  return std::move(*file);
}

std::unique_ptr<ScramFile> scram() {
  auto file = ScramFile::parse("", "scram");
  REQUIRE(file);
  return std::move(*file);
}

Credentials with(const char* user, const char* password) {
  Credentials credentials;
  credentials.has_username = user != nullptr;
  if (user) credentials.username = user;
  credentials.has_password = password != nullptr;
  if (password) credentials.password = password;
  return credentials;
}

}  // namespace

TEST_CASE("a token is a password, with its user's name or without any") {
  AccessSources sources(passwords(), nullptr, tokens());
  for (const char* user : {"robot", static_cast<const char*>(nullptr)}) {
    const auto verdict = sources.decide(with(user, "token"));
    REQUIRE(verdict);
    CHECK(verdict->code == ReasonCode::Success);
    CHECK(verdict->principal == "robot");
  }
  // Another's token does not help; the password file has the word.
  CHECK_FALSE(sources.decide(with("alice", "token")));
  CHECK_FALSE(sources.decide(with("robot", "wrong")));
  CHECK(sources.decide(with(nullptr, "wrong"))->code == ReasonCode::BadUserNameOrPassword);
}

TEST_CASE("without a password file a name needs a token") {
  AccessSources sources(nullptr, scram(), tokens());
  CHECK(sources.decide(with("robot", "token"))->code == ReasonCode::Success);
  CHECK(sources.decide(with("alice", "pw"))->code == ReasonCode::BadUserNameOrPassword);
  CHECK(sources.decide(with("alice", nullptr))->code == ReasonCode::BadUserNameOrPassword);
}

TEST_CASE("clients without a name are anonymous, where they may") {
  AccessSources sources(passwords(), nullptr, tokens());
  Credentials nameless = with(nullptr, nullptr);
  CHECK(sources.decide(nameless)->code == ReasonCode::NotAuthorized);
  nameless.anonymous_allowed = true;
  CHECK(sources.decide(nameless)->code == ReasonCode::Success);
  CHECK(sources.decide(nameless)->principal.empty());
}

TEST_CASE("whom the transport vouches for needs no password") {
  AccessSources sources(passwords(), nullptr, tokens());
  Credentials vouched = with("alice", "whatever");
  vouched.transport_principal = "device7";
  const auto verdict = sources.decide(vouched);
  REQUIRE(verdict);
  CHECK(verdict->code == ReasonCode::Success);
  CHECK(verdict->principal == "device7");
}

TEST_CASE("enhanced authentication is offered where there are keys for it") {
  AccessSources with_keys(nullptr, scram(), nullptr);
  CHECK(with_keys.start("SCRAM-SHA-256") != nullptr);
  CHECK(with_keys.start("SCRAM-SHA-512") != nullptr);
  CHECK(with_keys.start("PLAIN") == nullptr);
  AccessSources without(passwords(), nullptr, nullptr);
  CHECK(without.start("SCRAM-SHA-256") == nullptr);
  CHECK(without.start("") != nullptr);
}
