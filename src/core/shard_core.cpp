#include "core/shard_core.hpp"

#include <algorithm>
#include <utility>

#include "core/home_topics.hpp"
#include "core/pending_connect.hpp"
#include "core/reserved_topics.hpp"
#include "core/shard.hpp"

namespace twinmq::core {

namespace {
constexpr std::size_t kReplayStepsPerTurn = 16'384;
constexpr std::size_t kExpiredPerTurn = 64;
}  // namespace

ShardCore::ShardCore(ShardParts parts) : shard_(std::make_unique<Shard>(std::move(parts))) {
  shard_->services.attach(std::move(shard_->parts.services));
}
ShardCore::~ShardCore() = default;

void ShardCore::begin_turn(Now now) {
  Shard& shard = *shard_;
  shard.now = now;
  shard.replay_budget = kReplayStepsPerTurn;
  shard.counters.add(Metric::Turns);
}

void ShardCore::end_turn() {
  Shard& shard = *shard_;
  if (shard.parts.retained) {
    shard.parts.retained->expire(shard.now, kExpiredPerTurn, shard.transactions.open_batch());
    shard.count_retained();
  }
  shard.services.tell_client_events();
  shard.transactions.seal();
  shard.mail_backlog = false;
  shard.for_each_other(
      [&](ShardId other) { shard.mail_backlog |= !shard.parts.mail->hand_over(shard.id, other); });
}

Effects& ShardCore::effects() {
  return shard_->effects;
}
Instant ShardCore::next_deadline() const {
  return std::min(shard_->wheel.next_deadline(), shard_->services.next_deadline());
}

bool ShardCore::wants_turn() const {
  return !shard_->postponed.empty() && !shard_->congested();
}

// --- Links

LinkKey ShardCore::open(LinkOrigin origin) {
  const LinkKey key = shard_->links.insert(*shard_, std::move(origin));
  shard_->links.get(key)->key = key;
  return key;
}

LinkKey ShardCore::adopt(LinkOrigin origin, std::string bytes) {
  const LinkKey key = open(std::move(origin));
  Link& link = *shard_->links.get(key);
  link.on_bytes(bytes_of(bytes));
  shard_->move_if_wanted(link);
  return key;
}

void ShardCore::on_bytes(LinkKey key, ByteView bytes) {
  Link* link = shard_->links.get(key);
  if (!link) return;
  shard_->counters.add(Metric::BytesReceived, bytes.size());
  link->on_bytes(bytes);
  shard_->move_if_wanted(*link);
}

void ShardCore::on_room(LinkKey key) {
  if (Link* link = shard_->links.get(key)) link->on_room();
}

void ShardCore::on_closed(LinkKey key) {
  Link* link = shard_->links.get(key);
  if (!link) return;
  link->on_closed();
  shard_->links.erase(key);
}

void ShardCore::on_facts(LinkKey key, std::shared_ptr<const ConnectionFacts> facts) {
  if (Link* link = shard_->links.get(key)) link->on_facts(std::move(facts));
}

void ShardCore::on_refused(LinkKey key, std::string_view why) {
  Link* link = shard_->links.get(key);
  if (!link) return;
  link->on_refused(why);
  shard_->links.erase(key);
}

void ShardCore::on_shut(LinkKey key) {
  on_closed(key);
}

base::OutBuffer* ShardCore::output(LinkKey key) {
  Link* link = shard_->links.get(key);
  return link ? &link->output() : nullptr;
}

bool ShardCore::closing(LinkKey key) const {
  const Link* link = shard_->links.get(key);
  return !link || link->closing();
}

bool ShardCore::reading(LinkKey key) const {
  const Link* link = shard_->links.get(key);
  return link && link->reading();
}

bool ShardCore::drained(LinkKey key) const {
  const Link* link = shard_->links.get(key);
  return !link || link->drained();
}

bool ShardCore::has_more(LinkKey key) const {
  const Link* link = shard_->links.get(key);
  return link && link->has_more();
}

base::ChunkPool& ShardCore::chunks() {
  return shard_->chunks;
}

// --- The rest of the world

namespace {

struct MailReader {
  Shard& shard;
  ShardId from;

