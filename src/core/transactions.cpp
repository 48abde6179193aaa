#include "core/transactions.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "core/link.hpp"
#include "core/session.hpp"
#include "core/shard.hpp"

namespace twinmq::core {

namespace {
// What each part starts with: it can be split among four thousand million further parts, and as
// many parts fit the sum. Clients decide how many share groups a message meets.
constexpr Weight kPartWeight = Weight{1} << 32;
}  // namespace

TransactionId Transactions::open(const Waiter& waiter) {
  transactions_.emplace_back();
  transactions_.back().waiter = waiter;
  transactions_.back().durability = waiter.durability.value_or(shard_.parts.durability.otherwise);
  return first_ + transactions_.size() - 1;
}

Weight Transactions::grant(TransactionId id) {
  at(id).out += kPartWeight;
  return kPartWeight;
}

void Transactions::strengthen(TransactionId id) {
  Transaction& transaction = at(id);
  transaction.durability = std::max(transaction.durability, shard_.parts.durability.otherwise);
}

void Transactions::hold_back(TransactionId id, std::uint32_t sessions) {
  pressed_[id].sessions += sessions;
}

void Transactions::on_room(TransactionId id) {
  const auto place = pressed_.find(id);
  if (place == pressed_.end() || --place->second.sessions > 0) return;
  const auto answer = std::move(place->second.answer);
  pressed_.erase(place);
  if (!answer) return;
  shard_.counters.subtract(Metric::HeldBackMessages);
  shard_.answer(answer->first, answer->second);
}

void Transactions::close_own_part(TransactionId id, const Route& route) {
  Transaction& transaction = at(id);
  transaction.matched += route.matched;
  transaction.refused |= route.refused;
  transaction.kept = route.kept;
  transaction.own_part_open = false;
  close_if_complete(id);
}

void Transactions::on_part_closed(ShardId from, PartClosed letter) {
  const TransactionId last = letter.transaction + letter.more;
  for (TransactionId id = std::max(letter.transaction, first_); id <= last; ++id) {
    Transaction& transaction = at(id);
    TWINMQ_ASSERT(transaction.out >= letter.weight);
    transaction.out -= letter.weight;
    transaction.matched += letter.matched;
    transaction.refused |= letter.refused;
    if (letter.held_back > 0) hold_back(id, letter.held_back);
    if (letter.records) transaction.records.append(*letter.records);
    if (letter.wants_outcome) transaction.participants.push_back(from);
    close_if_complete(id);
  }
}

void Transactions::close_if_complete(TransactionId id) {
  Transaction& transaction = at(id);
  if (transaction.own_part_open || transaction.out != 0) return;
  // Nothing to write: the answer need not wait for anybody's commit.
  std::unique_ptr<Afterwards> afterwards;
  if (transaction.records.empty() && transaction.kept.empty()) {
    for (const ShardId shard : transaction.participants) shard_.post(shard, PartCommitted{id});
    afterwards = std::move(transaction.afterwards);
    resolve(transaction, id);
  } else if (transaction.durability == Durability::None && transaction.waiter.received == 0) {
    // A QoS 2 message waits all the same: its identifier must be written before it is released.
    unpromised_.push_back(id);
  }
  while (!transactions_.empty() && transactions_.front().resolved) {
    transactions_.pop_front();
    ++first_;
  }
  run(std::move(afterwards));
}

void Transactions::resolve(Transaction& transaction, TransactionId id) {
  transaction.resolved = true;
  answer(transaction.waiter, outcome_of(transaction.matched, transaction.refused), id);
}

// Not before the sessions that the message found full have room again.
void Transactions::answer(const Waiter& waiter, const Outcome& outcome, TransactionId id) {
  if (waiter.kind == Waiter::Kind::Nobody) return;
  const auto pressed = pressed_.empty() ? pressed_.end() : pressed_.find(id);
  if (pressed == pressed_.end()) return shard_.answer(waiter, outcome);
  pressed->second.answer.emplace(waiter, outcome);
  shard_.counters.add(Metric::HeldBackMessages);
}

void Transactions::answer_unpromised() {
  for (const TransactionId id : std::exchange(unpromised_, {})) {
    Transaction& transaction = at(id);
    const Waiter waiter = std::exchange(transaction.waiter, {});
    answer(waiter, outcome_of(transaction.matched, transaction.refused), id);
  }
}

void Transactions::seal() {
  if (!unpromised_.empty()) answer_unpromised();
  if (outstanding_ != 0 || failed_) return;
  outstanding_message_ = shard_.common_messages.next();
  while (!transactions_.empty()) {
    Transaction& front = transactions_.front();
    if (!front.resolved && (front.own_part_open || front.out != 0)) break;
    if (!front.resolved) {
      batch_.append(front.records);
      write_deliveries(front.kept, batch_);
      promised_ = std::max(promised_, front.durability);
      committing_.emplace_back(first_, std::move(front));
    }
    transactions_.pop_front();
    ++first_;
  }
  if (batch_.empty() && notes_.empty()) {
    // Everything was acknowledged by its receivers before it could be written. The answers may have
    // given rise to something new.
    if (committing_.empty()) return;
    for (auto& [id, transaction] : std::exchange(committing_, {})) settle(transaction, id);
    return seal();
  }
  if (!notes_.empty()) promised_ = std::max(promised_, shard_.parts.durability.otherwise);
  committing_notes_.swap(notes_);
  outstanding_ = ++commits_;
  shard_.effects.commit =
      Commit{outstanding_, std::exchange(batch_, {}), std::exchange(promised_, Durability::None)};
  shard_.counters.add(Metric::Commits);
}

void Transactions::on_committed(std::uint64_t commit, bool durable) {
  TWINMQ_ASSERT(commit == outstanding_);
  outstanding_ = 0;
  if (!durable) {
    // Memory and store no longer agree: nobody is answered, and the shards start again from the
    // store.
    failed_ = true;
    shard_.counters.add(Metric::CommitsFailed);
    shard_.effects.reload = true;
    committing_.clear();
    committing_notes_.clear();
    return;
  }
  for (auto& [id, transaction] : std::exchange(committing_, {})) settle(transaction, id);
  for (const AfterCommit& note : std::exchange(committing_notes_, {})) run(note);
}

void Transactions::settle(Transaction& transaction, TransactionId id) {
  for (const Kept& kept : transaction.kept) {
    if (Session* session = shard_.sessions.find(kept.session)) {
      session->on_delivery_written(kept.sequence);
    } else {
      shard_.ended_sessions.on_committed(kept);
    }
  }
  for (const ShardId shard : transaction.participants) shard_.post(shard, PartCommitted{id});
  resolve(transaction, id);
  run(std::move(transaction.afterwards));
}

void Transactions::write_deliveries(const std::vector<Kept>& kept, Batch& batch) {
  CommonMessages::Written last;
  for (const Kept& item : kept) {
    if (Session* session = shard_.sessions.find(item.session)) {
      session->write_delivery(item.sequence, kept.size() > 1 ? &last : nullptr, batch);
    } else {
      shard_.ended_sessions.write_delivery(item, batch);
    }
  }
}

void Transactions::remember_part(ShardId opener, TransactionId id, std::vector<Kept> kept,
                                 std::uint64_t first_message,
                                 std::unique_ptr<Afterwards> afterwards) {
  remote_parts_.push_back({opener, id, std::move(kept), first_message, std::move(afterwards)});
}

std::uint64_t Transactions::first_uncommitted_message() const {
  std::uint64_t first = outstanding_ != 0 ? outstanding_message_ : shard_.common_messages.next();
  for (const RemotePart& part : remote_parts_) first = std::min(first, part.first_message);
  return first;
}

void Transactions::on_part_committed(ShardId opener, TransactionId id) {
  const auto part =
      std::find_if(remote_parts_.begin(), remote_parts_.end(), [&](const RemotePart& candidate) {
        return candidate.opener == opener && candidate.id == id;
      });
  if (part == remote_parts_.end()) return;
  const std::vector<Kept> kept = std::move(part->kept);
  std::unique_ptr<Afterwards> afterwards = std::move(part->afterwards);
  remote_parts_.erase(part);
  for (const Kept& item : kept) {
    if (Session* session = shard_.sessions.find(item.session)) {
      session->on_delivery_written(item.sequence);
    } else {
      shard_.ended_sessions.on_committed(item);
      shard_.ended_sessions.on_delivery_written(item);
    }
  }
  run(std::move(afterwards));
}

std::vector<std::uint64_t> Transactions::remote_deliveries(SessionKey session) const {
  std::vector<std::uint64_t> sequences;
  for (const RemotePart& part : remote_parts_)
    for (const Kept& kept : part.kept)
      if (kept.session == session) sequences.push_back(kept.sequence);
  std::sort(sequences.begin(), sequences.end());
  return sequences;
}

void Transactions::run(std::unique_ptr<Afterwards> afterwards) {
  if (!afterwards) return;
  for (const OwedMessage& message : afterwards->owed) shard_.owed_messages.route(message);
  for (const auto& action : afterwards->actions) action();
}

void Transactions::run(const AfterCommit& note) {
  switch (note.kind) {
    case AfterCommit::Kind::Connack:
      if (Link* link = shard_.links.get(note.link)) link->on_session_stored();
      break;
    case AfterCommit::Kind::Promise:
      if (Link* link = shard_.links.get(note.link))
        link->keep_promise(note.argument, ReasonCode::Success);
      break;
    case AfterCommit::Kind::Ticket: shard_.subscriptions.on_ticket(note.argument); break;
    case AfterCommit::Kind::Pubrel:
      if (Session* session = shard_.sessions.find(note.session))
        session->on_release_stored(note.argument);
      break;
    case AfterCommit::Kind::ReadBack: shard_.ended_sessions.read_on(note.session); break;
    case AfterCommit::Kind::Owed: shard_.owed_messages.on_stored(note.argument); break;
  }
}

}  // namespace twinmq::core
