#pragma once
// What outlives a connection: identity, subscriptions, the messages on their way to the client, the
// identifiers of QoS 2 messages from it, and the will.

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <twinmq/access.hpp>
#include <twinmq/session_journal.hpp>
#include <twinmq/statistics.hpp>

#include "base/timing_wheel.hpp"
#include "core/common_messages.hpp"
#include "core/retained_replay.hpp"
#include "core/ring.hpp"
#include "core/subscriber.hpp"
#include "core/topic_tree.hpp"
#include "core/transactions.hpp"
#include "mqtt/packets.hpp"

namespace twinmq::core {

class Link;
struct Shard;

/// Session Expiry Interval that means "never", section 3.1.2.11.2.
inline constexpr std::uint32_t kExpiryNever = 0xFFFF'FFFF;

class Session final : public Subscriber {
 public:
  Session(Shard& shard, std::string client_id, std::string principal);
  ~Session();

  SessionKey key;  ///< set by the table

  const std::string& client_id() const { return client_id_; }
  const std::string& principal() const { return principal_; }
  std::uint64_t number() const;
  Link* link() const { return link_; }
  bool persistent() const { return expiry_seconds_ > 0; }
  std::uint32_t expiry_seconds() const { return expiry_seconds_; }

  // --- Connection
  /// A connection takes the session over; `inflight_max` is the client's Receive Maximum, bounded
  /// by ours.
  void attach(Link& link, std::uint32_t expiry_seconds, std::uint16_t inflight_max);
  /// Sends what the last connection left unacknowledged [MQTT-4.4.0-1], then what waits.
  void resume();
  /// The connection is gone. May end the session: do not touch it afterwards.
  void detach();
  /// DISCONNECT changed it.
  void set_expiry(std::uint32_t seconds) { expiry_seconds_ = seconds; }
  /// What the store knew of it. A session that was connected when the broker went is absent from
  /// now on.
  void restore(StoredSession stored);
  void set_will(std::optional<StoredWill> will);
  void discard_will();
  /// Writes the lasting facts, if the session is persistent.
  void record();
  void on_timer();
  /// Publishes a pending will, gives up everything it has. The table deletes the object afterwards.
  void end();
  /// The deadline of an absent session, from what was stored.
  void wait_for_client(Instant deadline);

  // --- Messages to the client
  void deliver(const Delivery& delivery, Route& route) override;
  /// The publish is answered when the queue has room again. False: it has already.
  bool hold_back(const HeldBack& publish);
  /// Sends as far as window and output allow.
  void pump();
  bool has_more() const;
  bool window_open() const { return link_ && next_ == end_sequence() && inflight_ < inflight_max_; }
  /// Answers to our PUBLISH and PUBREL. False: no such delivery is waiting for it.
  bool on_puback(mqtt::PacketId id);
  bool on_pubrec(mqtt::PacketId id, ReasonCode code);
  bool on_pubcomp(mqtt::PacketId id);

  // --- Persistence of deliveries
  /// Adds the delivery to the batch, unless it is complete already. `last`: the deliveries before
  /// it may have its message, too; null: it is alone.
  void write_delivery(std::uint64_t sequence, CommonMessages::Written* last, Batch& batch);
  void on_delivery_written(std::uint64_t sequence);
  void on_release_stored(std::uint64_t sequence);
  /// False: no session can have had it behind what was restored before.
  bool restore_delivery(StoredDelivery stored);
  /// The queue waits in the store until somebody wants it.
  void restore_queue(const StoredQueue& stored);

  // --- QoS 2 messages from the client [MQTT-4.3.3-10]
  bool has_received(mqtt::PacketId id) const;
  void add_received(mqtt::PacketId id);
  bool remove_received(mqtt::PacketId id);
  /// The transaction of that message is open: until it is settled even a copy is not acknowledged.
  void await_settlement(mqtt::PacketId id) { unsettled_.push_back(id); }
  bool is_settled(mqtt::PacketId id) const;
  void on_received_settled(mqtt::PacketId id, const Outcome& outcome);
  /// The message was refused: its identifier is new again [MQTT-4.3.3-9].
  void forget_received(mqtt::PacketId id);
  /// Those that came over the present connection: only they count against Receive Maximum
  /// [MQTT-3.3.4-7].
  std::size_t received_here() const { return received_.size() - carried_; }

