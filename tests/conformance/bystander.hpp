#pragma once
// Who must not suffer from an attack, and one way to attack.

#include "conformance/cases.hpp"

namespace twinmq::testing {

/// Two clients whose exchange must go on whatever happens to others.
class Bystander {
 public:
  explicit Bystander(Broker& broker) : subscriber_(broker), publisher_(broker, Version::V311) {
    subscriber_.connect({.client_id = "bystander-subscriber"});
    subscriber_.subscribe("bystander/#", 2);
    publisher_.connect({.client_id = "bystander-publisher"});
  }

  void check(Client::Where where = Client::Where::current()) {
    const std::string payload = std::to_string(++count_);
    publisher_.publish("bystander/" + std::to_string(count_ % 5), payload, count_ % 3, where);
    CHECK(subscriber_.receive(where).payload == payload);
  }

  ~Bystander() {
    for (int i = 0; i < 10; ++i) check();
    subscriber_.expect_nothing();
    publisher_.expect_nothing();
  }

 private:
  Client subscriber_;
  Client publisher_;
  unsigned count_ = 0;
};

/// Sends the bytes on a connection of its own, before or after a CONNECT, and reads what comes; the
/// broker may close or go on, but nothing it sends may be illegal.
inline void throw_at(Broker& broker, std::string_view bytes, bool connected,
                     Version version = Version::V5) {
  const auto stream = broker.open();
  std::string answer;
  if (connected) {
    stream->write(connect_packet({.client_id = "attacker"}, version));
    stream->read(answer);
  }
  stream->write(bytes);
  // Ends the exchange; a broker that is in the middle of a packet takes it for part of that.
  stream->write(disconnect_packet(0, version));
  if (in_memory()) stream->read(answer);
  stream->cut();
  // A CONNECT whose level was changed is answered in the form of the version it names.
  const bool named5 =
      connected ? version == Version::V5 : answer.size() > 4 && answer[0] == 0x20 && answer[1] > 2;
  while (take_packet(answer, named5 ? Version::V5 : Version::V311)) {
  }
}

}  // namespace twinmq::testing
