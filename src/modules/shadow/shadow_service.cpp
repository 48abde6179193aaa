#include "modules/shadow/shadow_service.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "modules/shadow/query_text.hpp"

namespace twinmq::shadow {
namespace {

constexpr char kRecord = 'd';
constexpr char kBuried = 'D';
constexpr char kExpiring = 'e';
constexpr std::size_t kBuriedPerTurn = 256;
constexpr std::size_t kExpiredPerTurn = 64;
constexpr EpochSeconds kAgainSeconds = 10;
// What an entry costs beside its text: a node, a bucket, a list element.
constexpr std::size_t kEntryBytes = 160;

// 'D' or 'e', when it was deleted or expires (big endian), the record's key: so that restoring
// reads these alone.
std::string timed_key(char prefix, EpochSeconds time, std::string_view key) {
  std::string text(1, prefix);
  const auto seconds = static_cast<std::uint64_t>(std::max<EpochSeconds>(time, 0));
  for (int shift = 56; shift >= 0; shift -= 8) text += static_cast<char>(seconds >> shift);
  text += key;
  return text;
}

std::string buried_key(EpochSeconds deleted, std::string_view key) {
  return timed_key(kBuried, deleted, key);
}

std::optional<std::pair<EpochSeconds, std::string>> read_timed_key(std::string_view text) {
  constexpr std::size_t kHead = 9;
  if (text.size() < kHead + 2) return std::nullopt;
  std::uint64_t seconds = 0;
  for (std::size_t i = 1; i < kHead; ++i)
    seconds = seconds << 8 | static_cast<unsigned char>(text[i]);
  return std::pair(static_cast<EpochSeconds>(seconds), std::string(text.substr(kHead)));
}

std::string_view thing_of(std::string_view key) {
  return key.substr(1, key.find('\0') - 1);
}

DirectAnswer direct_answer(const Outcome& outcome) {
  return {outcome.code, outcome.message, outcome.body, outcome.version};
}

MessageParts parts_of(const ShadowMessage& message) {
  MessageParts parts;
  parts.topic = message.topic;
  parts.payload = message.payload;
  parts.qos = QoS::AtLeastOnce;
  return parts;
}

void tell(const Outcome& outcome, Reaction& reaction) {
  for (const ShadowMessage& message : outcome.messages) reaction.publish(parts_of(message));
}

}  // namespace

ShadowRules rules_of(const ShadowConfig& config) {
  ShadowRules rules;
  rules.request.payload_bytes_max = config.payload_bytes_max;
  rules.request.token_bytes_max = config.token_bytes_max;
  rules.request.depth_max = config.depth_max;
  rules.request.strict_state = config.strict_state;
  rules.merge.keep_null_objects = config.keep_null_objects;
  rules.document_bytes_max = config.document_bytes_max;
  rules.tombstone_seconds = std::int64_t{config.tombstone_hours} * 3600;
  rules.first_version_one = config.first_version_one;
  rules.delta_metadata = config.delta_metadata;
  rules.cbor_events = config.cbor_events;
  if (!config.schemas.empty()) {
    // Validated with the configuration.
    if (auto schemas = SchemaSet::compile(config.schemas)) rules.schemas = std::move(*schemas);
  }
  rules.missing_names_thing = config.missing_names_thing;
  return rules;
}

std::string record_key(const ShadowName& shadow) {
  std::string key;
  key.reserve(shadow.thing.size() + shadow.name.size() + 2);
  key += kRecord;
  key += shadow.thing;
  key += '\0';
  key += shadow.name;
  return key;
}

ShadowService::ShadowService(const ShadowConfig& config, std::size_t cache_bytes,
                             std::shared_ptr<Presence> presence)
    : cache_bytes_max_(cache_bytes),
      per_second_max_(
          config.requests_per_second_max.value_or(config.profile == ShadowProfile::Aws ? 20 : 0)),
      inflight_max_(config.inflight_max.value_or(config.profile == ShadowProfile::Aws ? 10 : 0)),
      machine_(rules_of(config)),
      queries_(config.queries, config.indexes, std::move(presence)),
      versions_(config) {}

void ShadowService::attach(ServiceHost& host) {
  host_ = &host;
  queries_.attach(host);
  versions_.attach(host);
  if (queries_.enabled()) host.subscribe("$twinmq/shadows/query", 0);
  for (const std::string_view prefix : {"$aws/things/+/shadow/", "$aws/things/+/shadow/name/+/"})
    for (const Operation operation : {Operation::Get, Operation::Update, Operation::Delete})
      host.subscribe(std::string(prefix) + std::string(word(operation)), 0);
  for (const std::string_view prefix :
       {"$twinmq/things/+/shadow/", "$twinmq/things/+/shadow/name/+/"})
    for (const Operation operation : {Operation::Update, Operation::Patch, Operation::History})
      host.subscribe(std::string(prefix) + std::string(word(operation)), 0);
  for (const std::string_view prefix :
       {"$twinmq/things/+/shadow/cbor/", "$twinmq/things/+/shadow/name/+/cbor/"})
    for (const Operation operation :
         {Operation::Get, Operation::Update, Operation::Delete, Operation::Patch})
      host.subscribe(std::string(prefix) + std::string(word(operation)), 0);
}

Result<void> ShadowService::restore(Store& store, Now) {
  const Result<void> expiring =
      store.scan(std::string(1, kExpiring), std::string(1, kExpiring + 1),
                 [this](std::string_view text, std::string_view) {
                   if (auto entry = read_timed_key(text);
                       entry && host_->is_home(thing_of(entry->second)))
                     expiring_.insert(std::move(*entry));
                   return true;
                 });
  if (!expiring) return expiring;
  if (const Result<void> indexes = queries_.restore(store); !indexes) return indexes;
  return store.scan(std::string(1, kBuried), std::string(1, kBuried + 1),
                    [this](std::string_view text, std::string_view) {
                      if (auto buried = read_timed_key(text);
                          buried && host_->is_home(thing_of(buried->second)))
                        buried_.emplace(std::move(*buried), true);
                      return true;
                    });
}

std::string_view ShadowService::home_key(std::string_view topic) const {
  return read_topic(topic).shadow.thing;
}

bool ShadowService::forbids(std::string_view topic, bool retain) const {
  switch (read_topic(topic).kind) {
    case TopicKind::Other:
      return false;
    case TopicKind::Request:
      return retain || (read_topic(topic).operation == Operation::Query && !queries_.enabled());
    case TopicKind::Answer:
    case TopicKind::Unknown:
      return true;
  }
  return true;
}

void ShadowService::on_message(const ServiceMessage& message, Reaction& reaction) {
  const ShadowTopic topic = read_topic(message.parts.topic);
  if (topic.kind != TopicKind::Request) return;
  if (topic.operation == Operation::Query) return answer_query(message.parts.payload, reaction);
  if (topic.operation == Operation::History)
    return answer_history(topic.shadow, message.parts.payload, reaction);
  const std::string key = record_key(topic.shadow);
  const ShadowRequest request{topic.operation, topic.shadow,   message.parts.payload,
                              seconds(),       topic.extended, false,
                              topic.cbor};
  const Author author{message.parts.publisher, message.principal, message.peer};
  if (Documents::value_type* const document = find(key))
    return serve(*document, request, author, reaction, nullptr);
  wait_for(key, request, author, reaction.hold(), nullptr);
}

void ShadowService::ask(Operation operation, const ShadowName& shadow, std::string_view payload,
                        std::function<void(const DirectAnswer&)> done, const Author& author,
                        bool extended) {
  const std::string key = record_key(shadow);
  const ShadowRequest request{operation, shadow, payload, seconds(), extended, true};
  if (Documents::value_type* const document = find(key))
    return host_->react(
        [&](Reaction& reaction) { serve(*document, request, author, reaction, done); });
  wait_for(key, request, author, 0, std::move(done));
}

void ShadowService::peek(const ShadowName& shadow, std::function<void(const DirectAnswer&)> done) {
  if (!is_thing_name(shadow.thing) || (!shadow.name.empty() && !is_shadow_name(shadow.name)))
    return done({400, "This is no name", {}, 0});
  const std::string key = record_key(shadow);
  const ShadowRequest request{Operation::Get, shadow, {}, seconds(), false, true};
  if (Documents::value_type* const document = find(key))
    return host_->react([&](Reaction& reaction) { tell_present(*document, request, reaction, done); });
  wait_for(key, request, {}, 0, std::move(done), true);
}

void ShadowService::tell_present(Documents::value_type& document, const ShadowRequest& request, Reaction& reaction,
                                 const Done& done) {
  expire(document, request.shadow, reaction);
  std::optional<std::string_view> stored;
  if (document.second.record) stored = *document.second.record;
  done(direct_answer(machine_.handle(request, stored)));
}

ShadowService::Waiting::Waiting(const ShadowRequest& request, const Author& author,
                                HeldTransaction held_transaction, Done when_done)
    : operation(request.operation),
      extended(request.extended),
      answered_directly(request.answered_directly),
      cbor(request.cbor),
      thing(request.shadow.thing),
      name(request.shadow.name),
      payload(request.payload),
      client(author.client),
      principal(author.principal),
      peer(author.peer),
      held(held_transaction),
      done(std::move(when_done)) {}

ShadowRequest ShadowService::Waiting::request(EpochSeconds now) const {
  return {operation, {thing, name}, payload, now, extended, answered_directly, cbor};
}

void ShadowService::wait_for(const std::string& key, const ShadowRequest& request,
                             const Author& author, HeldTransaction held, Done done, bool peeks) {
  std::vector<Waiting>& queue = waiting_[key];
  queue.emplace_back(request, author, held, std::move(done)).peeks = peeks;
  if (queue.size() > 1) return;
  host_->read({key, key + '\0', 1},
              [this, key](Result<StoreEntries> found) { on_read(key, found); });
}

void ShadowService::on_read(const std::string& key, const Result<StoreEntries>& found) {
  const std::vector<Waiting> queue = std::move(waiting_.extract(key).mapped());
  Documents::value_type* document = nullptr;
  if (found) {
    std::optional<std::string> record;
    if (!found->entries.empty()) record = found->entries.front().second;
    document = &add(key, std::move(record));
    document->second.busy = true;
  } else {
    host_->log(LogLevel::Error, "shadow cannot be read", "reason=\"" + found.error().detail + "\"");
    // The key says nothing of when it expires; asking again finds out.
    for (const Waiting& each : queue)
      if (each.operation == Operation::Expire) expiring_.insert({seconds() + kAgainSeconds, key});
  }
  for (const Waiting& each : queue) {
    const ShadowRequest request = each.request(seconds());
    const auto action = [&](Reaction& reaction) {
      if (each.operation == Operation::Expire)
        return document != nullptr ? expire(*document, request.shadow, reaction) : void();
      if (document != nullptr && each.peeks)
        return tell_present(*document, request, reaction, each.done);
      if (document != nullptr)
        return serve(*document, request, each.author(), reaction, each.done);
      const Outcome& outcome = machine_.refuse(request, 500, "Internal service failure");
      tell(outcome, reaction);
      if (each.done) each.done(direct_answer(outcome));
    };
    if (each.held != 0) {
      host_->resume(each.held, action);
    } else {
      host_->react(action);
    }
  }
  if (document != nullptr) document->second.busy = false;
  trim();
}

void ShadowService::serve(Documents::value_type& document, const ShadowRequest& request,
                          const Author& author, Reaction& reaction, const Done& done) {
  if (!too_many(document.second, request.now) && enter(author.client, request.shadow.thing))
    return perform(document, request, author, reaction, done);
  const Outcome& outcome = machine_.refuse(request, 429, "Too many requests");
  tell(outcome, reaction);
  if (done) done(direct_answer(outcome));
}

void ShadowService::perform(Documents::value_type& document, const ShadowRequest& request,
                            const Author& author, Reaction& reaction, const Done& done) {
  std::optional<std::string_view> stored;
  expire(document, request.shadow, reaction);
  if (document.second.record) stored = *document.second.record;
  Outcome& outcome = machine_.handle(request, stored);
  std::function<void()> answered;
  if (done) answered = [done, answer = direct_answer(outcome)] { done(answer); };
  if (inflight_max_ > 0 && !author.client.empty())
    answered = [this, answered = std::move(answered),
                place = std::string(author.client) + '\0' + std::string(request.shadow.thing)] {
      leave(place);
      if (answered) answered();
    };

  if (outcome.change != Outcome::Change::None) {
    for (const ShadowMessage& message : outcome.messages)
      reaction.publish_after_commit(parts_of(message));
    if (answered) reaction.after_commit(std::move(answered));
    change(document, outcome, author, word(request.operation), reaction);
  } else if (document.second.pins > 0) {
    // Nobody may see a version that a crash could still take back.
    document.second.readers.push_back(
        {document.second.pins, std::move(outcome.messages), std::move(answered)});
    outcome.messages.clear();
  } else {
    for (const ShadowMessage& message : outcome.messages) reaction.publish(parts_of(message));
    if (answered) answered();
  }
  trim();
}

void ShadowService::on_safe(Document& document) {
  --document.pins;
  std::vector<Reader> ready;
  for (auto reader = document.readers.begin(); reader != document.readers.end();) {
    if (--reader->changes > 0) {
      ++reader;
      continue;
    }
    ready.push_back(std::move(*reader));
    reader = document.readers.erase(reader);
  }
  for (Reader& reader : ready) {
    host_->react([&](Reaction& reaction) {
      for (const ShadowMessage& message : reader.messages) reaction.publish(parts_of(message));
    });
    if (reader.done) reader.done();
  }
  trim();
}

void ShadowService::change(Documents::value_type& document, const Outcome& outcome,
                           const Author& author, std::string_view operation,
                           Reaction& reaction) {
  const std::string& key = document.first;
  cached_bytes_ -= weight(document);
  if (outcome.revived) {
    reaction.records().erase(buried_key(*outcome.revived, key));
    buried_.erase({*outcome.revived, key});
  }
  queries_.note_change(key, document.second.record ? &*document.second.record : nullptr,
                       outcome.change == Outcome::Change::Put ? &outcome.record : nullptr,
                       reaction);
  if (outcome.change == Outcome::Change::Put) {
    reaction.records().put(key, outcome.record);
    document.second.record = outcome.record;
  } else {
    reaction.records().erase(key);
    document.second.record.reset();
  }
  note_expiry(key, outcome, reaction);
  versions_.note(key, outcome, author, operation, reaction);
  if (outcome.buried) {
    reaction.records().put(buried_key(*outcome.buried, key), {});
    buried_.emplace(std::pair(*outcome.buried, key), true);
  }
  cached_bytes_ += weight(document);
  ++document.second.pins;
  reaction.after_commit([this, &document] { on_safe(document.second); });
}

void ShadowService::expire(Documents::value_type& document, const ShadowName& shadow,
                           Reaction& reaction) {
  if (!document.second.record) return;
  const EpochSeconds now = seconds();
  const EpochSeconds expiry = expiry_of(*document.second.record);
  if (expiry == 0 || expiry > now) return;
  const Outcome& outcome = machine_.handle({Operation::Expire, shadow, {}, now, true, true},
                                           std::string_view(*document.second.record));
  if (outcome.change == Outcome::Change::None) return;
  for (const ShadowMessage& message : outcome.messages)
    reaction.publish_after_commit(parts_of(message));
  change(document, outcome, {}, word(Operation::Expire), reaction);
}

void ShadowService::note_expiry(const std::string& key, const Outcome& outcome,
                                Reaction& reaction) {
  if (outcome.expiry_before == outcome.expiry_after) {
    // Whoever took it out of the order of time did so for a removal that did not happen.
    if (outcome.expiry_after != 0) expiring_.insert({outcome.expiry_after, key});
    return;
  }
  if (outcome.expiry_before != 0) {
    reaction.records().erase(timed_key(kExpiring, outcome.expiry_before, key));
    expiring_.erase({outcome.expiry_before, key});
  }
  if (outcome.expiry_after != 0) {
    reaction.records().put(timed_key(kExpiring, outcome.expiry_after, key), {});
    expiring_.insert({outcome.expiry_after, key});
  }
}

// Documents that are not in memory are read first; the time is kept in the store until the key is
// gone.
void ShadowService::expire_due(Reaction& reaction) {
  const EpochSeconds now = seconds();
  for (std::size_t i = 0; i < kExpiredPerTurn && !expiring_.empty(); ++i) {
    if (expiring_.begin()->first > now) return;
    const std::string key = expiring_.extract(expiring_.begin()).value().second;
    const std::string_view thing = thing_of(key);
    const ShadowName shadow{thing, std::string_view(key).substr(thing.size() + 2)};
    if (Documents::value_type* const document = find(key)) {
      expire(*document, shadow, reaction);
      trim();
    } else {
      wait_for(key, {Operation::Expire, shadow, {}, now, true, true}, {}, 0, nullptr);
    }
  }
}

bool ShadowService::too_many(Document& document, EpochSeconds now) {
  if (per_second_max_ == 0) return false;
  if (document.second != now) {
    document.second = now;
    document.asked_in_second = 0;
  }
  return document.asked_in_second++ >= per_second_max_;
}

bool ShadowService::enter(std::string_view publisher, std::string_view thing) {
  if (inflight_max_ == 0 || publisher.empty()) return true;
  std::uint32_t& open = inflight_[std::string(publisher) + '\0' + std::string(thing)];
  if (open >= inflight_max_) return false;
  ++open;
  return true;
}

void ShadowService::leave(const std::string& place) {
  const auto found = inflight_.find(place);
  if (found != inflight_.end() && --found->second == 0) inflight_.erase(found);
}

// --- History

void ShadowService::history(const ShadowName& shadow, const HistoryRequest& request,
                            std::function<void(const DirectAnswer&)> done) {
  if (!versions_.kept()) return done({404, "No history is kept", {}, 0});
  if (const Refusal refusal = check_history_request(request))
    return done({refusal.code, refusal.message, {}, 0});
  const std::string key = record_key(shadow);
  Documents::value_type* const document = find(key);
  const auto read = [this, key, request, done = std::move(done)] {
    versions_.read(key, request, done);
  };
  if (document == nullptr || document->second.pins == 0) return read();
  // What is not yet safe is told only when it is.
  document->second.readers.push_back({document->second.pins, {}, read});
}

void ShadowService::answer_history(const ShadowName& shadow, std::string_view payload,
                                   Reaction& reaction) {
  HistoryRequest request;
  std::string topic;
  write_prefix(shadow, topic, true);
  topic += "/history";
  const Refusal refusal = read_history_request(payload, request);
  const auto present = std::make_shared<Reaction*>(&reaction);
  const auto done = [this, topic, present, token = request.token](const DirectAnswer& answer) {
    const auto tell_answer = [&](Reaction& own) {
      if (answer.code == 200)
        return own.publish(parts_of({topic + "/accepted", answer.body}));
      own.publish(
          parts_of({topic + "/rejected", query_refusal(answer.code, answer.message, token)}));
    };
    if (*present != nullptr) return tell_answer(**present);
    host_->react(tell_answer);
  };
  if (refusal) {
    done({refusal.code, refusal.message, {}, 0});
  } else {
    history(shadow, request, done);
  }
  *present = nullptr;
}

// --- Queries

void ShadowService::answer_query(std::string_view payload, Reaction& reaction) {
  QueryRequest request;
  const Refusal refusal = read_query_request(payload, request);
  const auto tell_fault = [token = request.token](Reaction& own, int code,
                                                  const std::string& why) {
    own.publish(parts_of({"$twinmq/shadows/query/rejected", query_refusal(code, why, token)}));
  };
  if (refusal) return tell_fault(reaction, refusal.code, refusal.message);
  // What is refused at once is answered within this reaction.
  const auto present = std::make_shared<Reaction*>(&reaction);
  queries_.ask(request.query, [this, tell_fault, present, token = request.token](
                                  const Result<ShadowPage>& page) {
    const auto answer = [&](Reaction& own) {
      if (!page) return tell_fault(own, query_code(page.error().code), page.error().detail);
      own.publish(parts_of({"$twinmq/shadows/query/accepted", query_answer(*page, token)}));
    };
    if (*present != nullptr) return answer(**present);
    host_->react(answer);
  });
  *present = nullptr;
}

// --- Documents in memory

ShadowService::Documents::value_type* ShadowService::find(const std::string& key) {
  const auto found = documents_.find(key);
  if (found == documents_.end()) return nullptr;
  used_.splice(used_.begin(), used_, found->second.place);
  return &*found;
}

ShadowService::Documents::value_type& ShadowService::add(const std::string& key,
                                                         std::optional<std::string> record) {
  auto& document = *documents_.emplace(key, Document{}).first;
  document.second.record = std::move(record);
  used_.push_front(&document.first);
  document.second.place = used_.begin();
  cached_bytes_ += weight(document);
  return document;
}

// The least used first; what the store does not know yet must stay.
void ShadowService::trim() {
  auto place = used_.end();
  while (cached_bytes_ > cache_bytes_max_ && place != used_.begin()) {
    --place;
    const auto found = documents_.find(**place);
    if (found->second.pins > 0 || found->second.busy) continue;
    cached_bytes_ -= weight(*found);
    place = used_.erase(place);
    documents_.erase(found);
  }
}

std::size_t ShadowService::weight(const Documents::value_type& document) const {
  return kEntryBytes + document.first.size() +
         (document.second.record ? document.second.record->size() : 0);
}

// --- Names

void ShadowService::list(std::string_view thing, std::string_view after, std::size_t count,
                         std::function<void(Result<std::vector<std::string>>, bool more)> done) {
  const std::string prefix = record_key({thing, {}});
  StoreRange range{prefix + std::string(after) + '\0', prefix, 256};
  range.to.back() = '\1';
  collect(std::move(range), count, {}, std::move(done));
}

void ShadowService::collect(StoreRange range, std::size_t count, std::vector<std::string> names,
                            std::function<void(Result<std::vector<std::string>>, bool more)> done) {
  const auto take = [this, range, count, names = std::move(names),
                     done](Result<StoreEntries> found) mutable {
    if (!found) return done(found.error(), false);
    for (const auto& [key, record] : found->entries) {
      if (is_deleted(record)) continue;
      if (names.size() == count) return done(std::move(names), true);
      names.push_back(key.substr(key.find('\0') + 1));
    }
    if (!found->more) return done(std::move(names), false);
    range.from = found->entries.back().first + '\0';
    collect(std::move(range), count, std::move(names), std::move(done));
  };
  host_->read(range, take);
}

// --- What remains of deleted shadows

Instant ShadowService::next_deadline() const {
  if (queries_.has_work()) return host_->now().steady;
  if (buried_.empty() && expiring_.empty()) return versions_.next_deadline();
  EpochSeconds due = INT64_MAX / 2000;
  if (!buried_.empty()) due = buried_.begin()->first.first + machine_.rules().tombstone_seconds;
  if (!expiring_.empty()) due = std::min(due, expiring_.begin()->first);
  const Now now = host_->now();
  const auto wall = std::chrono::duration_cast<Milliseconds>(now.wall.time_since_epoch());
  return std::min<Instant>(versions_.next_deadline(),
                           now.steady + std::max(Milliseconds(0), Milliseconds(due * 1000) - wall));
}

void ShadowService::on_time(Reaction& reaction) {
  const EpochSeconds now = seconds();
  expire_due(reaction);
  versions_.on_time();
  if (queries_.has_work())
    queries_.step(reaction, [this](const std::string& key) -> const std::string* {
      const auto found = documents_.find(key);
      return found != documents_.end() && found->second.record ? &*found->second.record : nullptr;
    });
  for (std::size_t i = 0; i < kBuriedPerTurn && !buried_.empty(); ++i) {
    const auto& [deleted, key] = buried_.begin()->first;
    if (now - deleted < machine_.rules().tombstone_seconds) return;
    reaction.records().erase(buried_key(deleted, key));
    reaction.records().erase(key);
    versions_.erase(key, reaction);
    if (const auto found = documents_.find(key); found != documents_.end()) {
      cached_bytes_ -= weight(*found);
      found->second.record.reset();
      cached_bytes_ += weight(*found);
      ++found->second.pins;
      reaction.after_commit([this, &document = found->second] { on_safe(document); });
    }
    buried_.erase(buried_.begin());
  }
}

EpochSeconds ShadowService::seconds() const {
  return std::chrono::duration_cast<std::chrono::seconds>(host_->now().wall.time_since_epoch())
      .count();
}

}  // namespace twinmq::shadow
