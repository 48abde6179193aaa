#pragma once
// One connection's protocol: what it may send when, and what it is answered. The network end of a
// session.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <twinmq/access.hpp>
#include <twinmq/bytes.hpp>
#include <twinmq/service.hpp>
#include <twinmq/statistics.hpp>

#include "base/out_buffer.hpp"
#include "base/timing_wheel.hpp"
#include "core/effects.hpp"
#include "core/publication.hpp"
#include "core/ring.hpp"
#include "core/subscriptions.hpp"
#include "core/topic_alias.hpp"
#include "core/transactions.hpp"
#include "mqtt/decode.hpp"
#include "mqtt/encode.hpp"
#include "mqtt/packets.hpp"

namespace twinmq::core {

class HomeTopics;
class Session;
struct Shard;

/// A PUBLISH to the client.
struct OutgoingPublish {
  const MessageParts& parts;
  Publication& publication;  ///< shares the payload when it is large
  QoS qos;
  bool retain;
  bool dup;
  mqtt::PacketId packet_id;  ///< 0 with QoS 0
  std::span<const std::uint32_t> subscription_ids;
};

class Link {
 public:
  Link(Shard& shard, LinkOrigin origin);
  ~Link();

  LinkKey key;  ///< set by the shard

  // --- From the shell
  void on_bytes(ByteView bytes);
  /// Goes on with bytes that were held back.
  void on_turn();
  void on_room();
  void on_closed();
  /// The layers below are through their handshake and learned this.
  void on_facts(std::shared_ptr<const ConnectionFacts> facts);
  /// The layers below refused the peer, or gave up on it.
  void on_refused(std::string_view why);
  void on_timer();

  base::OutBuffer& output() { return output_; }
  bool closing() const { return phase_ == Phase::Closing; }
  bool welcomed() const { return phase_ == Phase::Connected; }
  bool reading() const { return held_ == 0 && phase_ != Phase::Closing; }
  bool drained() const { return pending_.empty(); }
  bool has_more() const;
  const LinkOrigin& origin() const { return origin_; }
  Session* session() const { return session_; }
  /// The shard where the session lives, once CONNECT told it and it is another one.
  std::optional<ShardId> destination() const { return destination_; }
  /// What the other shard needs; the link is of no use afterwards.
  MovedLink move_away();

  // --- From the session
  /// False: the packet exceeds the client's Maximum Packet Size and was not sent [MQTT-3.1.2-24].
  bool send_publish(const OutgoingPublish& publish);
  void send_ack(mqtt::PacketType type, mqtt::PacketId id, ReasonCode code);
  /// Whether the client reads fast enough for more.
  bool has_room() const { return output_.size() < kOutputPause; }

  // --- From transactions and subscriptions
  void on_session_stored();
  void on_authenticated(std::uint64_t question, const AuthenticationResult& result);
  void keep_promise(std::uint64_t promise, ReasonCode code);
  void on_published(std::uint64_t promise, const Outcome& outcome);
  /// The same for copies of a QoS 2 message that came while the first one's transaction was open.
  void on_received_settled(mqtt::PacketId id, const Outcome& outcome);
  void begin_replays(std::uint64_t group);
  void on_fence_passed();

  // --- Ending it
  /// DISCONNECT (or CONNACK, before the welcome) with the reason where the version has one, then
  /// close.
  void disconnect(ReasonCode code, std::string_view why);
  void on_access_changed();
  void describe(SessionInfo& info) const;
  /// For services: what happened to this client.
  void note(ClientEvent::Kind kind, std::string_view filter = {}) const;

 private:
  enum class Phase : std::uint8_t { AwaitConnect, Authenticating, Storing, Connected, Closing };
  /// Reasons not to read the link now.
  enum Hold : std::uint8_t {
    kHoldConnect = 1,    ///< the CONNECT is not answered
    kHoldMail = 2,       ///< other shards, or the store, do not keep up
    kHoldTurn = 4,       ///< others have their turn first
    kHoldOutput = 8,     ///< the client does not read what it is sent
    kHoldPromises = 16,  ///< too much is owed to the client
    kHoldFence = 32,     ///< what was published before must arrive first
  };

  /// Something owed to the client, in the order it is owed.
  struct Promise {
    mqtt::PacketType type = mqtt::PacketType::Puback;
    mqtt::PacketId packet_id = 0;
    ReasonCode code = ReasonCode::Success;
    bool kept = false;
    std::unique_ptr<std::string> packet;  ///< SUBACK, UNSUBACK
  };
  struct PendingConnect;
  struct Enhanced;

  /// Output beyond this makes sessions wait with what they can keep.
  static constexpr std::size_t kOutputPause = 256 * 1024;
  /// Owed beyond Receive Maximum before the link is not read: SUBACKs, and what MQTT 3.1.1 does not
  /// limit.
  static constexpr std::size_t kPromisesMore = 1024;

  // link.cpp
  std::size_t consume(ByteView bytes);
  void dispatch(const mqtt::Frame& frame);
  void on_pingreq();
  void on_disconnect(const mqtt::Frame& frame);
  void refuse(const mqtt::DecodeError& error);
  void close();
  void hold(Hold why) { held_ = static_cast<std::uint8_t>(held_ | why); }
  void let_go(Hold why);
  void hold_if_too_much();
  void send(std::string_view packet);
  void send_ack_with_reason(mqtt::PacketType type, mqtt::PacketId id, ReasonCode code);
  void write_publish(const mqtt::PublishHead& head, std::size_t head_size,
                     const OutgoingPublish& publish);
  void watch_keep_alive();
  void detach_session();
  bool v5() const { return version_ == mqtt::Version::V5; }
  static ReasonCode for_packet(mqtt::PacketType type, ReasonCode code);
  std::string who() const;

