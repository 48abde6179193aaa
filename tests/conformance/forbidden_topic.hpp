#pragma once
// A broker on which everything is allowed but the topic "forbidden", by a door of the cases' own or
// by the rules of a file, and what its clients see.

#include <memory>
#include <string_view>

#include "conformance/access_files.hpp"
#include "conformance/cases.hpp"

namespace twinmq::testing {

class NoForbidden final : public Authorizer {
 public:
  bool may(const Identity&, Action action, std::string_view topic, QoS, bool) override {
    return action != Action::Publish || topic != "forbidden";
  }
};

struct ForbiddenByDoor {
  Broker broker{{.authorizer = std::make_shared<NoForbidden>()}};
};

struct ForbiddenByFile {
  FileOfCase rules{"topic readwrite #\ntopic deny forbidden\n"};
  Broker broker{{.settings = {{"access.acl_file", rules.path()}, {"access.anonymous", "true"}}}};
};

/// [MQTT-3.4.2-1] [MQTT-3.5.2-1]
inline void forbidden_is_answered_by_its_qos(Broker& broker) {
  Client client(broker);
  client.connect();
  client.subscribe("#", 2);
  client.send_publish({.topic = "forbidden", .qos = 1, .id = 1});
  CHECK(client.expect<Puback>().code == kNotAuthorized);
  client.send_publish({.topic = "forbidden", .qos = 2, .id = 2});
  CHECK(client.expect<Pubrec>().code == kNotAuthorized);
  // The identifier is free again.
  client.publish({.topic = "allowed", .payload = "x", .qos = 2, .id = 2});
  client.receive("allowed", "x");
  client.expect_nothing();
}

/// [MQTT-3.4.2-2] [MQTT-3.4.2-3] [MQTT-3.5.2-2] [MQTT-3.5.2-3]
inline void reasons_keep_to_the_packet_limit(Broker& broker) {
  std::size_t accepted = 0;
  for (const std::uint32_t limit : {20U, 21U, 24U, 30U, 40U, 60U, 200U}) {
    Client client(broker);
    const auto reads = [&](const Ack& ack) {
      CHECK(5 + (ack.properties.empty() ? 0 : property_block(ack.properties).size()) <= limit);
    };
    // A limit that is too small for the CONNACK itself shows nothing here.
    client.send(connect_packet({.client_id = "a", .properties = {{Prop::MaximumPacketSize, limit}}},
                               Version::V5));
    const std::vector<Packet> first = client.everything();
    if (first.empty() || !std::holds_alternative<Connack>(first[0]) ||
        std::get<Connack>(first[0]).code != kSuccess)
      continue;
    ++accepted;
    client.send_publish({.topic = "forbidden", .qos = 1, .id = 1});
    reads(client.expect<Puback>());
    client.send_publish({.topic = "forbidden", .qos = 2, .id = 2});
    reads(client.expect<Pubrec>());
  }
  CHECK(accepted > 0);
}

/// [MQTT-3.3.5-2]
inline void forbidden_is_acknowledged_or_closed_and_not_delivered(Broker& broker) {
  Client watcher(broker, Version::V311);
  watcher.connect();
  watcher.subscribe("#", 2);
  for (unsigned qos = 1; qos < 3; ++qos) {
    Client client(broker, Version::V311);
    client.connect();
    client.send_publish({.topic = "forbidden", .qos = qos, .id = 1});
    const std::vector<Packet> got = client.everything();
    CHECK(got.size() <= 1);
  }
  watcher.expect_nothing();
}

}  // namespace twinmq::testing
