#pragma once
// One shard of the broker, whole, without a socket, a thread or a clock: bytes, mail, commits and
// time go in; effects come out.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <twinmq/access.hpp>
#include <twinmq/broker.hpp>
#include <twinmq/bytes.hpp>
#include <twinmq/config.hpp>
#include <twinmq/delivery.hpp>
#include <twinmq/reason_code.hpp>
#include <twinmq/retained.hpp>
#include <twinmq/service.hpp>
#include <twinmq/session_journal.hpp>
#include <twinmq/statistics.hpp>
#include <twinmq/time.hpp>

#include "base/counters.hpp"
#include "base/mailbox.hpp"
#include "base/out_buffer.hpp"
#include "core/durability_levels.hpp"
#include "core/effects.hpp"
#include "core/ids.hpp"
#include "core/letter_batch.hpp"
#include "core/mail.hpp"

namespace twinmq::core {

class ShardCore;
struct Shard;

using Mail = base::MailExchange<Letter, LetterBatch>;

/// Runs the errand on the thread that owns the shard, in a later turn. Callable from any thread;
/// after the shard is gone it does nothing.
using PostErrand = std::function<void(std::function<void(ShardCore&)>)>;

/// What a shard is built from. The pointers must outlive it; null: that module is off.
struct ShardParts {
  ShardId id = 0;
  unsigned shards = 1;
  MqttConfig mqtt;
  LimitsConfig limits;
  DurabilityLevels durability;
  bool client_id_bound = true;
  Mail* mail = nullptr;
  Authenticator* authenticator = nullptr;  ///< null: everybody may enter
  Authorizer* authorizer = nullptr;        ///< null: everything is allowed
  DeliveryFilter* delivery_filter = nullptr;
  PublishFilter* publish_filter = nullptr;
  std::unique_ptr<RetainedMessages> retained;
  std::unique_ptr<SessionJournal> journal;
  std::vector<std::unique_ptr<Service>> services;
  base::Counters* counters = nullptr;
  PostErrand post;
  std::function<void(const LogLine&)> log;
  bool store_full = false;  ///< what would have to be stored is refused
  std::uint64_t seed = 0;   ///< for identifiers and hash tables: unpredictable in production
};

/// One shard. Owned by one thread at a time. Every call belongs to a turn: begin_turn(), any number
/// of on_… calls, end_turn(), then the shell carries out effects() and clears them.
class ShardCore {
 public:
  explicit ShardCore(ShardParts parts);
  ~ShardCore();

  /// Reads back this shard's sessions and retained messages; before the first turn.
  Result<void> restore(Store& store, Now now);

  void begin_turn(Now now);
  /// Hands the mail over and, when the store is ready, the open batch.
  void end_turn();
  Effects& effects();

  /// Earliest moment at which on_time() has something to do; kNever: none. May be early.
  Instant next_deadline() const;
  /// Whether another turn should follow at once, without waiting for bytes or mail.
  bool wants_turn() const;

  // --- Links
  /// A new connection.
  LinkKey open(LinkOrigin origin);
  /// A connection that another shard's core moved here; its bytes are worked on at once.
  LinkKey adopt(LinkOrigin origin, std::string bytes);
  /// Bytes from the peer, any number, split anywhere. Views are not kept.
  void on_bytes(LinkKey link, ByteView bytes);
  /// The layers below MQTT are through their handshake; before any bytes.
  void on_facts(LinkKey link, std::shared_ptr<const ConnectionFacts> facts);
  /// The layers below refused the peer: as on_closed(), with a sentence for the log.
  void on_refused(LinkKey link, std::string_view why);
  /// Bytes left the output and there is room again; call it when has_more() said so.
  void on_room(LinkKey link);
  /// The peer closed or the connection broke: the key is no longer valid afterwards.
  void on_closed(LinkKey link);
  /// The shell flushed (or gave up on) a link that closing() says is to be closed, and closed it.
  void on_shut(LinkKey link);

  /// Bytes waiting to be sent; null: no such link.
  base::OutBuffer* output(LinkKey link);
  /// The core is done with the link: send what waits, then close and call on_shut().
  bool closing(LinkKey link) const;
  /// Whether the core takes bytes of this link now; false: read later, when it stands in
  /// Effects::touched.
  bool reading(LinkKey link) const;
  /// Whether nothing that the peer sent is left to be worked on: a peer that hung up may be closed
  /// at once.
  bool drained(LinkKey link) const;
  /// Whether more output follows as soon as there is room.
  bool has_more(LinkKey link) const;
  base::ChunkPool& chunks();

  // --- The rest of the world
  void on_mail();
  void on_committed(std::uint64_t commit, bool durable);
  /// The answer to one of Effects::reads.
  void on_read(std::uint64_t ticket, Result<StoreEntries> found);
  void on_time();
  /// The authenticator's answer to the question a link asked it.
  void on_authenticated(LinkKey link, std::uint64_t question, const AuthenticationResult& result);

  /// Publishes for the host or a module. The outcome comes in Effects::published when token is not
  /// 0.
  void publish(const MessageParts& message, std::uint64_t token);
  /// What the completion of a publish of the host's to that topic promises, if the store can.
  Durability durability_of(std::string_view topic) const;

  /// Whether clients may not publish that.
  bool reserved(std::string_view topic, bool retain) const;
  /// Commits changes of the host's own; `done` runs in a turn once they are safe, if ever.
  void write(const Batch& changes, std::function<void()> done);
  /// Reads the store without waiting for it, for errands of the host; see ServiceHost::read().
  /// Calls belong to a turn.
  void read(StoreRange range, std::function<void(Result<StoreEntries>)> done);
  /// The service of that name, for errands of the host; null: there is none. Calls belong to a
  /// turn.
  Service* service(std::string_view name);

  bool kick(std::string_view client_id, ReasonCode code);
  /// Says goodbye to every client: DISCONNECT with the code for MQTT 5, then close.
  void close_all(ReasonCode code);
  /// Rights changed: live subscriptions and queued messages are judged again.
  void on_access_changed();
  void set_limits(const MqttConfig& mqtt, const LimitsConfig& limits);
  /// Whether the disk has no room for more messages.
  void set_store_full(bool full);

  std::vector<SessionInfo> sessions() const;
  std::vector<SubscriptionInfo> subscriptions(std::string_view client_id) const;
  std::size_t links() const;
  ShardId id() const;

 private:
  std::unique_ptr<Shard> shard_;
};

}  // namespace twinmq::core
