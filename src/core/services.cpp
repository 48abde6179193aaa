#include "core/services.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "core/shard.hpp"

namespace twinmq::core {

void Reactions::clear() {
  records.clear();
  published.clear();
  after_commit.clear();
  actions.clear();
  held.clear();
  refused = false;
}

// --- What a service asks for

void CollectedReaction::add(const MessageParts& message, std::vector<MessageRef>& to) {
  if (hops_ > shard_.parts.limits.hops_max) {
    shard_.services.note({DroppedMessage::Reason::Hops, {}, message.topic});
    return shard_.counters.add(Metric::DroppedHops);
  }
  MessageParts parts = message;
  parts.hops = hops_;
  parts.publisher_session = 0;
  to.push_back(Message::make(parts));
}

void CollectedReaction::publish(const MessageParts& message) {
  add(message, reactions_.published);
}

void CollectedReaction::publish_after_commit(const MessageParts& message) {
  add(message, reactions_.after_commit);
}

void CollectedReaction::after_commit(std::function<void()> action) {
  reactions_.actions.push_back(std::move(action));
}

HeldTransaction CollectedReaction::hold() {
  reactions_.held.push_back(shard_.services.draw(hops_));
  return reactions_.held.back();
}

// --- A service in the tree

ServiceSeat::ServiceSeat(Shard& shard, std::unique_ptr<Service> service)
    : Subscriber(Kind::Service, shard.subscribers++), shard_(shard), service_(std::move(service)) {}

void ServiceSeat::deliver(const Delivery& delivery, Route& route) {
  if (!route.enters_here) return;
  ++route.matched;
  route.calls.push_back({this, route.tags.size(), delivery.subscription_ids.size()});
  route.tags.insert(route.tags.end(), delivery.subscription_ids.begin(),
                    delivery.subscription_ids.end());
}

void ServiceSeat::react_to(const Publication& publication, std::span<const std::uint32_t> tags,
                           Reactions& reactions) {
  const ServiceMessage message{publication.parts(), tags, publication.principal(),
                               publication.peer()};
  CollectedReaction reaction(shard_, reactions, static_cast<std::uint8_t>(publication.hops() + 1));
  service_->on_message(message, reaction);
}

std::uint32_t ServiceSeat::shard() const {
  return shard_.id;
}
std::uint32_t ServiceSeat::shards() const {
  return shard_.shards();
}
bool ServiceSeat::is_home(std::string_view key) const {
  return home_of(key, shard_.shards()) == shard_.id;
}
Now ServiceSeat::now() const {
  return shard_.now;
}
std::uint64_t ServiceSeat::random() {
  return shard_.random.next();
}
void ServiceSeat::count(Metric metric, std::uint64_t amount) {
  shard_.counters.add(metric, amount);
}

// Other shards are not told: they have a service of their own.
void ServiceSeat::subscribe(std::string_view filter, std::uint32_t tag) {
  shard_.tree.subscribe(filter, {this, tag, QoS::ExactlyOnce, false, true});
}

void ServiceSeat::unsubscribe(std::string_view filter) {
  shard_.tree.unsubscribe(filter, this);
}

bool ServiceSeat::has_receivers(std::string_view topic) const {
  Matches found;
  shard_.tree.match(topic, found);
  return !found.lists.empty() || found.shards != 0;
}

void ServiceSeat::react(const std::function<void(Reaction&)>& action) {
  shard_.router.react(action);
}

void ServiceSeat::resume(HeldTransaction held, const std::function<void(Reaction&)>& action) {
  const auto hops = static_cast<std::uint8_t>(held & 0xFF);
  shard_.router.resume(shard_.services.release(held), hops, action);
}

void ServiceSeat::read(StoreRange range, std::function<void(Result<StoreEntries>)> done) {
  shard_.reads.ask(std::move(range),
                   [done = std::move(done)](std::uint64_t, Result<StoreEntries> found) {
                     done(std::move(found));
                   });
}

bool ServiceSeat::may(const Identity& identity, Action action, std::string_view topic, QoS qos,
                      bool retain) const {
  return !shard_.authorizer || shard_.authorizer->may(identity, action, topic, qos, retain);
}

bool ServiceSeat::restricts() const {
  return shard_.authorizer != nullptr;
}

void ServiceSeat::log(LogLevel level, std::string_view event, const std::string& detail) const {
  shard_.log(level, event, detail);
}

// --- All of them

void Services::attach(std::vector<std::unique_ptr<Service>> services) {
  for (auto& service : services) {
    seats_.push_back(std::make_unique<ServiceSeat>(shard_, std::move(service)));
    seats_.back()->service().attach(*seats_.back());
    want_client_events_ |= seats_.back()->service().wants_client_events();
    want_drops_ |= seats_.back()->service().wants_drops();
  }
}

Result<void> Services::restore(Store& store, Now now) {
  for (const auto& seat : seats_)
    if (auto restored = seat->service().restore(store, now); !restored) return restored;
  return {};
}

Service* Services::find(std::string_view name) {
  for (const auto& seat : seats_)
    if (seat->service().name() == name) return &seat->service();
  return nullptr;
}

std::optional<ShardId> Services::ask_home(std::string_view topic) const {
  for (const auto& seat : seats_)
    if (const std::string_view key = seat->service().home_key(topic); !key.empty())
      return home_of(key, shard_.shards());
  return std::nullopt;
}

bool Services::forbid(std::string_view topic, bool retain) const {
  if (topic.empty() || topic.front() != '$') return false;
  return std::any_of(seats_.begin(), seats_.end(),
                     [&](const auto& seat) { return seat->service().forbids(topic, retain); });
}

bool Services::ask_hides(std::string_view topic) const {
  return std::any_of(seats_.begin(), seats_.end(),
                     [&](const auto& seat) { return seat->service().hides(topic); });
}

void Services::note(const ClientEvent& event) {
  if (!want_client_events_) return;
  const auto wants = [&](const auto& seat) {
    return seat->service().wants_client_events() && seat->service().wants_client_event(event);
  };
  if (std::none_of(seats_.begin(), seats_.end(), wants)) return;
  noted_.push_back({event, std::string(event.client_id), std::string(event.principal),
                    std::string(event.peer), std::string(event.filter)});
}

// What they publish must not come in between while others are routing.
void Services::tell_client_events() {
  for (Noted& noted : std::exchange(noted_, {})) {
    noted.event.client_id = noted.client_id;
    noted.event.principal = noted.principal;
    noted.event.peer = noted.peer;
    noted.event.filter = noted.filter;
    for (const auto& seat : seats_)
      if (seat->service().wants_client_events() && seat->service().wants_client_event(noted.event))
        seat->react(
            [&](Reaction& reaction) { seat->service().on_client_event(noted.event, reaction); });
  }
}

void Services::tell(const DroppedMessage& message) {
  for (const auto& seat : seats_)
    if (seat->service().wants_drops()) seat->service().on_drop(message);
}

Instant Services::next_deadline() const {
  Instant next = kNever;
  for (const auto& seat : seats_) next = std::min(next, seat->service().next_deadline());
  return next;
}

void Services::on_time() {
  for (const auto& seat : seats_)
    if (seat->service().next_deadline() <= shard_.now.steady)
      seat->react([&](Reaction& reaction) { seat->service().on_time(reaction); });
}

PartOf Services::release(HeldTransaction held) {
  const auto place = held_.find(held);
  TWINMQ_ASSERT(place != held_.end());
  const PartOf part = place->second;
  held_.erase(place);
  return part;
}

}  // namespace twinmq::core
