#pragma once
// The door of QoS persistence: what must survive of a session, and how it comes back.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <twinmq/message.hpp>
#include <twinmq/result.hpp>
#include <twinmq/store.hpp>
#include <twinmq/time.hpp>

namespace twinmq {

/// A will as it is kept with its session.
struct StoredWill {
  MessageRef message;  ///< never expires by itself
  std::uint32_t delay_seconds = 0;
  std::optional<std::uint32_t>
      expiry_seconds;  ///< Message Expiry Interval, counted from publication
};

/// The lasting facts of a session.
struct StoredSession {
  std::string client_id;
  std::string principal;
  std::uint32_t expiry_seconds = 0;
  std::optional<WallTime> disconnected_at;  ///< empty while connected
  std::optional<StoredWill> will;           ///< not yet published
  bool shared = false;                      ///< it was in a share group at some time
};

struct StoredSubscription {
  std::string filter;  ///< with its $share prefix
  QoS qos = QoS::AtMostOnce;
  bool no_local = false;
  bool retain_as_published = false;
  std::uint32_t subscription_id = 0;
};

/// One QoS 1 or 2 message waiting for, or in flight to, a session. Its packet identifier is
/// 1 + sequence % 65535, so that it need not be written.
struct StoredDelivery {
  std::uint64_t sequence = 0;
  MessageRef message;  ///< empty once `released`
  QoS qos = QoS::AtLeastOnce;
  bool retain = false;
  bool released = false;  ///< PUBREC has come: only PUBREL and PUBCOMP remain
  std::vector<std::uint32_t> subscription_ids;
  std::string share;  ///< "name/filter" if a share group gave it to this session
  /// Not 0: the message lies in the store once, under this number, for all its deliveries.
  std::uint64_t common_message = 0;
};

/// A run of deliveries that stays in the store while it waits. Between `first` and `end` some may
/// be complete; the sums may be estimates, and are put right as the run is read.
struct StoredQueue {
  std::uint64_t first = 0;  ///< sequence
  std::uint64_t end = 0;    ///< first sequence behind it
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
};

/// Sequences of deliveries, or numbers of common messages, from the first to before the other.
struct NumberRange {
  std::uint64_t from = 0;
  std::uint64_t to = 0;
};

/// A message that the broker itself still has to route: a will whose moment has come, or what a
/// session that ended gives back to its share group.
struct OwedMessage {
  std::uint64_t number = 0;  ///< names it among all of the store
  std::string share;         ///< "name/filter"; empty: to be published
  MessageRef message;
};

/// Turns changes of sessions into changes of the store, and back at start. One instance per shard,
/// used on the shard's thread. Every recording call only adds to the batch.
class SessionJournal {
 public:
  /// Receives what restore() finds; per session: session, then its subscriptions, deliveries in
  /// ascending sequence and packet identifiers. Owed messages come last.
  class Visitor {
   public:
    virtual ~Visitor() = default;
    virtual void session(StoredSession session) = 0;
    virtual void subscription(StoredSubscription subscription) = 0;
    virtual void delivery(StoredDelivery delivery) = 0;
    /// In place of the deliveries, when the journal can read them later.
    virtual void queue(const StoredQueue& /*queue*/) {}
    /// Whether queue() is understood.
    virtual bool takes_queues() const { return false; }
    virtual void received(std::uint16_t packet_id) = 0;
    virtual void owed(OwedMessage message) = 0;
  };

  virtual ~SessionJournal() = default;

  /// Created, or any of its lasting facts changed.
  virtual void session(const StoredSession& session, Now now, Batch& batch) = 0;
  /// Gone with everything it had, but for the deliveries with these sequences (ascending), which
  /// may be in the store or may come later: delivered() will be called for each that can be read.
  virtual void session_ended(std::string_view client_id, std::span<const NumberRange> spared,
                             Batch& batch) = 0;
  virtual void subscribed(std::string_view client_id, const StoredSubscription& subscription,
                          Batch& batch) = 0;
  virtual void unsubscribed(std::string_view client_id, std::string_view filter, Batch& batch) = 0;
  /// A message that deliveries in the same batch have in common. False: this journal writes it with
  /// each of them, and StoredDelivery::common_message stays 0.
  virtual bool common_message(std::uint64_t /*number*/, const Message&, Now, Batch&) {
    return false;
  }
  /// No delivery has it any more.
  virtual void common_message_gone(std::uint64_t /*number*/, Batch&) {}
  /// The highest number in use of those in [from, to); 0: none.
  virtual Result<std::uint64_t> last_common_message(Store&, std::uint64_t /*from*/,
                                                    std::uint64_t /*to*/) {
    return std::uint64_t{0};
  }
  /// How to find the common messages with these numbers that no delivery has: keys for
  /// common_message_number(). What is committed later must not bring such a delivery.
  virtual StoreRange unused_common_messages(std::vector<NumberRange> /*among*/) { return {}; }
  virtual std::uint64_t common_message_number(std::string_view /*key*/) { return 0; }

  /// A delivery was added, or became `released`.
  virtual void delivery(std::string_view client_id, const StoredDelivery& delivery, Now now,
                        Batch& batch) = 0;
  /// A delivery is complete (or was dropped).
  virtual void delivered(std::string_view client_id, std::uint64_t sequence, Batch& batch) = 0;
  /// Where deliveries lie, for reading them back by parts: from that sequence to before the other.
  /// Empty: this journal cannot do that, and queues stay in memory.
  virtual std::optional<StoreRange> queue_range(std::string_view /*client_id*/,
                                                std::uint64_t /*from*/, std::uint64_t /*to*/) {
    return std::nullopt;
  }
  /// One entry of such a range.
  virtual Result<StoredDelivery> read_delivery(std::string_view /*key*/,
                                               std::string_view /*record*/, Now) {
    return Error{ErrorCode::Internal, "this journal gives no ranges"};
  }

  /// The identifier of a QoS 2 message from the client, kept until PUBREL [MQTT-4.3.3-10].
  virtual void received(std::string_view client_id, std::uint16_t packet_id, Batch& batch) = 0;
  virtual void completed(std::string_view client_id, std::uint16_t packet_id, Batch& batch) = 0;

  virtual void owed(const OwedMessage& message, Now now, Batch& batch) = 0;
  virtual void routed(std::uint64_t number, Batch& batch) = 0;

  /// Reads back the sessions for which `mine` answers true, and each owed message on one shard:
  /// where `mine` is true of its key, or of anything else that is its own and lasting. A delivery
  /// whose session is gone was committed after the session had ended, or spared for being read
  /// back: it is erased, and owed if a share group had given it. Corrupt records are reported
  /// through `complain` and left out.
  virtual Result<void> restore(Store& store, Now now,
                               const std::function<bool(std::string_view client_id)>& mine,
                               Visitor& visitor,
                               const std::function<void(std::string)>& complain) = 0;
};

}  // namespace twinmq
