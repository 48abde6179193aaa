#include "core/router.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "core/session.hpp"
#include "core/shard.hpp"
#include "core/share_groups.hpp"

namespace twinmq::core {

void Router::Scratch::clear() {
  matches.clear();
  route.clear();
  if (!std::exchange(reacted, false)) return;  // as for nearly all messages
  letters.clear();
  reactions.clear();
}

void Router::set_part(Letter& letter, const PartOf& part) {
  if (auto* deliver = std::get_if<Deliver>(&letter)) deliver->part = part;
  if (auto* member = std::get_if<DeliverToMember>(&letter)) member->part = part;
  if (auto* within = std::get_if<PublishWithin>(&letter)) within->part = part;
}

Outcome outcome_of(std::uint32_t matched, bool refused) {
  if (refused) return {ReasonCode::QuotaExceeded, matched};
  return {matched > 0 ? ReasonCode::Success : ReasonCode::NoMatchingSubscribers, matched};
}

// A retained message belongs to its topic's home, a request to a service to where that wants it;
// any other enters where it came.
ShardId Router::home_for(const Publication& publication) const {
  if (const auto home = shard_.services.home_of_topic(publication.topic())) return *home;
  if (publication.retain() && shard_.parts.retained)
    return home_of(publication.topic(), shard_.shards());
  return shard_.id;
}

// Everything a message sets off on the shard where it enters the broker. What is for other shards
// lies in the scratch then.
void Router::enter(Publication& publication, Scratch& scratch, Batch& records) {
  Route& route = scratch.route;
  route.enters_here = true;
  if (publication.retain() && shard_.parts.retained &&
      home_of(publication.topic(), shard_.shards()) == shard_.id &&
      shard_.parts.retained->set(publication.shared(), shard_.now, records) ==
          RetainedMessages::Stored::Full)
    route.refused = true;
  route_here(publication, scratch);
  if (route.calls.empty()) return;
  scratch.reacted = true;
  call_services(publication, route, scratch.reactions);
  gather(scratch, records);
}

std::optional<Outcome> Router::publish(Publication& publication, const Waiter& waiter,
                                       Batch* records) {
  if (home_for(publication) != shard_.id) return publish_at_home(publication, waiter, records);

  Depth depth(*this);
  Scratch& scratch = *depth;
  Batch own;
  enter(publication, scratch, own);

  Route& route = scratch.route;
  std::unique_ptr<Afterwards> later = afterwards(scratch.reactions, own);
  const bool waits = waiter.kind != Waiter::Kind::Nobody || publication.qos() != QoS::AtMostOnce;
  const bool elsewhere =
      scratch.matches.shards != 0 || !route.forwards.empty() || !scratch.letters.empty();
  const bool writes = !own.empty() || (records && !records->empty()) || !route.kept.empty() ||
                      !scratch.reactions.held.empty() || !route.held_back.empty();
  if (later && !writes && !elsewhere) {
    // There is nothing to wait for.
    shard_.transactions.run(std::move(later));
    return outcome_of(route.matched, route.refused);
  }
  if (!writes && !later && !(waits && elsewhere)) {
    for (std::uint64_t rest = scratch.matches.shards; rest != 0; rest &= rest - 1)
      shard_.post_delivery(static_cast<ShardId>(std::countr_zero(rest)), publication, {});
    for (auto& [shard, letter] : route.forwards)
      shard_.post_delivery(shard, publication, {}, std::move(letter));
    for (auto& [shard, letter] : scratch.letters) shard_.post(shard, std::move(letter));
    return outcome_of(route.matched, route.refused);
  }

  const TransactionId id = shard_.transactions.open(waiter);
  Batch& batch = shard_.transactions.records(id);
  if (records) batch.append(*records);
  batch.append(own);
  if (later) shard_.transactions.set_afterwards(id, std::move(later));
  if (scratch.reacted) shard_.transactions.strengthen(id);
  if (const std::uint32_t full = hold_back(route, {shard_.id, id}); full > 0)
    shard_.transactions.hold_back(id, full);
  const auto part = [&] { return PartOf{shard_.id, id, shard_.transactions.grant(id)}; };
  for (std::uint64_t rest = scratch.matches.shards; rest != 0; rest &= rest - 1)
    shard_.post_delivery(static_cast<ShardId>(std::countr_zero(rest)), publication, part());
  for (auto& [shard, letter] : route.forwards)
    shard_.post_delivery(shard, publication, part(), std::move(letter));
  for (auto& [shard, letter] : scratch.letters) {
    set_part(letter, part());
    shard_.post(shard, std::move(letter));
  }
  for (const HeldTransaction held : scratch.reactions.held) shard_.services.keep(held, part());
  shard_.transactions.close_own_part(id, route);
  return std::nullopt;
}

std::optional<Outcome> Router::publish_at_home(Publication& publication, const Waiter& waiter,
                                               Batch* records) {
  PublishAtHome letter;
  letter.message = publication.copy_for_mail();
  if (!publication.principal().empty() || !publication.peer().empty())
    letter.publisher = std::make_unique<MailedPublisher>(
        MailedPublisher{std::string(publication.principal()), std::string(publication.peer())});
  if (waiter.kind != Waiter::Kind::Nobody) {
    letter.token = ++tokens_;
    at_home_.emplace(letter.token, waiter);
  }
  letter.durability = waiter.durability;
  if (records && !records->empty()) letter.records = std::make_unique<Batch>(std::move(*records));
  const ShardId home = shard_.services.home_of_topic(publication.topic())
                           .value_or(home_of(publication.topic(), shard_.shards()));
  shard_.post(home, std::move(letter));
  return std::nullopt;
}

void Router::on_publish_at_home(ShardId from, PublishAtHome& letter) {
  Waiter waiter;
  if (letter.token != 0) {
    waiter.kind = Waiter::Kind::Shard;
    waiter.shard = from;
    waiter.token = letter.token;
  }
  waiter.durability = letter.durability;
  Publication publication(std::move(letter.message));
  if (letter.publisher)
    publication.set_publisher(letter.publisher->principal, letter.publisher->peer);
  if (const auto outcome = publish(publication, waiter, letter.records.get()))
    shard_.answer(waiter, *outcome);
}

void Router::on_published_at_home(const PublishedAtHome& letter) {
  const auto place = at_home_.find(letter.token);
  if (place == at_home_.end()) return;
  const Waiter waiter = place->second;
  at_home_.erase(place);
  shard_.answer(waiter, {letter.code, letter.matched});
}

void Router::deliver_to_one(Subscriber& subscriber, const Delivery& delivery) {
  Depth depth(*this);
  subscriber.deliver(delivery, depth->route);
  open_for(*depth, delivery.publication, nullptr);
}

// A transaction of its own around what was delivered without a publish, if there is anything to
// write.
void Router::open_for(Scratch& scratch, Publication& publication, Batch* records) {
  Route& route = scratch.route;
  if (route.kept.empty() && route.forwards.empty() && !records) return;
  const TransactionId id = shard_.transactions.open({});
  if (records) shard_.transactions.records(id).append(*records);
  for (auto& [shard, letter] : route.forwards)
    shard_.post_delivery(shard, publication, {shard_.id, id, shard_.transactions.grant(id)},
                         std::move(letter));
  shard_.transactions.close_own_part(id, route);
}

// --- On other shards than the publisher's

void Router::on_deliver(Publication& publication, const PartOf& part) {
  Depth depth(*this);
  route_here(publication, *depth);
  close_part(*depth, publication, part);
}

void Router::on_deliver_to_member(Publication& publication, const PartOf& part,
                                  const MemberCopy& copy) {
  Depth depth(*this);
  Scratch& scratch = *depth;
  if (Session* member = shard_.sessions.find(copy.member)) {
    const std::span<const std::uint32_t> ids =
        copy.subscription_id != 0 ? std::span<const std::uint32_t>(&copy.subscription_id, 1)
                                  : std::span<const std::uint32_t>();
    const bool retain = copy.retain_as_published && publication.retain();
    member->deliver({publication, copy.qos, retain, ids, copy.share}, scratch.route);
    return close_part(scratch, publication, part);
  }
  // The member went while the message was on its way: the next one's turn, in the same transaction.
  if (copy.qos == QoS::AtMostOnce) return close_part(scratch, publication, part);
  ReturnToShare back{std::string(copy.share), publication.copy_for_mail(), 0, part};
  const ShardId home = home_of(back.share, shard_.shards());
  if (home == shard_.id) return on_return_to_share(back);
  shard_.post(home, std::move(back));
}

void Router::on_return_to_share(const ReturnToShare& letter) {
  Depth depth(*this);
  Publication publication(letter.message);
  if (ShareGroup* group = shard_.share_groups.find(letter.share))
    group->deliver({publication, publication.qos(), false, {}, {}}, depth->route);
  if (depth->route.matched == 0 && depth->route.forwards.empty())
    shard_.counters.add(Metric::DroppedSessionEnd);
  if (letter.part.transaction != 0) return close_part(*depth, publication, letter.part);
  Batch records;
  if (letter.owed != 0) shard_.parts.journal->routed(letter.owed, records);
  open_for(*depth, publication, letter.owed != 0 ? &records : nullptr);
}

// Has the full sessions tell when they have room again, and answers how many those are.
std::uint32_t Router::hold_back(const Route& route, const HeldBack& publish) {
  std::uint32_t full = 0;
  for (const SessionKey key : route.held_back) {
    Session* const session = shard_.sessions.find(key);
    if (session && session->hold_back(publish)) ++full;
  }
  return full;
}

// Answers the opener, or shares what weight there is with the members the message is forwarded to.
void Router::close_part(Scratch& scratch, Publication& publication, const PartOf& part) {
  Route& route = scratch.route;
  Weight rest = part.weight;
  const Weight each = rest / (route.forwards.size() + 1);
  for (auto& [shard, letter] : route.forwards) {
    const PartOf share =
        part.transaction != 0 ? PartOf{part.opener, part.transaction, each} : PartOf{};
    rest -= each;
    shard_.post_delivery(shard, publication, share, std::move(letter));
  }
  if (part.transaction == 0) {
    if (!route.kept.empty())
      shard_.transactions.close_own_part(shard_.transactions.open({}), route);
    return;
  }
  PartClosed closed;
  closed.transaction = part.transaction;
  closed.weight = rest;
  closed.matched = route.matched;
  closed.refused = route.refused;
  closed.held_back = hold_back(route, {part.opener, part.transaction});
  if (!route.kept.empty()) {
    closed.records = std::make_unique<Batch>();
    closed.wants_outcome = true;
    const std::uint64_t first_message = shard_.common_messages.next();
    shard_.transactions.write_deliveries(route.kept, *closed.records);
    shard_.transactions.remember_part(part.opener, part.transaction, route.kept, first_message,
                                      nullptr);
  }
  shard_.post_closed(part.opener, std::move(closed));
}

// --- Matching

void Router::route_here(Publication& publication, Scratch& scratch) {
  shard_.tree.match(publication.topic(), scratch.matches);
  const auto& lists = scratch.matches.lists;
  if (lists.size() == 1) return deliver_single(publication, lists.front(), scratch.route);
  if (lists.size() > 1) deliver_overlapping(publication, scratch);
}

void Router::deliver_single(Publication& publication, std::span<const Subscription> list,
                            Route& route) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Subscription& subscription = list[i];
    if (i + 4 < list.size()) __builtin_prefetch(list[i + 4].subscriber);
    const QoS qos = std::min(publication.qos(), subscription.qos);
    const bool retain =
        subscription.retain_as_published && publication.retain();  // [MQTT-3.3.1-12]
    const std::span<const std::uint32_t> ids =
        subscription.subscription_id != 0
            ? std::span<const std::uint32_t>(&subscription.subscription_id, 1)
            : std::span<const std::uint32_t>();
    if (subscription.subscriber->kind() == Subscriber::Kind::Session) {
      auto* session = static_cast<Session*>(subscription.subscriber);
      if (subscription.no_local && session->number() == publication.publisher_session())
        continue;  // [MQTT-3.8.3-3]
      session->deliver({publication, qos, retain, ids, {}}, route);
    } else {
      subscription.subscriber->deliver({publication, qos, retain, ids, {}}, route);
    }
  }
}

