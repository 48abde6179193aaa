#pragma once
// The door of services: whatever in the broker itself answers messages with messages and records,
// as device shadows and rules do. A service subscribes in the topic tree like everybody else; what
// it causes is committed together with the message that caused it.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <twinmq/access.hpp>
#include <twinmq/log.hpp>
#include <twinmq/message.hpp>
#include <twinmq/reason_code.hpp>
#include <twinmq/result.hpp>
#include <twinmq/statistics.hpp>
#include <twinmq/store.hpp>
#include <twinmq/time.hpp>

namespace twinmq {

/// A message that matches subscriptions of a service. Views are valid during the call.
struct ServiceMessage {
  /// `publisher` is the client identifier, empty for the broker and its host; `hops` counts the
  /// services that lie between this message and a client's.
  const MessageParts& parts;
  std::span<const std::uint32_t> tags;  ///< of the matching subscriptions, each once
  std::string_view principal;           ///< of the publisher; empty: none, or not known any more
  std::string_view peer;                ///< address of the publisher; empty: as above
};

/// Something that happened to a client of this shard. Views are valid during the call.
struct ClientEvent {
  enum class Kind : std::uint8_t { Connected, Disconnected, Subscribed, Unsubscribed };
  enum class End : std::uint8_t {
    ClientAsked,     ///< DISCONNECT came
    ConnectionLost,  ///< closed without DISCONNECT
    KeepAlive,       ///< silent for too long
    TakenOver,       ///< the same client identifier connected again
    ProtocolError,   ///< it broke the rules of MQTT
    NotAuthorized,
    Administrator,  ///< kicked, or the broker stops
    Other,
  };
  Kind kind;
  std::string_view client_id;
  std::string_view principal;
  std::string_view peer;
  /// A number that no other connection of this process has had.
  std::uint64_t connection = 0;
  End end = End::Other;  ///< Disconnected
  /// Subscribed, Unsubscribed: one filter per event, with its $share prefix.
  std::string_view filter;
};

/// A message that somebody does not get. Views are valid during the call.
struct DroppedMessage {
  enum class Reason : std::uint8_t {
    QueueFull,     ///< the topic is one of limits.queue_drop_oldest or queue_drop_newest
    QueueRefused,  ///< the queue is full; a publisher of MQTT 5 is told
    OutputFull,    ///< QoS 0, and the client does not read
    Expired,
    TooLarge,       ///< for the client
    NotAuthorized,  ///< the client may not receive it
    ByHost,
    Hops,  ///< it went through more services than limits.hops_max
  };
  static constexpr std::size_t kReasons = 8;

  Reason reason;
  std::string_view client_id;  ///< who does not get it; empty: nobody in particular
  std::string_view topic;
};

/// Names a transaction that was held open; 0: none.
using HeldTransaction = std::uint64_t;

/// What a service does about a message, a timer or a request. Lives during one call on the shard's
/// thread; everything in it is one transaction with the message, if there is one: it is written as
/// a whole or not at all, and only then is the publisher answered.
class Reaction {
 public:
  /// Changes of the store.
  virtual Batch& records() = 0;

  /// Publishes a message as part of the transaction: receivers that are connected get it without
  /// waiting for the commit. Views are copied. `hops` and `publisher_session` are set by the
  /// broker; beyond limits.hops_max the message is dropped and counted.
  virtual void publish(const MessageParts& message) = 0;

  /// Publishes a message once the records are safe. It is written with them as long as it may
  /// matter to anybody who survives a crash, so that a crash in between does not lose it.
  virtual void publish_after_commit(const MessageParts& message) = 0;

  /// Runs in a later turn or in this one, when the records are safe. If they never are, it is
  /// destroyed without a call.
  virtual void after_commit(std::function<void()> action) = 0;

  /// The publisher is told that a quota is exceeded, as for a full queue.
  virtual void refuse() = 0;

  /// Keeps the transaction open beyond this call, until ServiceHost::resume(). Later transactions
  /// of the publisher's shard wait behind it, so this is for what takes a disk read, not a
  /// network's answer.
  virtual HeldTransaction hold() = 0;