  // --- Subscriptions
  std::vector<FilterId>& filters() { return filters_; }
  struct Shared {
    mqtt::SubscriptionOptions options;
    std::uint32_t subscription_id = 0;
  };
  /// By "name/filter".
  using SharedFilters = std::map<std::string, Shared, std::less<>>;
  const SharedFilters& shared() const;
  SharedFilters& change_shared();
  /// It may have messages of a share group from now on.
  void joined_group();
  std::list<RetainedReplay>& replays() { return replays_; }
  void open_replay(RetainedReplay replay);
  /// The SUBSCRIBE they belong to is in force.
  void begin_replays(std::uint64_t group);

  /// For the authorizer; null when there is none.
  std::unique_ptr<Identity> identity;
  /// Drops queued messages the client may no longer receive.
  void judge_again();

  SessionInfo describe() const;

 private:
  enum class State : std::uint8_t {
    Waiting,         ///< PUBLISH not sent on this connection
    Sent,            ///< waits for PUBACK or PUBREC
    ReleaseStoring,  ///< PUBREC came; PUBREL follows when that is safe
    Released,        ///< waits for PUBCOMP
    Done,
  };
  /// How far the store knows of an entry.
  enum class Stored : std::uint8_t {
    No,       ///< and need not: transient, or complete before it was written
    Unsafe,   ///< never will; it is a share group's, and its publish is not known to be committed
    Pending,  ///< belongs to a transaction that is not sealed
    Writing,
    Yes,
  };
  struct Extra {
    std::vector<std::uint32_t> subscription_ids;
    std::string share;
    std::uint64_t common_message = 0;  ///< where the store has the message, if not in the delivery
  };
  struct Entry {
    MessageRef message;
    std::unique_ptr<Extra> extra;  ///< null for most
    std::uint32_t subscription_id = 0;
    State state = State::Waiting;
    Stored stored = Stored::No;
    QoS qos = QoS::AtLeastOnce;
    bool retain : 1 = false;
    bool dup : 1 = false;  ///< sent on an earlier connection
    bool in_window : 1 = false;
    bool restored : 1 = false;  ///< nobody knows whether it was sent before
  };

  /// The middle of a long queue, which lies in the store alone: committed, and not sent over this
  /// connection. In front of it are entries_, behind it what came since.
  struct Cold {
    std::uint64_t from = 0;          ///< first sequence; entries_ end here
    std::uint64_t end = 0;           ///< the tail begins here
    std::uint64_t messages = 0;      ///< of live_
    std::uint64_t bytes = 0;         ///< of queued_bytes_
    std::uint64_t sent_end = 0;      ///< what is below was perhaps sent on an earlier connection
    std::uint64_t restored_end = 0;  ///< what is below comes from before the restart
    std::uint64_t reading = 0;       ///< the read under way; 0: none
    bool shares = false;             ///< a share group may have given some of it
    Ring<Entry> tail;                ///< all of them Waiting
  };

