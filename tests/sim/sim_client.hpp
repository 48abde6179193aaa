#pragma once
// A client that keeps every rule of the specification, and complains when the broker breaks one:
// session state that outlives connections, packet identifiers, the QoS 2 handshakes of both
// directions, Receive Maximum, aliases.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/prng.hpp"
#include "mqtt/packets.hpp"
#include "sim/ledger.hpp"
#include "sim/sim_broker.hpp"
#include "sim/sim_network.hpp"

namespace twinmq::sim {

struct ClientTraits {
  std::uint32_t number = 0;
  std::string id;
  mqtt::Version version = mqtt::Version::V5;
  bool persistent = true;
  std::uint32_t expiry_seconds = 100'000;  ///< while persistent; 3.1.1 has the broker's
  std::uint16_t receive_maximum = 20;      ///< MQTT 5 only
  std::uint16_t window = 20;               ///< most unacknowledged messages of its own
  std::uint16_t alias_maximum = 0;         ///< aliases the broker may set
  std::uint16_t keep_alive_seconds = 0;
  bool auditor = false;  ///< its session never ends: it subscribes to all answers of shadows
  std::string share;     ///< the only filter of a member of a share group, with $share
};

/// A will for the next connection.
struct WillPlan {
  Sent* message = nullptr;
  std::uint32_t delay_seconds = 0;
};

class SimClient {
 public:
  SimClient(ClientTraits traits, Ledger& ledger, SimNetwork& network, SimClock& clock,
            base::Prng& random)
      : traits_(std::move(traits)),
        ledger_(ledger),
        network_(network),
        clock_(clock),
        random_(random) {}

  const ClientTraits& traits() const { return traits_; }
  bool connected() const { return phase_ == Phase::Connected; }
  bool offline() const { return phase_ == Phase::Offline; }
  bool may_publish() const { return connected() && outgoing_.size() < window_; }
  /// Whether the client waits for nothing from the broker and owes it nothing.
  std::string unrest() const;
  SimSession* session() { return session_; }
  bool holds(const std::string& filter) const { return filters_.count(filter) != 0; }
  std::vector<std::string> filters() const;
  /// Whether a SUBSCRIBE or UNSUBSCRIBE for the filter is not answered yet.
  bool asks(const std::string& filter) const;
  const Wire* wire() const { return wire_.get(); }

  // --- What it does
  /// Offline, or connected: then the new connection takes over and the old one is left as it is.
  void connect(bool clean_start, std::uint32_t expiry_seconds, const WillPlan& will,
               core::ShardId shard);
  void publish(Sent& message);
  void subscribe(const std::vector<std::string>& filters, QoS qos, mqtt::RetainHandling handling);
  void unsubscribe(const std::string& filter);
  /// Says goodbye; with `end_session` the session ends too (MQTT 5: Session Expiry Interval 0).
  void disconnect(bool end_session, bool with_will);
  /// Closes its writing side without a word.
  void half_close();
  /// The connection breaks; what is on its way is lost.
  void cut();
  void ping();

  /// Reads some of what came, answers some of what it owes.
  void step(bool everything);
  /// Takes no bytes until that step.
  void stall(std::uint64_t until_step);
  /// What it sends does not arrive until that step.
  void delay(std::uint64_t until_step);
  /// Ends both.
  void hasten() {
    stall(0);
    delay(0);
  }

  std::uint64_t activity = 0;  ///< packets handled
  std::function<void(const std::string&)> trace;

  /// What happened to the current will; for the checker of wills.
  Sent* will() const { return will_; }

 private:
  enum class Phase : std::uint8_t { Offline, Connecting, Connected, Leaving };
  struct Outgoing {
    mqtt::PacketId id;
    Sent* message;
    bool released;  ///< PUBREC came: PUBREL is what is (re)sent
  };
  struct Owed {
    mqtt::PacketType type;
    mqtt::PacketId id;
  };
  struct Request {  // SUBSCRIBE or UNSUBSCRIBE
    bool subscribe;
    std::vector<std::string> filters;
    QoS qos;
  };

  void send(const std::string& bytes);
  void send_publish(const Outgoing& outgoing, bool dup);
  void send_ack(mqtt::PacketType type, mqtt::PacketId id);
  mqtt::PacketId free_id();
  void pay(bool everything);
  void read(bool everything);
  void on_packet(const mqtt::Packet& packet);
  void on_connack(const mqtt::Connack& packet);
  void on_publish(const mqtt::Publish& packet);
  void on_answer(const mqtt::Publish& packet, const std::string& topic);
  void on_ack(const mqtt::Ack& packet);
  void on_own_ack(const mqtt::Ack& packet);
  void on_pubrel(const mqtt::Ack& packet);
  void on_suback(const mqtt::Suback& packet);
  void on_unsuback(mqtt::PacketId id, std::size_t codes);
  void on_disconnect(const mqtt::Disconnect& packet);
  void settle(std::size_t index, ReasonCode code);
  void abandon();
  void lose_connection();
  void forget_session();
  void end_session();
  void bury(bool all);
  bool may_be_gone() const;
  void resume();
  bool v5() const { return traits_.version == mqtt::Version::V5; }
  void complain(const std::string& what);

  ClientTraits traits_;
  Ledger& ledger_;
  SimNetwork& network_;
  SimClock& clock_;
  base::Prng& random_;

  // The connection
  std::shared_ptr<Wire> wire_;
  Phase phase_ = Phase::Offline;
  std::string inbox_;
  std::deque<Owed> owed_;
  std::map<mqtt::PacketId, QoS> unacknowledged_;  ///< from the broker, on this connection
  std::deque<mqtt::PacketId> expected_pubacks_, expected_pubrecs_;
  std::deque<mqtt::PacketId> expected_pubrels_;  ///< in the order of our PUBRECs [MQTT-4.6.0-4]
  std::map<mqtt::PacketId, Request> requests_;
  std::map<std::uint16_t, std::string> aliases_;
  bool clean_start_ = false;
  std::optional<Milliseconds> goodbye_at_;
  bool told_to_go_ = false;  ///< the broker said DISCONNECT
  std::uint16_t window_ = 20;
  std::uint32_t connection_expiry_ = 0;
  Sent* will_ = nullptr;

  // The session
  SimSession* session_ = nullptr;
  bool must_start_clean_ = true;  ///< what the broker has of us is not known
  std::deque<Outgoing> outgoing_;
  std::map<mqtt::PacketId, std::uint32_t>
      received_;  ///< QoS 2 identifiers awaiting PUBREL, and their message
  std::map<std::string, QoS> filters_;
  mqtt::PacketId last_id_ = 0;
  /// Sessions that ended, until the broker must know.
  std::vector<std::pair<std::shared_ptr<Wire>, SimSession*>> graves_;
  Milliseconds lost_at_{0};  ///< when the broker knew at the earliest that the connection was gone
};

}  // namespace twinmq::sim
