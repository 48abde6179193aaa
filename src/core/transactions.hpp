#pragma once
// A publish is a transaction: everything it changes, on whatever shard, is written in one batch or
// not at all, and its publisher is answered when that batch is safe. The shard that opens it holds
// it until every part is closed.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include <twinmq/session_journal.hpp>

#include "core/mail.hpp"
#include "core/subscriber.hpp"

namespace twinmq::core {

struct Shard;

/// Who waits for the outcome of a publish.
struct Waiter {
  enum class Kind : std::uint8_t {
    Nobody,
    Link,   ///< a publisher's connection; token is its promise
    Host,   ///< the host program; token is its own
    Shard,  ///< another shard that sent PublishAtHome
  };
  Kind kind = Kind::Nobody;
  ShardId shard = 0;
  LinkKey link;
  std::uint64_t token = 0;
  // A QoS 2 message from a client: its session, which may change links meanwhile, its identifier,
  // and whether that is new again if the message is refused.
  SessionKey session;
  mqtt::PacketId received = 0;
  bool new_if_refused = false;
  /// What the answer promises; unset: the broker's own level. None: what it does not promise is
  /// still written, with the next commit.
  std::optional<Durability> durability;
};

/// Who is told when a session that was full has room again: a transaction, on the shard that opened
/// it.
struct HeldBack {
  ShardId opener = 0;
  TransactionId transaction = 0;
};

struct Outcome {
  ReasonCode code = ReasonCode::Success;  ///< Success, NoMatchingSubscribers or QuotaExceeded
  std::uint32_t matched = 0;
};

/// What services want to happen once a transaction is safe.
struct Afterwards {
  std::vector<OwedMessage> owed;  ///< to be published; those with a number are in the store
  std::vector<std::function<void()>> actions;
};

/// Something that may happen only once a batch is safe.
struct AfterCommit {
  enum class Kind : std::uint8_t {
    Connack,   ///< `link` may be welcomed
    Promise,   ///< promise `argument` of `link` is kept
    Ticket,    ///< one thing less that subscription ticket `argument` waits for
    Pubrel,    ///< delivery `argument` of `session` may be released
    Owed,      ///< message `argument` may be routed
    ReadBack,  ///< the queue of `session`, which has ended, may be read on
  };
  Kind kind;
  LinkKey link;
  SessionKey session;
  std::uint64_t argument = 0;
};

class Transactions {
 public:
  explicit Transactions(Shard& shard) : shard_(shard) {}

  /// Opens a transaction; close_own_part() ends the opener's own part and must follow in the same
  /// turn.
  TransactionId open(const Waiter& waiter);
  /// The weight to send with a part that another shard will close.
  Weight grant(TransactionId id);
  Batch& records(TransactionId id) { return at(id).records; }
  void set_afterwards(TransactionId id, std::unique_ptr<Afterwards> afterwards) {
    at(id).afterwards = std::move(afterwards);
  }
  /// It has more to keep safe than the publisher's message: the broker's own level holds, at least.
  void strengthen(TransactionId id);
  /// Its waiter is answered only after so many calls of on_room(), besides everything else.
  void hold_back(TransactionId id, std::uint32_t sessions);
  void on_room(TransactionId id);
  void close_own_part(TransactionId id, const Route& route);
  /// Does what waited for a commit; null: nothing.
  void run(std::unique_ptr<Afterwards> afterwards);
  void on_part_closed(ShardId from, PartClosed letter);

  /// What is to be committed of deliveries of one message, and of those it gave rise to, on this
  /// shard.
  void write_deliveries(const std::vector<Kept>& kept, Batch& batch);

  /// Parts of transactions that other shards opened: what this shard wrote for them.
  /// `first_message`: what common_messages.next() was before.
  void remember_part(ShardId opener, TransactionId id, std::vector<Kept> kept,
                     std::uint64_t first_message, std::unique_ptr<Afterwards> afterwards);
  void on_part_committed(ShardId opener, TransactionId id);
  /// Deliveries of that session in such parts, by sequence, that are not known to be committed.
  std::vector<std::uint64_t> remote_deliveries(SessionKey session) const;
  /// Common messages with lower numbers are committed, as are their deliveries.
  std::uint64_t first_uncommitted_message() const;

  /// Changes outside any publish go straight into the open batch, in order.
  Batch& open_batch() { return batch_; }
  void after_commit(AfterCommit note) { notes_.push_back(note); }

  /// End of a turn: if the store is ready, writes the closed transactions into the open batch and
  /// hands it over.
  void seal();
  void on_committed(std::uint64_t commit, bool durable);
  bool commit_outstanding() const { return outstanding_ != 0; }
  /// Transactions that are open or wait for the store.
  std::size_t backlog() const { return transactions_.size(); }

 private:
  struct Transaction {
    Waiter waiter;
    Weight out = 0;  ///< weight that has not come home
    std::uint32_t matched = 0;
    bool refused = false;
    bool own_part_open = true;
    bool resolved = false;
    Durability durability = Durability::Fsync;
    Batch records;
    std::vector<Kept> kept;
    std::vector<ShardId> participants;  ///< shards that want to know the outcome
    std::unique_ptr<Afterwards> afterwards;
  };
  struct RemotePart {
    ShardId opener;
    TransactionId id;
    std::vector<Kept> kept;
    std::uint64_t first_message;
    std::unique_ptr<Afterwards> afterwards;
  };

  Transaction& at(TransactionId id) { return transactions_[static_cast<std::size_t>(id - first_)]; }
  void close_if_complete(TransactionId id);
  void resolve(Transaction& transaction, TransactionId id);
  void settle(Transaction& transaction, TransactionId id);
  void answer_unpromised();
  void answer(const Waiter& waiter, const Outcome& outcome, TransactionId id);
  void run(const AfterCommit& note);

  Shard& shard_;
  TransactionId first_ = 1;               ///< id of the front
  std::deque<Transaction> transactions_;  ///< in opening order
  Batch batch_;
  std::vector<TransactionId> unpromised_;   ///< closed; their waiters need not wait for the commit
  Durability promised_ = Durability::None;  ///< of what will be in the next commit
  std::vector<AfterCommit> notes_;
  std::uint64_t commits_ = 0;
  std::uint64_t outstanding_ =
      0;  ///< commit handed over and not yet answered; 0: the store is ready
  std::uint64_t outstanding_message_ = 0;  ///< first number of a common message in it
  std::vector<std::pair<TransactionId, Transaction>> committing_;
  std::vector<AfterCommit> committing_notes_;
  std::deque<RemotePart> remote_parts_;
  /// Transactions that met full sessions: how many of those still are, and the answer, once there
  /// is one.
  struct Pressed {
    std::uint32_t sessions = 0;
    std::optional<std::pair<Waiter, Outcome>> answer;
  };
  std::unordered_map<TransactionId, Pressed> pressed_;
  bool failed_ = false;  ///< a commit was lost: nothing is committed or answered any more
};

}  // namespace twinmq::core