  void deliver_at_once(const Delivery& delivery, const MessageParts& parts, Route& route);
  bool has_full_queue(std::size_t bytes) const;
  bool is_full(std::size_t bytes) const;
  bool make_room(const MessageParts& parts, std::size_t bytes, Route& route);
  void tell_room();
  bool drop_oldest();
  bool drop_cold();
  bool may_receive(std::string_view topic, QoS qos, bool retain) const;
  Entry* find(std::uint64_t sequence);
  Entry* find_sent(mqtt::PacketId id, std::uint64_t& sequence);
  /// Of entries_: what can be sent without reading.
  std::uint64_t warm_end() const { return head_ + entries_.size(); }
  std::uint64_t end_sequence() const {
    return cold_ ? cold_->end + cold_->tail.size() : warm_end();
  }
  void fill_entry(Entry& entry, StoredDelivery stored);
  void rewind();
  bool may_go_cold(const Entry& entry) const;
  bool begin_cold();
  void go_cold(Entry& entry, std::uint64_t sequence);
  void spill();
  void spill_if_over_budget();
  void read_ahead();
  void on_read_ahead(std::uint64_t ticket, std::uint64_t to, Result<StoreEntries> found);
  void warm_up(std::string_view key, std::string_view record);
  void skip_to(std::uint64_t sequence);
  void end_cold();
  void judge(Entry& entry, std::uint64_t sequence);
  bool gated(const Entry& entry) const;
  void send_next(Entry& entry, std::uint64_t sequence);
  void finish(Entry& entry, std::uint64_t sequence);
  void erase_delivery(Entry& entry, std::uint64_t sequence);
  void leave_common_message(Entry& entry);
  void release_message(Entry& entry);
  void leave_window(Entry& entry);
  void pop_done();
  void pump_replays();
  void drop_outdated_replays();
  bool is_wanted(const RetainedReplay& replay) const;
  bool has_expired(const Entry& entry) const;
  void publish_will();
  void leave_filters();
  static bool returns_to_group(const Entry& entry);
  void give_back(const Entry& entry, std::uint64_t sequence);
  StoredDelivery stored_delivery(const Entry& entry, std::uint64_t sequence) const;

  Shard& shard_;
  std::string client_id_;
  std::string principal_;
  Link* link_ = nullptr;
  Ring<Entry> entries_;
  std::unique_ptr<std::vector<HeldBack>> held_back_;  ///< null: nobody, as for nearly all
  std::unique_ptr<Cold> cold_;                        ///< null: the whole queue is in entries_
  std::uint64_t head_ =
      0;  ///< sequence of entries_[0]; a packet identifier is 1 + sequence % 65535
  std::uint64_t next_ = 0;  ///< first sequence not sent on this connection
  std::uint64_t queued_bytes_ = 0;
  std::uint32_t live_ = 0;              ///< entries that are not Done
  std::uint32_t releases_storing_ = 0;  ///< PUBRELs that wait for a commit
  std::uint16_t inflight_ = 0;
  std::uint16_t inflight_max_ = 1;
  std::uint16_t carried_ = 0;  ///< of received_
  std::uint32_t expiry_seconds_ = 0;
  std::uint64_t judged_epoch_ = 0;  ///< of the rights by which the queue was last judged
  bool replaying_ = false;
  bool recorded_ = false;  ///< the store knows the session
  bool shared_once_ = false;
  std::optional<WallTime> disconnected_at_;
  std::vector<FilterId> filters_;
  std::unique_ptr<SharedFilters> shared_;  ///< null: none, as for most sessions
  std::list<RetainedReplay> replays_;      ///< one SUBSCRIBE can bring thousands
  struct ReceivedId {
    mqtt::PacketId id;
    bool carried;  ///< from an earlier connection
  };
  static bool before(const ReceivedId& received, mqtt::PacketId id) { return received.id < id; }
  std::vector<ReceivedId> received_;       ///< ascending
  std::vector<mqtt::PacketId> unsettled_;  ///< those of them whose transactions are open
  std::unique_ptr<StoredWill> will_;
  Instant expires_at_ = kNever;
  Instant will_at_ = kNever;
  base::Timer timer_;
};

/// Packet identifier of a delivery, and the first sequence at or after `from` that has the
/// identifier.
inline mqtt::PacketId packet_id_of(std::uint64_t sequence) {
  return static_cast<mqtt::PacketId>(1 + sequence % 65535);
}
inline std::uint64_t sequence_of(mqtt::PacketId id, std::uint64_t from) {
  const std::uint64_t wanted = id - 1u;
  return from + (wanted + 65535 - from % 65535) % 65535;
}

}  // namespace twinmq::core