// One copy for a client with overlapping filters, at the highest granted QoS [MQTT-3.3.4-2], with
// every identifier [MQTT-3.3.4-4].
void Router::deliver_overlapping(Publication& publication, Scratch& scratch) {
  auto& overlaps = scratch.overlaps;
  overlaps.clear();
  for (const auto& list : scratch.matches.lists) {
    for (const Subscription& subscription : list) {
      if (subscription.no_local && subscription.subscriber->kind() == Subscriber::Kind::Session &&
          static_cast<Session*>(subscription.subscriber)->number() ==
              publication.publisher_session())
        continue;
      overlaps.push_back(
          {subscription.subscriber, subscription.qos, subscription.retain_as_published, {}});
      if (subscription.subscription_id != 0)
        overlaps.back().subscription_ids.push_back(subscription.subscription_id);
    }
  }
  std::stable_sort(overlaps.begin(), overlaps.end(), [](const auto& a, const auto& b) {
    if (a.subscriber == b.subscriber) return false;
    const std::uint32_t left = a.subscriber->place(), right = b.subscriber->place();
    return left != right ? left < right : std::less<Subscriber*>()(a.subscriber, b.subscriber);
  });
  for (std::size_t i = 0; i < overlaps.size();) {
    auto& first = overlaps[i];
    std::size_t next = i + 1;
    for (; next < overlaps.size() && overlaps[next].subscriber == first.subscriber; ++next) {
      first.qos = std::max(first.qos, overlaps[next].qos);
      first.retain_as_published |= overlaps[next].retain_as_published;
      first.subscription_ids.insert(first.subscription_ids.end(),
                                    overlaps[next].subscription_ids.begin(),
                                    overlaps[next].subscription_ids.end());
    }
    first.subscriber->deliver({publication,
                               std::min(publication.qos(), first.qos),
                               first.retain_as_published && publication.retain(),
                               first.subscription_ids,
                               {}},
                              scratch.route);
    i = next;
  }
}

}  // namespace twinmq::core
