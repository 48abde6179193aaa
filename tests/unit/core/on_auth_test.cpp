#include <catch2/catch.hpp>

#include "shard_world.hpp"

using namespace twinmq;
using namespace twinmq::core::testing;

namespace {

/// Answers when the test says so.
class SlowAuthenticator final : public Authenticator {
 public:
  class Talk final : public Authentication {
   public:
    explicit Talk(SlowAuthenticator& owner) : owner_(owner) { ++owner_.alive; }
    ~Talk() override { --owner_.alive; }
    void begin(const Credentials& credentials, Done done) override {
      ask(credentials.authentication_data, std::move(done));
    }
    void proceed(std::string_view data, Done done) override { ask(data, std::move(done)); }

   private:
    void ask(std::string_view data, Done done) {
      owner_.heard.emplace_back(data);
      owner_.waiting.push_back(std::move(done));
    }
    SlowAuthenticator& owner_;
  };

  std::unique_ptr<Authentication> start(std::string_view method) override {
    if (!method.empty() && method != "SCRAM") return nullptr;
    return std::make_unique<Talk>(*this);
  }
  void answer(ReasonCode code, std::string data = {}, std::string principal = "someone") {
    Authentication::Done done = std::move(waiting.front());
    waiting.erase(waiting.begin());
    done({code, std::move(principal), std::move(data), {}});
  }

  std::vector<Authentication::Done> waiting;
  std::vector<std::string> heard;
  int alive = 0;
};

mqtt::Connect scram(std::string_view id) {
  mqtt::Connect packet;
  packet.client_id = id;
  packet.authentication_method = "SCRAM";
  packet.authentication_data = "hello";
  return packet;
}

void say(Peer& peer, ReasonCode code, std::string_view data, std::string_view method = "SCRAM") {
  mqtt::Auth packet;
  packet.code = code;
  packet.method = method;
  packet.data = data;
  std::string bytes;
  mqtt::append(bytes, packet);
  peer.send(bytes);
}

}  // namespace

TEST_CASE("an authenticator that answers later is waited for, with what the client sends meanwhile",
          "[core]") {
  SlowAuthenticator slow;
  World world({.authenticator = &slow});
  Peer& client = world.open();
  mqtt::Connect packet;
  packet.client_id = "c";
  client.connect(packet);
  client.subscribe(1, "a");
  CHECK(client.said().empty());
  slow.answer(ReasonCode::Success);
  CHECK(client.said() == Words{"CONNACK 0x00", "SUBACK 1 0x00"});
  CHECK(world.core().sessions()[0].principal == "someone");
  CHECK(slow.alive == 0);
}

TEST_CASE(
    "an answer for a connection that went finds nobody, not even its successor in the same place",
    "[core]") {
  SlowAuthenticator slow;
  World world({.authenticator = &slow});
  mqtt::Connect packet;
  packet.client_id = "c";
  Peer& gone = world.open().connect(packet);
  gone.cut();
  CHECK(slow.alive == 0);
  Peer& next = world.open().connect(packet);
  slow.answer(ReasonCode::Success);  // to the first
  CHECK(next.said().empty());
  slow.answer(ReasonCode::NotAuthorized);
  CHECK(next.said() == Words{"CONNACK 0x87", "closed"});
  CHECK(world.metric(Metric::AuthenticationFailures) == 1);
}

TEST_CASE("a verdict that is neither success nor failure lets nobody in", "[core]") {
  SlowAuthenticator slow;
  World world({.authenticator = &slow});
  Peer& client = world.open();
  mqtt::Connect packet;
  packet.client_id = "c";
  client.connect(packet);
  slow.answer(ReasonCode::GrantedQoS1);
  CHECK(client.said() == Words{"CONNACK 0x87", "closed"});
}

TEST_CASE("enhanced authentication goes back and forth before CONNACK, and again later", "[core]") {
  SlowAuthenticator slow;
  World world({.authenticator = &slow});
  Peer& client = world.open().connect(scram("c"));
  slow.answer(ReasonCode::ContinueAuthentication, "challenge");
  CHECK(client.said() == Words{"AUTH 0x18 challenge"});
  say(client, ReasonCode::ContinueAuthentication, "response");
  slow.answer(ReasonCode::Success, "proof");
  CHECK(client.said() == Words{"CONNACK 0x00"});

  say(client, ReasonCode::ReAuthenticate, "again");
  slow.answer(ReasonCode::ContinueAuthentication, "challenge 2");
  CHECK(client.said() == Words{"AUTH 0x18 challenge 2"});
  client.subscribe(1, "a");  // the client goes on meanwhile
  CHECK(client.said() == Words{"SUBACK 1 0x00"});
  say(client, ReasonCode::ContinueAuthentication, "response 2");
  slow.answer(ReasonCode::Success, "proof 2");
  CHECK(client.said() == Words{"AUTH 0x00 proof 2"});
  CHECK(slow.heard == Words{"hello", "response", "again", "response 2"});

  say(client, ReasonCode::ReAuthenticate, "once more");
  slow.answer(ReasonCode::Success, {}, "somebody else");
  CHECK(client.said() == Words{"DISCONNECT 0x87", "closed"});
}

TEST_CASE("a failed re-authentication ends the connection with a code that DISCONNECT has",
          "[core]") {
  SlowAuthenticator slow;
  World world({.authenticator = &slow});
  Peer& client = world.open().connect(scram("c"));
  slow.answer(ReasonCode::Success);
  client.said();
  say(client, ReasonCode::ReAuthenticate, "again");
  slow.answer(ReasonCode::BadUserNameOrPassword);
  CHECK(client.said() == Words{"DISCONNECT 0x87", "closed"});
}

TEST_CASE("AUTH out of turn or with another method ends the connection", "[core]") {
  SlowAuthenticator slow;
  World world({.authenticator = &slow});
  Peer& client = world.open().connect(scram("c"));
  slow.answer(ReasonCode::Success);
  client.said();
  SECTION("out of turn") {
    say(client, ReasonCode::ContinueAuthentication, "x");
    CHECK(client.said() == Words{"DISCONNECT 0x82", "closed"});
  }
  SECTION("another method") {
    say(client, ReasonCode::ReAuthenticate, "x", "OTHER");
    CHECK(client.said() == Words{"DISCONNECT 0x82", "closed"});
  }
  SECTION("while the last is not finished") {
    say(client, ReasonCode::ReAuthenticate, "x");
    say(client, ReasonCode::ReAuthenticate, "y");
    CHECK(client.said() == Words{"DISCONNECT 0x82", "closed"});
  }
}