 protected:
  ~Reaction() = default;
};

/// What the shard does for a service. Every call on the shard's thread and within a turn.
class ServiceHost {
 public:
  virtual std::uint32_t shard() const = 0;
  virtual std::uint32_t shards() const = 0;
  /// Whether the key (of a thing, a group) lives on this shard.
  virtual bool is_home(std::string_view key) const = 0;
  virtual Now now() const = 0;
  virtual std::uint64_t random() = 0;

  /// Messages that match come to on_message(), on the shard where they enter the broker. Every
  /// shard's instance subscribes for itself. The same filter again changes its tag. Not persistent;
  /// the filter must be legal.
  virtual void subscribe(std::string_view filter, std::uint32_t tag) = 0;
  virtual void unsubscribe(std::string_view filter) = 0;

  /// Whether a message of the topic would find a receiver now, on any shard. True when that is not
  /// known.
  virtual bool has_receivers(std::string_view /*topic*/) const { return true; }

  /// A transaction without a message: for timers, requests of the host, results of reads.
  virtual void react(const std::function<void(Reaction&)>& action) = 0;
  /// Goes on with a held transaction and closes it, unless the action holds it again.
  virtual void resume(HeldTransaction held, const std::function<void(Reaction&)>& action) = 0;

  /// Reads from the store without waiting for it: `done` is called in a later turn, once, with a
  /// state of the store that holds at least everything that was committed when it was asked for. It
  /// is destroyed without a call when the shard ends. Two reads may overtake each other.
  virtual void read(StoreRange range, std::function<void(Result<StoreEntries>)> done) = 0;

  /// Whether the identity may do that; true while nothing is restricted.
  virtual bool may(const Identity& identity, Action action, std::string_view topic, QoS qos,
                   bool retain) const = 0;

  /// False: may() is true whatever is asked.
  virtual bool restricts() const { return true; }

  virtual void log(LogLevel level, std::string_view event, const std::string& detail) const = 0;

  /// Adds to a metric of the broker.
  virtual void count(Metric metric, std::uint64_t amount = 1) = 0;

 protected:
  ~ServiceHost() = default;
};

/// One instance per shard, used on the shard's thread.
class Service {
 public:
  virtual ~Service() = default;

  /// By which the host program finds it.
  virtual std::string_view name() const = 0;

  /// First of all calls, before restore(). The host outlives the service.
  virtual void attach(ServiceHost& host) = 0;

  /// Reads back what earlier runs stored for keys whose home is this shard. Called with a store
  /// that holds everything committed so far, also after a failed commit has made the broker start
  /// its shards anew.
  virtual Result<void> restore(Store&, Now) { return {}; }

  /// Messages of a topic with a key are all handled by the instance at the key's home, in the order
  /// in which a connection published them; empty: on the shard they enter. Asked only for topics
  /// that begin with '$'.
  virtual std::string_view home_key(std::string_view) const { return {}; }

  /// Whether clients may not publish this: topics on which only the service speaks, RETAIN where it
  /// is not offered. Asked only for topics that begin with '$'.
  virtual bool forbids(std::string_view, bool /*retain*/) const { return false; }

  /// Whether the messages of this topic are for services alone: no client can subscribe to it, and
  /// wildcards do not reach it. Asked only for topics (and filters) that begin with '$'.
  virtual bool hides(std::string_view) const { return false; }

  /// Must not change subscriptions of the topic tree while it runs, except by ServiceHost.
  virtual void on_message(const ServiceMessage& message, Reaction& reaction) = 0;

  /// Asked once, after attach(): whether on_client_event() is of any use.
  virtual bool wants_client_events() const { return false; }
  /// Asked when it happens, and again before on_client_event(): one that nobody wants costs next to
  /// nothing. It must only look.
  virtual bool wants_client_event(const ClientEvent&) const { return true; }
  virtual void on_client_event(const ClientEvent&, Reaction&) {}

  /// Asked once, after attach(): whether on_drop() is of any use.
  virtual bool wants_drops() const { return false; }
  /// In the midst of a turn: it may only take note, for on_time(). Not told: what goes with a
  /// session that ends.
  virtual void on_drop(const DroppedMessage&) {}

  /// Earliest moment for on_time(); may be early.
  virtual Instant next_deadline() const { return kNever; }
  virtual void on_time(Reaction&) {}
};

}  // namespace twinmq
