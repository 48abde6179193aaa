#include "core/common_messages.hpp"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "core/shard.hpp"

namespace twinmq::core {

namespace {

// A number has the shard above and counts below; a shard that is no longer there has left some
// behind.
constexpr unsigned kCountBits = 48;

constexpr Seconds kLookAfter{10};
// Another shard may hold the last delivery of a message whose number is from before the number of
// shards changed.
constexpr Seconds kLookAgain{900};
constexpr int kRestShare = 4;
constexpr Milliseconds kRestMax{50};

std::uint64_t first_of(ShardId shard) {
  return std::uint64_t{shard} << kCountBits;
}

}  // namespace

CommonMessages::CommonMessages(Shard& shard)
    : shard_(shard), next_(first_of(shard.id) + 1), timer_(this, kCommonMessagesTimer) {}

// A number that was ever used must not come again, or a delivery could get another's message: also
// where the store lost its last records, numbers go on with the clock.
Result<void> CommonMessages::restore(Store& store) {
  const std::uint64_t from = first_of(shard_.id), to = first_of(shard_.id + 1);
  const auto last = shard_.parts.journal->last_common_message(store, from, to);
  if (!last) return last.error();
  const std::int64_t clock = std::max<std::int64_t>(1, shard_.now.wall.time_since_epoch().count());
  next_ = std::max(from + (static_cast<std::uint64_t>(clock) << 6) % (to - from), *last + 1);
  auto left = std::uint64_t{0};
  if (shard_.id == 0) {
    const auto others = shard_.parts.journal->last_common_message(
        store, first_of(shard_.shards()), std::numeric_limits<std::uint64_t>::max());
    if (!others) return others.error();
    left = *others;
  }
  any_ = *last != 0 || left != 0;
  if (any_) lose_track();
  return {};
}

std::uint64_t CommonMessages::add_delivery(const MessageRef& message, Written& last, Batch& batch) {
  if (message->payload().size() < kPayloadMin) return 0;
  if (last.message.get() != message.get()) {
    if (!shard_.parts.journal->common_message(next_, *message, shard_.now, batch)) return 0;
    last = {message, next_++};
    any_ = true;
  }
  auto& run = runs_[last.number / kRun];
  if (!run) run = std::make_unique<Run>();
  if (run->deliveries[last.number % kRun]++ == 0) ++run->messages;
  return last.number;
}

void CommonMessages::remove_delivery(std::uint64_t number) {
  const auto run = runs_.find(number / kRun);
  const std::uint32_t counted = run == runs_.end() ? 0 : run->second->deliveries[number % kRun];
  if (counted != 1) {
    if (counted > 1) --run->second->deliveries[number % kRun];
    if (number < uncounted_below_) want_look();
    return;
  }
  forget(number);
  shard_.parts.journal->common_message_gone(number, shard_.transactions.open_batch());
}

void CommonMessages::forget(std::uint64_t number) {
  const auto run = runs_.find(number / kRun);
  if (run == runs_.end()) return;
  std::uint32_t& deliveries = run->second->deliveries[number % kRun];
  if (std::exchange(deliveries, 0) > 0 && --run->second->messages == 0) runs_.erase(run);
}

// Counts may be too high from now on, never too low.
void CommonMessages::lose_track() {
  if (!any_) return;
  uncounted_below_ = next_;
  want_look();
}

void CommonMessages::want_look() {
  wants_look_ = true;
  if (!look_ && (!timer_.armed() || timer_.deadline() > shard_.now.steady + kLookAfter))
    shard_.wheel.arm(timer_, shard_.now.steady + kLookAfter);
}

void CommonMessages::on_timer() {
  if (!look_) begin_look();
  look_on();
}

void CommonMessages::begin_look() {
  std::vector<NumberRange> among{
      {first_of(shard_.id), shard_.transactions.first_uncommitted_message()}};
  if (shard_.id == 0)
    among.push_back({first_of(shard_.shards()), std::numeric_limits<std::uint64_t>::max()});
  wants_look_ = false;
  look_ = shard_.parts.journal->unused_common_messages(std::move(among));
}

void CommonMessages::look_on() {
  shard_.reads.ask(
      *look_, [this, asked = shard_.now.steady](std::uint64_t, const Result<StoreEntries>& found) {
        on_unused(asked, found);
      });
}

void CommonMessages::on_unused(Instant asked, const Result<StoreEntries>& found) {
  if (!found) {
    shard_.log(LogLevel::Error, "messages without receivers not found",
               "because=" + found.error().detail);
    look_.reset();
    return shard_.wheel.arm(timer_, shard_.now.steady + kLookAgain);
  }
  for (const auto& [key, value] : found->entries) {
    const std::uint64_t number = shard_.parts.journal->common_message_number(key);
    forget(number);
    shard_.parts.journal->common_message_gone(number, shard_.transactions.open_batch());
  }
  const Milliseconds taken = shard_.now.steady - asked;
  if (found->more) {
    // Others want to read, too.
    shard_.wheel.arm(timer_, shard_.now.steady + std::min(taken * kRestShare, kRestMax));
    return;
  }
  look_.reset();
  shard_.wheel.arm(timer_, shard_.now.steady + (wants_look_ ? kLookAfter : kLookAgain));
}

}  // namespace twinmq::core
