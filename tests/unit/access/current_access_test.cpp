#include "modules/access/current_access.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <thread>
#include <vector>

#include "modules/access/acl_file.hpp"
#include "modules/access/password_file.hpp"

using namespace twinmq;
using namespace twinmq::access;

namespace {

std::shared_ptr<Authorizer> acl(std::string_view text) {
  auto file = AclFile::parse(text, "acl", 1);
  if (!file) FAIL(file.error().detail);
  return std::move(*file);
}

bool publishes(Authorizer& authorizer, std::string_view name) {
  return authorizer.may(Identity{}, Action::Publish, name, QoS::AtMostOnce, false);
}

}  // namespace

TEST_CASE("after a swap the new authorizer answers and the epoch has grown") {
  CurrentAuthorizer current(acl("topic a"));
  const std::uint64_t before = current.epoch();
  CHECK((publishes(current, "a") && !publishes(current, "b")));
  CHECK(current.checks_receive());
  current.swap(acl("topic b"));
  CHECK(current.epoch() > before);
  CHECK((!publishes(current, "a") && publishes(current, "b")));
  current.swap(std::make_shared<Unrestricted>());
  CHECK(publishes(current, "anything"));
  CHECK_FALSE(current.checks_receive());
}

TEST_CASE("without an implementation everything is denied") {
  CurrentAuthorizer rights(nullptr);
  CHECK_FALSE(publishes(rights, "a"));
  CHECK(rights.checks_receive());
  CurrentAuthenticator door(nullptr);
  CHECK(door.start("") == nullptr);
}

TEST_CASE("a swap of authenticators takes effect for the conversations that start after it") {
  CurrentAuthenticator current(std::make_shared<AnonymousOnly>());
  Credentials credentials;
  credentials.anonymous_allowed = true;
  credentials.has_username = true;
  credentials.username = "alice";
  ReasonCode code = ReasonCode::NotAuthorized;
  const auto note = [&](AuthenticationResult result) { code = result.code; };
  const auto early = current.start("");
  auto file = PasswordFile::parse("", "passwords");
  REQUIRE(file);
  current.swap(std::move(*file));
  early->begin(credentials, note);
  CHECK(code == ReasonCode::Success);
  credentials.anonymous_allowed = false;
  credentials.has_username = false;
  current.start("")->begin(credentials, note);
  CHECK(code == ReasonCode::NotAuthorized);
}

TEST_CASE("swapping while several threads ask never yields an answer of neither") {
  CurrentAuthorizer current(acl("topic a\npattern x/%c"));
  std::atomic<bool> stop = false;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      std::uint64_t last = 0;
      while (!stop) {
        const std::uint64_t epoch = current.epoch();
        if (epoch < last || !publishes(current, "a") || publishes(current, "c")) ++wrong;
        last = epoch;
      }
    });
  }
  for (int i = 0; i < 200; ++i) current.swap(acl(i % 2 == 0 ? "topic #\ntopic deny c" : "topic a"));
  stop = true;
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}
