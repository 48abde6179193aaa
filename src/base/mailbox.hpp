#pragma once
// Letters between shards: for every ordered pair a place that holds one whole batch, exchanged for
// an empty one by a single atomic instruction. Nobody ever waits, and no letter is allocated on its
// own.

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/assert.hpp"

namespace twinmq::base {

/// The post of up to 64 shards, 0 … N-1. Each call names first the shard that acts (the sender in
/// outbox, hand_over and backlog, the receiver in take and give_back) and belongs to the thread
/// that owns that shard; different shards act at once. Batches from one shard to another arrive in
/// the order they were handed over, each exactly once. Where one thread runs all shards and never
/// waits, as in a simulation, sleep(), awake() and wake_sleepers() need not be called. `BatchOf`
/// holds letters: empty(), size(), capacity() and clear() as in a vector.
template <typename Letter, typename BatchOf = std::vector<Letter>>
class MailExchange {
 public:
  using Batch = BatchOf;
  static constexpr unsigned kShardsMax = 64;

  explicit MailExchange(unsigned shards)
      : shards_(shards),
        pairs_(std::make_unique<Pair[]>(std::size_t{shards} * shards)),
        sleepers_(std::make_unique<Sleeper[]>(shards)) {
    TWINMQ_ASSERT(shards <= kShardsMax);
  }
  MailExchange(const MailExchange&) = delete;
  MailExchange& operator=(const MailExchange&) = delete;

  unsigned shards() const { return shards_; }

  // --- Writing

  /// What `from` is about to tell `to`: append letters at any time of the turn.
  Batch& outbox(unsigned from, unsigned to) { return *pair(from, to).outbox; }

  /// Puts the letters of the outbox where `to` takes them. False: the batch before has not been
  /// taken yet; the letters stay in the outbox, and when there is room the receiver wakes a
  /// sleeping sender.
  bool hand_over(unsigned from, unsigned to) {
    Pair& post = pair(from, to);
    if (post.outbox->empty()) return true;
    if (is_full(post.place.load(std::memory_order_relaxed))) return false;
    const std::uintptr_t former = post.place.exchange(full(post.outbox));
    post.outbox = batch_of(former);
    if (post.sender_waits.load(std::memory_order_relaxed))
      post.sender_waits.store(false, std::memory_order_relaxed);
    sleepers_[from].concerns |= bit(to);
    return true;
  }

  /// Letters that still wait in the outbox; after hand_over(), for room.
  std::size_t backlog(unsigned from, unsigned to) const { return pair(from, to).outbox->size(); }

  // --- Reading

  /// The letters that `from` handed over, oldest first; null: none. The receiver may move them
  /// away, and gives the batch back before it takes the next from that sender.
  Batch* take(unsigned to, unsigned from) {
    Pair& post = pair(from, to);
    if (!is_full(post.place.load(std::memory_order_relaxed))) return nullptr;
    TWINMQ_ASSERT(post.inbox->empty());
    const std::uintptr_t former = post.place.exchange(empty(post.inbox));
    post.inbox = batch_of(former);
    post.taken = post.inbox->size();
    if (post.sender_waits.load()) sleepers_[to].concerns |= bit(from);
    return post.inbox;
  }

  /// Ends the letters of a batch that was taken; its memory serves again, or after a burst goes
  /// back to the system.
  void give_back(unsigned to, unsigned from, Batch* batch) {
    Pair& post = pair(from, to);
    TWINMQ_ASSERT(batch == post.inbox);
    batch->clear();
    if (batch->capacity() > kKeptLetters && post.taken < batch->capacity() / 8) *batch = Batch();
  }

  /// Whether any shard handed over letters that `self` has not taken.
  bool has_mail(unsigned self) const {
    for (unsigned from = 0; from < shards_; ++from)
      if (is_full(pair(from, self).place.load())) return true;
    return false;
  }

  // --- Sleeping

  /// Ask before waiting for the outside world. True: `self` counts as asleep; whoever has something
  /// for it from now on will wake it. False: there is mail, or room for mail of its own; take
  /// another turn first.
  bool sleep(unsigned self) {
    sleepers_[self].asleep.store(true);
    // Sequentially consistent on both sides: what a peer did before this store is seen below, and
    // after it the peer sees the flag.
    if (!has_mail(self) && !finds_room(self)) return true;
    awake(self);
    return false;
  }

  /// `self` no longer waits, for whatever reason.
  void awake(unsigned self) { sleepers_[self].asleep.store(false, std::memory_order_relaxed); }

  /// At the end of a turn: calls wake(shard) for every sleeping shard that got mail, or room for
  /// its mail, by what `self` did since the last such call. wake must end that shard's wait, on
  /// whatever thread it happens.
  template <typename Wake>
  void wake_sleepers(unsigned self, Wake wake) {
    for (std::uint64_t rest = sleepers_[self].concerns; rest; rest &= rest - 1) {
      const auto shard = static_cast<unsigned>(std::countr_zero(rest));
      std::atomic<bool>& asleep = sleepers_[shard].asleep;
      if (asleep.load() && asleep.exchange(false)) wake(shard);
    }
    sleepers_[self].concerns = 0;
  }

 private:
  static_assert(alignof(Batch) >= 2, "the lowest bit of a batch's address says whether it is full");
  static constexpr std::size_t kKeptLetters = 64;

  // Three batches circulate per pair: one being written, one in the place, one being read. Each
  // cache line has one writer, but for the place, which both exchange.
  struct Pair {
    Batch batches[3];
    alignas(64) std::atomic<std::uintptr_t> place{empty(&batches[1])};
    std::atomic<bool> sender_waits{false};  // asleep with letters that find the place full
    alignas(64) Batch* outbox = &batches[0];
    alignas(64) Batch* inbox = &batches[2];
    std::size_t taken = 0;
  };
  struct Sleeper {
    alignas(64) std::atomic<bool> asleep{false};
    alignas(64) std::uint64_t concerns =
        0;  // shards that may have to be woken; used by the owner alone
  };

  static std::uintptr_t empty(Batch* batch) { return reinterpret_cast<std::uintptr_t>(batch); }
  static std::uintptr_t full(Batch* batch) { return empty(batch) | 1; }
  static bool is_full(std::uintptr_t place) { return (place & 1) != 0; }
  static Batch* batch_of(std::uintptr_t place) {
    return reinterpret_cast<Batch*>(place & ~std::uintptr_t{1});
  }
  static std::uint64_t bit(unsigned shard) { return std::uint64_t{1} << shard; }

  Pair& pair(unsigned from, unsigned to) const { return pairs_[std::size_t{from} * shards_ + to]; }

  // Leaves word at every full place that letters of `self` wait for it.
  bool finds_room(unsigned self) {
    for (unsigned to = 0; to < shards_; ++to) {
      Pair& post = pair(self, to);
      if (post.outbox->empty()) continue;
      post.sender_waits.store(true);
      if (!is_full(post.place.load())) return true;
    }
    return false;
  }

  unsigned shards_;
  std::unique_ptr<Pair[]> pairs_;
  std::unique_ptr<Sleeper[]> sleepers_;
};

}  // namespace twinmq::base
