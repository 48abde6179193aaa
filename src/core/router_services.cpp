// What services do with a message, and what they publish in answer, as part of its transaction.

#include <bit>
#include <utility>

#include "core/router.hpp"
#include "core/session.hpp"
#include "core/shard.hpp"

namespace twinmq::core {

void Router::call_services(const Publication& publication, const Route& route,
                           Reactions& reactions) {
  for (const ServiceCall& call : route.calls)
    call.service->react_to(publication, std::span(route.tags).subspan(call.first_tag, call.tags),
                           reactions);
}

// Routes what services published in answer, and what that gave rise to, as part of the same
// transaction.
void Router::gather(Scratch& scratch, Batch& records) {
  Reactions& reactions = scratch.reactions;
  for (std::size_t i = 0; i < reactions.published.size(); ++i) {
    Publication publication(reactions.published[i]);
    if (const ShardId home = home_for(publication); home != shard_.id) {
      scratch.letters.emplace_back(home, PublishWithin{publication.copy_for_mail(), {}});
      continue;
    }
    Depth depth(*this);
    Scratch& inner = *depth;
    inner.route.enters_here = true;
    if (publication.retain() && shard_.parts.retained &&
        shard_.parts.retained->set(publication.shared(), shard_.now, records) ==
            RetainedMessages::Stored::Full)
      scratch.route.refused = true;
    route_here(publication, inner);
    scratch.route.kept.insert(scratch.route.kept.end(), inner.route.kept.begin(),
                              inner.route.kept.end());
    scratch.route.refused |= inner.route.refused;
    for (std::uint64_t rest = inner.matches.shards; rest != 0; rest &= rest - 1)
      scratch.letters.emplace_back(static_cast<ShardId>(std::countr_zero(rest)),
                                   Deliver{publication.copy_for_mail(), {}});
    for (auto& [shard, letter] : inner.route.forwards) {
      letter.message = publication.copy_for_mail();
      scratch.letters.emplace_back(shard, std::move(letter));
    }
    call_services(publication, inner.route, reactions);
  }
  records.append(reactions.records);
  scratch.route.refused |= reactions.refused;
}

// What may be published only when the transaction is safe is written with it, as long as it may
// concern anybody who survives a crash in between.
std::unique_ptr<Afterwards> Router::afterwards(Reactions& reactions, Batch& records) {
  if (reactions.after_commit.empty() && reactions.actions.empty()) return nullptr;
  auto later = std::make_unique<Afterwards>();
  later->actions = std::move(reactions.actions);
  for (MessageRef& message : reactions.after_commit) {
    OwedMessage owed{0, {}, std::move(message)};
    if (shard_.parts.journal && may_outlive(*owed.message)) {
      owed.number = shard_.random.next();
      shard_.parts.journal->owed(owed, shard_.now, records);
    }
    later->owed.push_back(std::move(owed));
  }
  reactions.actions.clear();
  reactions.after_commit.clear();
  return later;
}

bool Router::may_outlive(const Message& message) {
  if (message.qos() == QoS::AtMostOnce) return message.retain();
  if (message.retain()) return true;
  Depth depth(*this);
  Matches& matches = depth->matches;
  shard_.tree.match(message.topic(), matches);
  if (matches.shards != 0) return true;
  for (const auto& list : matches.lists)
    for (const Subscription& subscription : list) {
      if (subscription.subscriber->kind() == Subscriber::Kind::ShareGroup) return true;
      if (subscription.subscriber->kind() == Subscriber::Kind::Session &&
          subscription.qos != QoS::AtMostOnce &&
          static_cast<const Session*>(subscription.subscriber)->persistent())
        return true;
    }
  return false;
}

void Router::on_publish_within(PublishWithin& letter) {
  Publication publication(std::move(letter.message));
  if (letter.part.transaction == 0) {
    publish(publication, {}, nullptr);
    return;
  }
  Depth depth(*this);
  Batch records;
  enter(publication, *depth, records);
  close_entered_part(*depth, publication, letter.part, std::move(records));
}

void Router::react(const std::function<void(Reaction&)>& action) {
  Depth depth(*this);
  Scratch& scratch = *depth;
  scratch.reacted = true;
  CollectedReaction reaction(shard_, scratch.reactions, 1);
  action(reaction);
  Batch own;
  gather(scratch, own);
  std::unique_ptr<Afterwards> later = afterwards(scratch.reactions, own);
  Route& route = scratch.route;
  if (own.empty() && route.kept.empty() && !later && scratch.reactions.held.empty()) {
    for (auto& [shard, letter] : scratch.letters) shard_.post(shard, std::move(letter));
    return;
  }
  const TransactionId id = shard_.transactions.open({});
  shard_.transactions.records(id).append(own);
  if (later) shard_.transactions.set_afterwards(id, std::move(later));
  const auto part = [&] { return PartOf{shard_.id, id, shard_.transactions.grant(id)}; };
  for (auto& [shard, letter] : scratch.letters) {
    set_part(letter, part());
    shard_.post(shard, std::move(letter));
  }
  for (const HeldTransaction held : scratch.reactions.held) shard_.services.keep(held, part());
  shard_.transactions.close_own_part(id, route);
}

void Router::resume(const PartOf& part, std::uint8_t hops,
                    const std::function<void(Reaction&)>& action) {
  Depth depth(*this);
  depth->reacted = true;
  CollectedReaction reaction(shard_, depth->reactions, hops);
  action(reaction);
  Batch records;
  gather(*depth, records);
  Publication none{MessageParts{}};
  close_entered_part(*depth, none, part, std::move(records));
}

// As close_part(), for a message that entered the broker here.
void Router::close_entered_part(Scratch& scratch, Publication& publication, const PartOf& part,
                                Batch records) {
  Route& route = scratch.route;
  std::unique_ptr<Afterwards> later = afterwards(scratch.reactions, records);
  const auto shards = static_cast<std::size_t>(std::popcount(scratch.matches.shards));
  const Weight each = part.weight / (shards + route.forwards.size() + scratch.letters.size() +
                                     scratch.reactions.held.size() + 1);
  PartClosed closed;
  closed.transaction = part.transaction;
  closed.weight = part.weight;
  const auto share = [&] {
    closed.weight -= each;
    return PartOf{part.opener, part.transaction, each};
  };
  for (std::uint64_t rest = scratch.matches.shards; rest != 0; rest &= rest - 1)
    shard_.post_delivery(static_cast<ShardId>(std::countr_zero(rest)), publication, share());
  for (auto& [shard, letter] : route.forwards)
    shard_.post_delivery(shard, publication, share(), std::move(letter));
  for (auto& [shard, letter] : scratch.letters) {
    set_part(letter, share());
    shard_.post(shard, std::move(letter));
  }
  for (const HeldTransaction held : scratch.reactions.held) shard_.services.keep(held, share());
  closed.refused = route.refused;
  const std::uint64_t first_message = shard_.common_messages.next();
  if (!route.kept.empty() || !records.empty()) {
    closed.records = std::make_unique<Batch>(std::move(records));
    shard_.transactions.write_deliveries(route.kept, *closed.records);
  }
  if (!route.kept.empty() || later) {
    closed.wants_outcome = true;
    shard_.transactions.remember_part(part.opener, part.transaction, route.kept, first_message,
                                      std::move(later));
  }
  shard_.post_closed(part.opener, std::move(closed));
}

}  // namespace twinmq::core
