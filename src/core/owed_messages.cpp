#include "core/owed_messages.hpp"

#include <utility>

#include "core/publication.hpp"
#include "core/shard.hpp"

namespace twinmq::core {

void OwedMessages::owe(std::string share, const MessageRef& message) {
  // Any shard, before or after any restart, may owe something at this moment: the number is drawn.
  const std::uint64_t number = shard_.random.next();
  const OwedMessage owed{number, std::move(share), message};
  shard_.parts.journal->owed(owed, shard_.now, shard_.transactions.open_batch());
  storing_.emplace(number, owed);
  shard_.transactions.after_commit({AfterCommit::Kind::Owed, {}, {}, number});
}

void OwedMessages::on_stored(std::uint64_t number) {
  const auto place = storing_.find(number);
  if (place == storing_.end()) return;
  const OwedMessage owed = std::move(place->second);
  storing_.erase(place);
  route(owed);
}

void OwedMessages::after_restore() {
  if (restored_.empty()) return;
  Subscriptions::Ticket ticket;
  ticket.owed = true;
  shard_.subscriptions.wait(std::move(ticket), false, {});
}

void OwedMessages::route_restored() {
  for (const OwedMessage& owed : std::exchange(restored_, {})) route(owed);
}

void OwedMessages::route(const OwedMessage& owed) {
  if (!owed.share.empty())
    return shard_.share_groups.give_back(owed.share, owed.message, owed.number);
  Publication publication(owed.message);
  if (owed.number == 0) {
    shard_.router.publish(publication, {}, nullptr);
    return;
  }
  Batch records;
  shard_.parts.journal->routed(owed.number, records);
  shard_.router.publish(publication, {}, &records);
}

}  // namespace twinmq::core
