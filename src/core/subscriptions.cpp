#include "core/subscriptions.hpp"

#include <utility>

#include "core/link.hpp"
#include "core/session.hpp"
#include "core/shard.hpp"

namespace twinmq::core {

TopicTree::Added Subscriptions::enter(std::string_view filter, const Subscription& subscription) {
  const TopicTree::Added added = shard_.tree.subscribe(filter, subscription);
  if (added.first_here) tell(filter, true);
  return added;
}

void Subscriptions::leave(std::string_view filter, const Subscriber& subscriber) {
  const auto removed = shard_.tree.unsubscribe(filter, &subscriber);
  if (removed && removed->last_here) tell(filter, false);
}

void Subscriptions::leave(FilterId filter, const Subscriber& subscriber) {
  // The text is needed only for the other shards, and is gone afterwards.
  const std::string text = shard_.shards() > 1 ? shard_.tree.text(filter) : std::string();
  const auto removed = shard_.tree.unsubscribe(filter, &subscriber);
  if (removed && removed->last_here) tell(text, false);
}

void Subscriptions::tell(std::string_view filter, bool wanted) {
  shard_.for_each_other([&](ShardId other) {
    shard_.post(other, Interest{std::string(filter), wanted});
  });
}

void Subscriptions::wait(Ticket ticket, bool stored, const std::vector<ShardId>& share_homes) {
  if (shard_.shards() == 1 && !stored) return complete(std::move(ticket));
  const std::uint64_t number = ++tickets_;
  ticket.waiting = 1;  // this call itself
  if (stored) {
    ++ticket.waiting;
    shard_.transactions.after_commit({AfterCommit::Kind::Ticket, {}, {}, number});
  }
  shard_.for_each_other([&](ShardId other) {
    ++ticket.waiting;
    shard_.post(other, Fence{number, false});
  });
  for (const ShardId home : share_homes) {
    ++ticket.waiting;
    shard_.post(home, Fence{number, true});
  }
  waiting_.emplace(number, std::move(ticket));
  on_ticket(number);
}

void Subscriptions::on_ticket(std::uint64_t number) {
  const auto place = waiting_.find(number);
  if (place == waiting_.end() || --place->second.waiting > 0) return;
  Ticket ticket = std::move(place->second);
  waiting_.erase(place);
  complete(std::move(ticket));
}

void Subscriptions::complete(Ticket ticket) {
  if (ticket.relay) return shard_.post(ticket.asker, FencePassed{ticket.askers_ticket});
  if (ticket.owed) return shard_.owed_messages.route_restored();
  if (Link* link = shard_.links.get(ticket.link)) {
    if (ticket.fence) return link->on_fence_passed();
    link->keep_promise(ticket.promise, ReasonCode::Success);
    link->begin_replays(ticket.replays);
  }
}

void Subscriptions::on_interest(ShardId from, const Interest& letter) {
  shard_.tree.set_interest(letter.filter, from, letter.wanted);
}

void Subscriptions::on_fence(ShardId from, const Fence& letter) {
  if (!letter.everywhere) return shard_.post(from, FencePassed{letter.ticket});
  Ticket ticket;
  ticket.relay = true;
  ticket.asker = from;
  ticket.askers_ticket = letter.ticket;
  wait(std::move(ticket), false, {});
}

}  // namespace twinmq::core
