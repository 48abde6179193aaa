#include "sim/checkers.hpp"

#include <algorithm>

#include "mqtt/topic.hpp"
#include "sim/sim_network.hpp"

namespace twinmq::sim {

namespace {

// Whether the subscription was in force during the whole of the message's way to the broker.
bool in_force(const Ledger& ledger, const Interest& interest, const Sent& message) {
  return interest.granted < message.first_sent && interest.leaving > message.accepted &&
         interest.qos != QoS::AtMostOnce && wants(ledger, interest, message);
}

std::string name_of(const SimSession& session) {
  return "session " + std::to_string(session.number) + " of c" + std::to_string(session.client);
}

std::string event_of(Event event) {
  return event == kNotYet ? "never" : std::to_string(event);
}

std::string times_of(const Sent& message) {
  return " (sent at " + event_of(message.first_sent) + ", " + std::to_string(message.times_sent) +
         " times, accepted at " + event_of(message.accepted) + ')';
}

}  // namespace

void add_checkers(Ledger& ledger) {
  ledger.checkers.push_back(std::make_unique<LossChecker>(ledger));
  ledger.checkers.push_back(std::make_unique<CopiesChecker>(ledger));
  ledger.checkers.push_back(std::make_unique<OrderChecker>(ledger));
  ledger.checkers.push_back(std::make_unique<InterestChecker>(ledger));
  ledger.checkers.push_back(std::make_unique<GroupChecker>(ledger));
  ledger.checkers.push_back(std::make_unique<RetainedChecker>(ledger));
}

// --- Loss

void LossChecker::on_accepted(const Sent& message, ReasonCode code) {
  for (const SimSession& session : ledger_.sessions) {
    if (!session.counts()) continue;
    const auto owed = std::find_if(
        session.interests.begin(), session.interests.end(), [&](const Interest& interest) {
          return interest.share.empty() && in_force(ledger_, interest, message);
        });
    if (owed == session.interests.end()) continue;
    State& state = states_[session.number];
    if (message.number < state.seen.size() && state.seen[message.number]) continue;
    // One without a connection may have expired: if it has not, the message will be missed.
    if (code == ReasonCode::NoMatchingSubscribers && session.wire &&
        session.wire->server_left_at < 0)
      ledger_.complain("loss", describe(ledger_, message) +
                                   " was answered with no matching subscribers, but " +
                                   name_of(session) + " is one by " + owed->filter + " since " +
                                   event_of(owed->granted));
    state.owed.insert(message.number);
  }
}

void LossChecker::on_received(const SimSession& session, const Received& received) {
  State& state = states_[session.number];
  const std::uint32_t number = received.message.number;
  if (state.seen.size() <= number) state.seen.resize(number + 1);
  state.seen[number] = true;
  state.owed.erase(number);
}

void LossChecker::on_session_ended(const SimSession& session) {
  states_.erase(session.number);
}

void LossChecker::on_finish() {
  for (const auto& [number, state] : states_) {
    if (state.owed.empty()) continue;
    const Sent& message = ledger_.messages[*state.owed.begin()];
    ledger_.complain("loss", describe(ledger_, message) + " never reached " +
                                 name_of(ledger_.sessions[number]) + times_of(message) +
                                 ", with it " + std::to_string(state.owed.size() - 1) + " others");
  }
}

// --- Copies

void CopiesChecker::on_received(const SimSession& session, const Received& received) {
  if (received.retain) return;  // every replay is a copy of its own
  const Sent& message = received.message;
  Copies& copies = copies_[{session.number, message.number}];
  if (received.qos == QoS::ExactlyOnce && ++copies.exactly_once > 1)
    return ledger_.complain("copies", describe(ledger_, message) + " came twice at QoS 2 to " +
                                          name_of(session) + times_of(message));
  if (received.dup || ++copies.without_dup <= message.times_sent) return;
  // What the broker itself still had to route when it went is routed again, at QoS 1 perhaps to the
  // same client.
  const bool owed = message.will || std::any_of(session.interests.begin(), session.interests.end(),
                                                [&](const Interest& interest) {
                                                  return !interest.share.empty() &&
                                                         wants(ledger_, interest, message);
                                                });
  if (!owed || ledger_.last_restart < message.first_sent)
    ledger_.complain("copies", describe(ledger_, message) +
                                   " came more often than it was sent to " + name_of(session) +
                                   times_of(message));
}

// --- Order

void OrderChecker::on_received(const SimSession& session, const Received& received) {
  const Sent& message = received.message;
  if (received.retain || message.will) return;
  if (session.unknown_past) return;  // it may be in share groups that the client does not know of
  for (const Interest& interest : session.interests)
    if (!interest.share.empty()) return;
  if (!seen_.emplace(session.number, message.number).second) return;
  std::uint32_t& last =
      last_[{session.number, message.publisher, message.topic, message.qos, received.qos}];
  // What was sent again may have been routed again, behind its successors.
  // Nor is it told when retained messages, which go by the topic's home, and others come over
  // different connections.
  const bool mixed = ledger_.topic_of(message)[0] == 'm' && last > message.number &&
                     ledger_.messages[last].connection != message.connection;
  if (last > message.number && message.times_sent == 1 && !mixed)
    ledger_.complain("order", describe(ledger_, message) + " came after message " +
                                  std::to_string(last) + " to " + name_of(session) +
                                  times_of(message));
  last = std::max(last, message.number);
}

// --- Interest

void InterestChecker::on_received(const SimSession& session, const Received& received) {
  if (session.unknown_past) return;
  for (const Interest& interest : session.interests)
    if (interest.left > received.message.first_sent && wants(ledger_, interest, received.message))
      return;
  ledger_.complain("interest", describe(ledger_, received.message) + " came to " +
                                   name_of(session) + ", which has no subscription for it" +
                                   times_of(received.message));
}

// --- Share groups

void GroupChecker::on_accepted(const Sent& message, ReasonCode) {
  for (const SimSession& session : ledger_.sessions) {
    if (!session.counts()) continue;
    for (const Interest& interest : session.interests) {
      if (interest.share.empty() || !in_force(ledger_, interest, message)) continue;
      Group& group = groups_[interest.share];
      if (message.qos == QoS::ExactlyOnce &&
          (group.dying > 0 || group.last_burial > message.first_sent))
        continue;
      if (group.forgets && ledger_.last_restart > message.first_sent) continue;
      if (group.seen.count(message.number) == 0) group.owed.insert(message.number);
    }
  }
}

void GroupChecker::on_received(const SimSession& session, const Received& received) {
  const Sent& message = received.message;
  for (const Interest& interest : session.interests) {
    if (interest.share.empty() || !wants(ledger_, interest, message)) continue;
    Group& group = groups_[interest.share];
    group.seen.insert(message.number);
    group.owed.erase(message.number);
    if (received.dup && received.qos != QoS::ExactlyOnce) return;
    const std::uint32_t copies = ++group.copies[message.number];
    const bool restarted = ledger_.last_restart > message.first_sent;
    const bool again =
        received.qos == QoS::ExactlyOnce && !group.exactly_once.insert(message.number).second;
    if (copies == 1) return;
    const bool excused =
        restarted || (!again && (message.times_sent > 1 || group.last_death > message.first_sent));
    if (!excused)
      ledger_.complain("group", describe(ledger_, message) + " came " + std::to_string(copies) +
                                    " times to group " + interest.share + ", last to " +
                                    name_of(session) + times_of(message));
    return;
  }
}

void GroupChecker::on_session_ended(const SimSession& session) {
  for (const std::string& share : groups_of(session)) {
    ++groups_[share].dying;
    on_member_gone(session, share);
  }
}

void GroupChecker::on_session_buried(const SimSession& session) {
  for (const std::string& share : groups_of(session)) {
    Group& group = groups_[share];
    --group.dying;
    group.last_burial = group.last_death = ledger_.now();
    std::erase_if(group.owed, [&](std::uint32_t number) {
      return ledger_.messages[number].qos == QoS::ExactlyOnce;
    });
  }
}

std::set<std::string> GroupChecker::groups_of(const SimSession& session) {
  std::set<std::string> shares;
  for (const Interest& interest : session.interests)
    if (!interest.share.empty()) shares.insert(interest.share);
  return shares;
}

void GroupChecker::on_welcomed(const SimSession& session) {
  if (session.lasting) return;
  for (const std::string& share : groups_of(session)) groups_[share].forgets = true;
}

void GroupChecker::on_granted(const SimSession& session, const Interest& interest) {
  if (!interest.share.empty() && !session.lasting) groups_[interest.share].forgets = true;
}

void GroupChecker::on_restart() {
  for (auto& [share, group] : groups_)
    if (group.forgets) group.owed.clear();
}

void GroupChecker::on_leaving(const SimSession& session, const Interest& interest) {
  if (!interest.share.empty()) on_member_gone(session, interest.share);
}

// The group ends with its last member, and nobody is owed anything.
void GroupChecker::on_member_gone(const SimSession&, const std::string& share) {
  Group& group = groups_[share];
  group.last_death = ledger_.now();
  for (const SimSession& session : ledger_.sessions)
    if (session.alive)
      for (const Interest& interest : session.interests)
        if (interest.share == share && interest.granted != kNotYet && interest.leaving == kNotYet)
          return;
  group.owed.clear();
}

void GroupChecker::on_finish() {
  for (const auto& [share, group] : groups_) {
    if (group.owed.empty()) continue;
    const Sent& message = ledger_.messages[*group.owed.begin()];
    ledger_.complain("group", describe(ledger_, message) + " never reached a member of " + share +
                                  times_of(message) + ", with it " +
                                  std::to_string(group.owed.size() - 1) + " others");
  }
}

// --- Retained

void RetainedChecker::on_sent(const Sent& message) {
  if (message.retain) topics_[message.topic];
}

void RetainedChecker::on_accepted(const Sent& message, ReasonCode) {
  if (!message.retain) return;
  std::uint32_t& last = topics_[message.topic].accepted[message.publisher];
  last = std::max(last, message.number);
}

void RetainedChecker::on_asked(const SimSession& session, const Interest& interest) {
  if (!interest.share.empty() || !interest.replays) return;
  // Of topics without a value, too: one may come before this SUBSCRIBE is in force, and be
  // replayed.
  for (std::uint32_t number = 0; number < ledger_.topics.size(); ++number) {
    if (!mqtt::matches(interest.filter, ledger_.topics[number])) continue;
    const auto known = topics_.find(number);
    floors_[{session.number, number}].push_back(
        known == topics_.end() ? std::map<std::uint32_t, std::uint32_t>() : known->second.accepted);
  }
}

void RetainedChecker::on_received(const SimSession& session, const Received& received) {
  const Sent& message = received.message;
  if (!message.retain) return;
  const std::string what = describe(ledger_, message) +
                           (received.retain ? " was replayed to " : " came to ") + name_of(session);
  std::uint32_t& newest = newest_[{session.number, message.topic, message.publisher}];
  if (!received.dup && message.number < newest && message.times_sent == 1)
    ledger_.complain("retained",
                     what + " after message " + std::to_string(newest) + times_of(message));
  // What was on the wire when the broker went may never have been stored.
  if (message.accepted != kNotYet || message.first_sent > ledger_.last_restart)
    newest = std::max(newest, message.number);
  last_[{session.number, message.topic}] = message.number;
  // What a long queue still held is no last value.
  if (calm_since_ != kNotYet && (received.retain || message.first_sent > calm_since_))
    moved_in_calm_.emplace(session.number, message.topic);
  if (!received.retain) return;
  const auto floors = floors_.find({session.number, message.topic});
  if (floors == floors_.end() || floors->second.empty() || received.dup) return;
  const auto least = floors->second.front().find(message.publisher);
  if (least != floors->second.front().end() && message.number < least->second && !received.dup)
    ledger_.complain("retained", what + ", older than message " + std::to_string(least->second) +
                                     ", which was accepted before the subscription" +
                                     times_of(message));
  floors->second.pop_front();
}

void RetainedChecker::on_restart() {
  newest_.clear();
}

void RetainedChecker::on_finish() {
  std::map<std::uint32_t, std::pair<std::uint32_t, std::uint32_t>>
      agreed;  // topic -> message, session
  for (const auto& [place, message] : last_) {
    const std::uint32_t session = place.first;
    const std::uint32_t topic = place.second;
    const auto& interests = ledger_.sessions[session].interests;
    const bool subscribed =
        std::any_of(interests.begin(), interests.end(), [&](const Interest& interest) {
          return interest.granted != kNotYet && interest.leaving == kNotYet &&
                 wants(ledger_, interest, ledger_.messages[message]);
        });
    if (!ledger_.sessions[session].alive || !subscribed || moved_in_calm_.count(place) == 0)
      continue;
    const auto [entry, first] = agreed.try_emplace(topic, message, session);
    if (!first && entry->second.first != message)
      ledger_.complain("retained", "the last value of " + ledger_.topics[topic] + " is message " +
                                       std::to_string(message) + " for " +
                                       name_of(ledger_.sessions[session]) + " and message " +
                                       std::to_string(entry->second.first) + " for " +
                                       name_of(ledger_.sessions[entry->second.second]));
  }
}

}  // namespace twinmq::sim
