#include "modules/shadow/shadow_service.hpp"

#include <chrono>
#include <utility>

#include "modules/shadow/shadow_answers.hpp"

namespace twinmq::shadow {
namespace {

constexpr char kRecord = 'd';

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

std::string_view ShadowService::home_key(std::string_view topic) const {
  return read_topic(topic).shadow.thing;
}

bool ShadowService::forbids(std::string_view topic, bool retain) const {
  switch (read_topic(topic).kind) {
    case TopicKind::Other: return false;
    case TopicKind::Request:
      return retain || (read_topic(topic).operation == Operation::Query && !queries_.enabled());
    case TopicKind::Answer:
    case TopicKind::Unknown: return true;
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
                           const Author& author, std::string_view operation, Reaction& reaction) {
  const std::string& key = document.first;
  cached_bytes_ -= weight(document);
  if (outcome.revived) raise(key, *outcome.revived, reaction);
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
  if (outcome.buried) bury(key, *outcome.buried, reaction);
  cached_bytes_ += weight(document);
  ++document.second.pins;
  reaction.after_commit([this, &document] { on_safe(document.second); });
}

// --- Who asks too much

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

EpochSeconds ShadowService::seconds() const {
  return std::chrono::duration_cast<std::chrono::seconds>(host_->now().wall.time_since_epoch())
      .count();
}

}  // namespace twinmq::shadow
