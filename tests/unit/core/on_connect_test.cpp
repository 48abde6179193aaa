#include <catch2/catch.hpp>

#include "shard_world.hpp"

using namespace twinmq;
using namespace twinmq::core::testing;

namespace {

/// Everybody is who he says he is, but for those who are called "never": they wait for ever.
class Believing final : public Authenticator {
 public:
  std::optional<AuthenticationResult> decide(const Credentials& credentials) override {
    if (credentials.username == "never") return std::nullopt;
    AuthenticationResult result;
    result.code = ReasonCode::Success;
    result.principal = credentials.username;
    return result;
  }
  std::unique_ptr<Authentication> start(std::string_view) override {
    return std::make_unique<Silence>(open);
  }
  int open = 0;

 private:
  struct Silence final : Authentication {
    explicit Silence(int& count) : open(count) { ++open; }
    ~Silence() override { --open; }
    void begin(const Credentials&, Done) override {}
    void proceed(std::string_view, Done) override {}
    int& open;
  };
};

/// Publishing to "forbidden" is not allowed.
class NoForbidden final : public Authorizer {
 public:
  bool may(const Identity&, Action action, std::string_view topic, QoS, bool) override {
    return action != Action::Publish || topic != "forbidden";
  }
};

mqtt::Connect connect_as(std::string_view user, std::string_view id, bool clean = false) {
  mqtt::Connect packet;
  packet.client_id = id;
  packet.username = user;
  packet.clean_start = clean;
  packet.session_expiry_seconds = 100;
  return packet;
}

}  // namespace

TEST_CASE("a client that cannot take the CONNACK is not welcomed", "[core]") {
  World world;
  mqtt::Connect packet;
  packet.client_id = "c";
  packet.packet_size_max = 8;
  Peer& client = world.open().connect(packet);
  CHECK(client.said() == Words{"CONNACK 0x95", "closed"});
  packet.packet_size_max = 4;
  Peer& smaller = world.open().connect(packet);
  CHECK(smaller.said() == Words{"closed"});
  CHECK(world.metric(Metric::Sessions) == 0);
}

TEST_CASE(
    "a client identifier belongs to whoever used it first, unless identifiers are not bound to "
    "users",
    "[core]") {
  Believing authenticator;
  const bool bound = GENERATE(true, false);
  World world({.client_id_bound = bound, .authenticator = &authenticator});
  Peer& first = world.open().connect(connect_as("ann", "c"));
  CHECK(first.said() == Words{"CONNACK 0x00"});
  Peer& second = world.open().connect(connect_as("bob", "c"));
  if (bound) {
    CHECK(second.said() == Words{"CONNACK 0x87", "closed"});
    CHECK(first.said().empty());
    return;
  }
  CHECK(first.said() == Words{"DISCONNECT 0x8E", "closed"});
  CHECK(second.said() == Words{"CONNACK 0x00 present"});
}

TEST_CASE("an authenticator that does not answer is given up after its time", "[core]") {
  Believing authenticator;
  WorldOptions options;
  options.authenticator = &authenticator;
  options.limits.authentication_timeout_seconds = 7;
  World world(options);
  Peer& waits = world.open().connect(connect_as("never", "c"));
  world.pass(Milliseconds(6'500));
  CHECK(waits.said().empty());
  CHECK(authenticator.open == 1);
  world.pass(Milliseconds(1'000));
  CHECK(waits.said() == Words{"CONNACK 0x88", "closed"});
  CHECK(authenticator.open == 0);  // told by its end that nobody waits for it any more
  CHECK(world.metric(Metric::Sessions) == 0);
}

TEST_CASE("a client whose will may not be published is not let in", "[core]") {
  NoForbidden rights;
  World world({.authorizer = &rights});
  mqtt::Connect packet;
  packet.client_id = "c";
  packet.will.emplace();
  packet.will->topic = "forbidden";
  CHECK(world.open().connect(packet).said() == Words{"CONNACK 0x87", "closed"});
  packet.version = mqtt::Version::V311;
  CHECK(world.open().connect(packet).said() == Words{"CONNACK 0x87", "closed"});
  CHECK(world.metric(Metric::WillsPublished) == 0);
  packet.will->topic = "allowed";
  CHECK(world.open().connect(packet).said() == Words{"CONNACK 0x00"});
}

TEST_CASE("a client without an identifier is given one of its own", "[core]") {
  World world;
  mqtt::Connect packet;
  Peer& nameless = world.open().connect(packet);
  CHECK(nameless.said() == Words{"CONNACK 0x00"});
  REQUIRE(world.core().sessions().size() == 1);
  CHECK(world.core().sessions()[0].client_id.starts_with("twinmq-"));
}