  // on_connect.cpp
  void on_connect(const mqtt::Frame& frame);
  std::optional<ReasonCode> judge_connect(const mqtt::Connect& packet) const;
  void authenticate(const mqtt::Frame& frame, mqtt::Connect& packet);
  void on_verdict(const mqtt::Connect& packet, const AuthenticationResult& result);
  void open_session(const mqtt::Connect& packet, const std::string& principal);
  void adopt_options(const mqtt::Connect& packet);
  void welcome();
  void reject(ReasonCode code, std::string_view why);
  Credentials credentials(const mqtt::Connect& packet) const;
  void add_origin(Credentials& credentials) const;
  std::optional<ReasonCode> judge_will(const mqtt::Connect& packet, const Identity& identity) const;

  // on_auth.cpp
  void on_auth(const mqtt::Frame& frame);
  void ask(bool reauthentication, std::string_view method);
  Authentication::Done answer();
  void on_reauthenticated(const AuthenticationResult& result);
  void send_auth(ReasonCode code, std::string_view data);

  // on_publish.cpp
  void on_publish(const mqtt::Frame& frame);
  bool is_allowed(mqtt::Publish& packet);
  bool resolve_alias(mqtt::Publish& packet);
  void answer_copy(mqtt::PacketId id);
  bool keeps_receive_maximum(const mqtt::Publish& packet);
  void route(const mqtt::Publish& packet);
  Waiter waiter_for(const mqtt::Publish& packet, Batch& records);
  std::optional<ReasonCode> judge_publish(const mqtt::Publish& packet);
  std::optional<ReasonCode> filter_publish(mqtt::Publish& packet, std::string& payload);
  void answer_unrouted(const mqtt::Publish& packet, ReasonCode code);
  void answer_publish(mqtt::PacketType type, mqtt::PacketId id, const Outcome& outcome,
                      std::optional<std::uint64_t> promise);
  void refuse_publish(const mqtt::Publish& packet, ReasonCode code);
  bool may_be_stored(const mqtt::Publish& packet) const;
  void refuse_for_room(const mqtt::Publish& packet);
  bool goes_by_home(const mqtt::Publish& packet);
  bool waits_for_fence(const mqtt::Publish& packet);
  std::uint64_t owe(mqtt::PacketType type, mqtt::PacketId id,
                    std::unique_ptr<std::string> packet = nullptr);
  void acknowledge(mqtt::PacketType type, mqtt::PacketId id, ReasonCode code);
  void send_kept_promises();

  // on_subscribe.cpp
  void on_subscribe(const mqtt::Frame& frame);
  void on_unsubscribe(const mqtt::Frame& frame);
  ReasonCode subscribe(const mqtt::SubscribeEntry& entry, std::uint32_t subscription_id,
                       bool& stored, std::uint64_t replays, std::vector<ShardId>& share_homes);
  void open_replays(const ReplayWanted& wanted);
  ReasonCode judge_subscribe(const mqtt::SubscribeEntry& entry);
  bool is_subscribed(std::string_view filter) const;
  ReasonCode unsubscribe(std::string_view filter, bool& stored, std::vector<ShardId>& share_homes);

  // on_acks.cpp
  void on_ack(const mqtt::Frame& frame);
  void on_pubrel(const mqtt::Ack& ack);

  Shard& shard_;
  Session* session_ = nullptr;
  base::OutBuffer output_;
  std::string pending_;  ///< bytes not yet worked on: a split packet, or held back
  Ring<Promise> promises_;
  std::uint64_t first_promise_ = 0;
  base::Timer timer_;
  Instant heard_{};
  LinkOrigin origin_;
  mqtt::Version version_ = mqtt::Version::V311;
  Phase phase_ = Phase::AwaitConnect;
  ClientEvent::End end_ = ClientEvent::End::ConnectionLost;  ///< why it will have closed
  std::uint8_t held_ = 0;
  bool problem_information_ = true;  ///< acknowledgements may carry a reason string [MQTT-3.1.2-29]
  bool session_present_ = false;
  bool postponed_ = false;  ///< stands in Shard::postponed
  std::uint16_t keep_alive_seconds_ = 0;
  std::uint16_t unanswered_ = 0;  ///< QoS 1 messages from the client whose PUBACK is not sent
  std::uint32_t client_packet_size_max_ = mqtt::kRemainingLengthMax + 5;
  std::uint32_t requested_expiry_ = 0;
  std::unique_ptr<IncomingAliases> aliases_in_;
  std::unique_ptr<OutgoingAliases> aliases_out_;
  std::unique_ptr<PendingConnect> pending_connect_;
  std::unique_ptr<Enhanced> enhanced_;
  std::unique_ptr<HomeTopics> home_topics_;
  bool direct_since_fence_ =
      false;            ///< published straight to other shards; such letters may be on their way
  bool again_ = false;  ///< the packet just seen must be worked on again later
  std::optional<ShardId> destination_;
  std::unique_ptr<const std::string> assigned_client_id_;

  friend struct Shard;
};

}  // namespace twinmq::core
