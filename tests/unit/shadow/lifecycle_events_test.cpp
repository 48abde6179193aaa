#include "modules/shadow/lifecycle_events.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace twinmq::shadow::test {
namespace {

using Json = nlohmann::json;

ClientEvent event_of(ClientEvent::Kind kind) {
  ClientEvent event;
  event.kind = kind;
  event.client_id = "dev";
  event.principal = "alice";
  event.peer = "127.0.0.1:50712";
  event.connection = 7;
  event.filter = "a/#";
  return event;
}

Json payload_of(const ClientEvent& event) {
  return Json::parse(lifecycle_payload(event, WallTime(Milliseconds(1'700'000'000'123)), 99, 3));
}

}  // namespace

TEST_CASE("events have AWS's fields, each where it belongs", "[shadow]") {
  const Json connected = payload_of(event_of(ClientEvent::Kind::Connected));
  CHECK(connected["clientId"] == "dev");
  CHECK(connected["timestamp"] == 1'700'000'000'123);
  CHECK(connected["eventType"] == "connected");
  CHECK(connected["principalIdentifier"] == "alice");
  CHECK(connected["ipAddress"] == "127.0.0.1");
  CHECK(connected["versionNumber"] == 3);
  CHECK(connected["sessionIdentifier"].get<std::string>().size() == 36);
  CHECK_FALSE(connected.contains("disconnectReason"));

  const Json gone = payload_of(event_of(ClientEvent::Kind::Disconnected));
  CHECK(gone["sessionIdentifier"] == connected["sessionIdentifier"]);
  CHECK(gone["clientInitiatedDisconnect"] == false);
  CHECK(gone["disconnectReason"] == "SERVER_ERROR");
  CHECK_FALSE(gone.contains("ipAddress"));

  const Json subscribed = payload_of(event_of(ClientEvent::Kind::Subscribed));
  CHECK(subscribed["topics"] == Json({"a/#"}));
  CHECK_FALSE(subscribed.contains("versionNumber"));
  CHECK(payload_of(event_of(ClientEvent::Kind::Unsubscribed))["eventType"] == "unsubscribed");
}

TEST_CASE("the end of a connection is told in AWS's words", "[shadow]") {
  ClientEvent event = event_of(ClientEvent::Kind::Disconnected);
  for (const auto& [end, word] : std::vector<std::pair<ClientEvent::End, std::string>>{
           {ClientEvent::End::ClientAsked, "CLIENT_INITIATED_DISCONNECT"},
           {ClientEvent::End::ConnectionLost, "CONNECTION_LOST"},
           {ClientEvent::End::KeepAlive, "MQTT_KEEP_ALIVE_TIMEOUT"},
           {ClientEvent::End::TakenOver, "DUPLICATE_CLIENTID"},
           {ClientEvent::End::ProtocolError, "CLIENT_ERROR"},
           {ClientEvent::End::NotAuthorized, "AUTH_ERROR"},
           {ClientEvent::End::Administrator, "SERVER_INITIATED_DISCONNECT"}}) {
    event.end = end;
    const Json payload = payload_of(event);
    CHECK(payload["disconnectReason"] == word);
    CHECK(payload["clientInitiatedDisconnect"] == (end == ClientEvent::End::ClientAsked));
  }
}

TEST_CASE("a client identifier that no topic can end with has no events", "[shadow]") {
  ClientEvent event = event_of(ClientEvent::Kind::Connected);
  CHECK(lifecycle_topic(event) == "$aws/events/presence/connected/dev");
  for (const char* id : {"a+b", "#", ""}) {
    event.client_id = id;
    CHECK(lifecycle_topic(event).empty());
  }
}

TEST_CASE("addresses of IPv6 lose their brackets and port", "[shadow]") {
  ClientEvent event = event_of(ClientEvent::Kind::Connected);
  event.peer = "[::1]:9";
  CHECK(payload_of(event)["ipAddress"] == "::1");
}

}  // namespace twinmq::shadow::test