  void read(Letter& letter) const {
    shard.counters.add(Metric::MailReceived);
    shard.read(from, letter);
  }
  void deliver(const MessageParts& message, const PartOf& part) const {
    shard.counters.add(Metric::MailReceived);
    Publication publication(message);
    shard.router.on_deliver(publication, part);
  }
  void deliver_to_member(const MessageParts& message, const PartOf& part,
                         const MemberCopy& copy) const {
    shard.counters.add(Metric::MailReceived);
    Publication publication(message);
    shard.router.on_deliver_to_member(publication, part, copy);
  }
};

}  // namespace

void ShardCore::on_mail() {
  Shard& shard = *shard_;
  shard.for_each_other([&](ShardId other) {
    Mail::Batch* const letters = shard.parts.mail->take(shard.id, other);
    if (!letters) return;
    letters->read(MailReader{shard, other});
    shard.parts.mail->give_back(shard.id, other, letters);
  });
  // Links that waited for room in the mail, or for their next turn, go on now.
  for (const LinkKey key : std::exchange(shard.postponed, {})) {
    if (Link* link = shard.links.get(key)) {
      link->on_turn();
      shard.move_if_wanted(*link);
    }
  }
}

void ShardCore::on_committed(std::uint64_t commit, bool durable) {
  shard_->transactions.on_committed(commit, durable);
}

void ShardCore::on_read(std::uint64_t ticket, Result<StoreEntries> found) {
  shard_->reads.on_read(ticket, std::move(found));
}

void ShardCore::on_time() {
  Shard& shard = *shard_;
  while (base::Timer* timer = shard.wheel.pop_due(shard.now.steady)) {
    switch (timer->kind()) {
      case kLinkTimer: timer->owner_as<Link>().on_timer(); break;
      case kSessionTimer: timer->owner_as<Session>().on_timer(); break;
      case kCommonMessagesTimer: timer->owner_as<CommonMessages>().on_timer(); break;
    }
  }
  shard.services.on_time();
}

void ShardCore::on_authenticated(LinkKey key, std::uint64_t question,
                                 const AuthenticationResult& result) {
  if (Link* link = shard_->links.get(key)) link->on_authenticated(question, result);
}

void ShardCore::publish(const MessageParts& message, std::uint64_t token) {
  Publication publication(message);
  Waiter waiter;
  if (token != 0) waiter = {Waiter::Kind::Host, 0, {}, token};
  waiter.durability = shard_->parts.durability.of(message.topic, std::nullopt);
  if (const auto outcome = shard_->router.publish(publication, waiter, nullptr))
    shard_->answer(waiter, *outcome);
}

Durability ShardCore::durability_of(std::string_view topic) const {
  return shard_->parts.durability.of(topic, std::nullopt);
}

bool ShardCore::reserved(std::string_view topic, bool retain) const {
  return is_reserved_for_broker(topic) || shard_->services.forbid(topic, retain);
}

void ShardCore::write(const Batch& changes, std::function<void()> done) {
  shard_->router.react([&](Reaction& reaction) {
    reaction.records().append(changes);
    reaction.after_commit(std::move(done));
  });
}

void ShardCore::read(StoreRange range, std::function<void(Result<StoreEntries>)> done) {
  shard_->reads.ask(std::move(range),
                    [done = std::move(done)](std::uint64_t, Result<StoreEntries> found) {
                      done(std::move(found));
                    });
}

Service* ShardCore::service(std::string_view name) {
  return shard_->services.find(name);
}

bool ShardCore::kick(std::string_view client_id, ReasonCode code) {
  Session* session = shard_->sessions.find(client_id);
  if (!session || !session->link()) return false;
  session->link()->disconnect(code, "the administrator closed the connection");
  return true;
}

void ShardCore::close_all(ReasonCode code) {
  shard_->links.for_each([&](LinkKey, Link& link) { link.disconnect(code, reason_text(code)); });
}

void ShardCore::on_access_changed() {
  shard_->refresh_access();
  shard_->links.for_each([](LinkKey, Link& link) { link.on_access_changed(); });
}

void ShardCore::set_limits(const MqttConfig& mqtt, const LimitsConfig& limits) {
  shard_->parts.mqtt = mqtt;
  shard_->parts.limits = limits;
  shard_->log_throttle.set_lines(limits.log_repeats_max);
}

void ShardCore::set_store_full(bool full) {
  shard_->parts.store_full = full;
}

std::vector<SessionInfo> ShardCore::sessions() const {
  std::vector<SessionInfo> all;
  shard_->sessions.for_each([&](const Session& session) { all.push_back(session.describe()); });
  return all;
}

std::vector<SubscriptionInfo> ShardCore::subscriptions(std::string_view client_id) const {
  std::vector<SubscriptionInfo> all;
  Session* session = shard_->sessions.find(client_id);
  if (!session) return all;
  for (const FilterId filter : session->filters()) {
    const Subscription* subscription = shard_->tree.find(filter, session);
    all.push_back({shard_->tree.text(filter), subscription->qos, subscription->no_local,
                   subscription->retain_as_published, subscription->subscription_id});
  }
  for (const auto& [share, shared] : session->shared())
    all.push_back({"$share/" + share, shared.options.qos, false, shared.options.retain_as_published,
                   shared.subscription_id});
  return all;
}

std::size_t ShardCore::links() const {
  return shard_->links.size();
}
ShardId ShardCore::id() const {
  return shard_->id;
}

}  // namespace twinmq::core
