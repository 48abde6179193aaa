#include "sim/ledger.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "mqtt/topic.hpp"
#include "sim/shadow_checker.hpp"
#include "sim/sim_network.hpp"

namespace twinmq::sim {

namespace {

// "$share/name/filter" in its two forms.
std::string share_of(const std::string& filter) {
  return mqtt::is_shared(filter) ? filter.substr(filter.find('/') + 1) : std::string();
}
std::string plain_of(const std::string& filter) {
  const auto shared = mqtt::is_shared(filter) ? mqtt::parse_shared(filter) : std::nullopt;
  return shared ? std::string(shared->filter) : filter;
}

// The newest entry of the filter that the client has not seen end.
Interest* newest(SimSession& session, const std::string& filter) {
  const std::string share = share_of(filter);
  const std::string plain = plain_of(filter);
  for (auto each = session.interests.rbegin(); each != session.interests.rend(); ++each)
    if (each->filter == plain && each->share == share) return &*each;
  return nullptr;
}

}  // namespace

bool SimSession::counts() const {
  return alive && (lasting || !wire || wire->server_left_at < 0);
}

Sent& Ledger::make(std::uint32_t publisher, std::uint32_t topic, QoS qos, bool retain,
                   std::size_t size) {
  Sent message;
  message.number = static_cast<std::uint32_t>(messages.size());
  message.publisher = publisher;
  message.topic = topic;
  message.qos = qos;
  message.retain = retain;
  message.size = size;
  return messages.emplace_back(message);
}

// A topic of its own for each: few enough.
Sent& Ledger::make(std::uint32_t publisher, QoS qos, const ShadowAsk& ask) {
  const std::string name = ShadowTopics::request(ask.shadow, ask.kind);
  auto place = std::find(topics.begin(), topics.end(), name);
  if (place == topics.end()) place = topics.insert(topics.end(), name);
  Sent& message =
      make(publisher, static_cast<std::uint32_t>(place - topics.begin()), qos, false, 0);
  message.ask = std::make_shared<const ShadowAsk>(ask);
  return message;
}

void Ledger::sent(Sent& message) {
  const Event event = tick();
  if (message.times_sent++ == 0) message.first_sent = event;
  for (const auto& checker : checkers) checker->on_sent(message);
}

void Ledger::accepted(Sent& message, ReasonCode code) {
  message.accepted = tick();
  for (const auto& checker : checkers) checker->on_accepted(message, code);
}

SimSession& Ledger::open_session(std::uint32_t client) {
  tick();
  SimSession session;
  session.client = client;
  session.number = static_cast<std::uint32_t>(sessions.size());
  return sessions.emplace_back(std::move(session));
}

void Ledger::welcomed(SimSession& session) {
  for (const auto& checker : checkers) checker->on_welcomed(session);
}

void Ledger::end_session(SimSession& session) {
  if (!session.alive) return;
  const Event event = tick();
  session.alive = false;
  for (Interest& interest : session.interests) interest.leaving = std::min(interest.leaving, event);
  for (const auto& checker : checkers) checker->on_session_ended(session);
}

void Ledger::bury(SimSession& session) {
  tick();
  for (const auto& checker : checkers) checker->on_session_buried(session);
}

void Ledger::asked(SimSession& session, const std::string& filter, bool replays) {
  const Event event = tick();
  // What was granted before stands until the new answer, but at which QoS is open meanwhile.
  if (Interest* before = newest(session, filter))
    before->leaving = std::min(before->leaving, event);
  Interest interest;
  interest.filter = plain_of(filter);
  interest.share = share_of(filter);
  interest.asked = event;
  interest.replays = replays;
  session.interests.push_back(std::move(interest));
  for (const auto& checker : checkers) checker->on_asked(session, session.interests.back());
}

void Ledger::granted(SimSession& session, const std::string& filter, QoS qos) {
  const Event event = tick();
  Interest* const interest = newest(session, filter);
  if (!interest) return;
  interest->granted = event;
  interest->qos = qos;
  for (const auto& checker : checkers) checker->on_granted(session, *interest);
}

void Ledger::refused(SimSession& session, const std::string& filter) {
  if (Interest* interest = newest(session, filter)) interest->left = tick();
}

void Ledger::leaving(SimSession& session, const std::string& filter) {
  const Event event = tick();
  Interest* const interest = newest(session, filter);
  if (!interest) return;
  interest->leaving = std::min(interest->leaving, event);
  for (const auto& checker : checkers) checker->on_leaving(session, *interest);
}

void Ledger::left(SimSession& session, const std::string& filter) {
  const Event event = tick();
  const std::string share = share_of(filter);
  const std::string plain = plain_of(filter);
  for (Interest& interest : session.interests)
    if (interest.filter == plain && interest.share == share && interest.leaving != kNotYet)
      interest.left = std::min(interest.left, event);
}

void Ledger::received(SimSession& session, const Received& received) {
  tick();
  for (const auto& checker : checkers) checker->on_received(session, received);
}

void Ledger::answered(SimSession& session, std::string_view topic, std::string_view payload,
                      bool dup) {
  tick();
  for (const auto& checker : checkers) checker->on_answer(session, topic, payload, dup);
}

void Ledger::connection_lost(SimSession& session) {
  tick();
  for (const auto& checker : checkers) checker->on_connection_lost(session);
}

void Ledger::restarted() {
  last_restart = tick();
  for (const auto& checker : checkers) checker->on_restart();
}

void Ledger::calm() {
  tick();
  for (const auto& checker : checkers) checker->on_calm();
}

void Ledger::finish() {
  tick();
  for (const auto& checker : checkers) checker->on_finish();
}

std::string Ledger::payload_of(const Sent& message) {
  if (message.ask) return message.ask->text(message.number);
  std::string payload = std::to_string(message.number) + ';';
  if (payload.size() < message.size)
    payload.resize(message.size, static_cast<char>('a' + message.number % 26));
  return payload;
}

const Sent* Ledger::find(std::string_view topic, std::string_view payload) {
  std::uint32_t number = 0;
  const auto read = std::from_chars(payload.data(), payload.data() + payload.size(), number);
  if (read.ec != std::errc() || number >= messages.size()) {
    complain("content", "a payload that nobody sent on " + std::string(topic));
    return nullptr;
  }
  const Sent& message = messages[number];
  if (topic_of(message) != topic || payload_of(message) != payload) {
    complain("content", describe(*this, message) + " came back changed, on " + std::string(topic));
    return nullptr;
  }
  return &message;
}

void Ledger::complain(std::string_view checker, std::string what) {
  if (!complaint_)
    complaint_ = std::string(checker) + ": " + what + " (event " + std::to_string(now_) + ')';
}

bool wants(const Ledger& ledger, const Interest& interest, const Sent& message) {
  return mqtt::matches(interest.filter, ledger.topic_of(message));
}

std::string describe(const Ledger& ledger, const Sent& message) {
  return "message " + std::to_string(message.number) + " of c" + std::to_string(message.publisher) +
         " on " + std::string(ledger.topic_of(message)) + " at QoS " +
         std::to_string(static_cast<int>(message.qos)) + (message.retain ? " retained" : "") +
         (message.will ? " as a will" : "");
}

}  // namespace twinmq::sim
