#include "sim/shadow_checker.hpp"

#include <algorithm>
#include <charconv>

namespace twinmq::sim {

namespace {

using nlohmann::json;

std::string_view word(ShadowAsk::Kind kind) {
  switch (kind) {
    case ShadowAsk::Kind::Get: return "get";
    case ShadowAsk::Kind::Update: return "update";
    case ShadowAsk::Kind::Delete: return "delete";
  }
  return {};
}

json text_of(const ShadowSectionChange& change) {
  if (change.cleared) return nullptr;
  json section = json::object();
  for (const auto& [key, value] : change.keys) section[key] = value ? json(*value) : json(nullptr);
  return section;
}

void apply(const ShadowSectionChange& change, ShadowSection& section) {
  if (change.cleared) section.clear();
  for (const auto& [key, value] : change.keys) {
    if (value) {
      section[key] = *value;
    } else {
      section.erase(key);
    }
  }
}

ShadowSection section_of(const json& state, const char* name) {
  ShadowSection section;
  if (const auto found = state.find(name); found != state.end())
    for (const auto& [key, value] : found->items()) section[key] = value.get<std::int64_t>();
  return section;
}

// What is desired and not reported.
ShadowSection delta_of(const ShadowState& state) {
  ShadowSection delta;
  for (const auto& [key, value] : state.desired) {
    const auto theirs = state.reported.find(key);
    if (theirs == state.reported.end() || theirs->second != value) delta[key] = value;
  }
  return delta;
}

std::string text_of(const ShadowSection& section) {
  return json(section).dump();
}

std::string text_of(const ShadowState& state) {
  return "desired " + text_of(state.desired) + " reported " + text_of(state.reported);
}

struct AnswerTopic {
  std::uint32_t shadow;
  std::string_view operation;
  std::string_view kind;
};

const std::vector<std::string>& prefixes() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> texts;
    for (std::uint32_t shadow = 0; shadow < ShadowTopics::kShadows; ++shadow)
      texts.push_back(ShadowTopics::prefix(shadow) + '/');
    return texts;
  }();
  return all;
}

std::optional<AnswerTopic> read_answer_topic(std::string_view topic) {
  if (!topic.starts_with('$')) return std::nullopt;
  for (std::uint32_t shadow = 0; shadow < ShadowTopics::kShadows; ++shadow) {
    const std::string& prefix = prefixes()[shadow];
    if (!topic.starts_with(prefix)) continue;
    const std::string_view rest = topic.substr(prefix.size());
    const std::size_t slash = rest.find('/');
    if (slash == rest.npos || rest.find('/', slash + 1) != rest.npos) continue;
    return AnswerTopic{shadow, rest.substr(0, slash), rest.substr(slash + 1)};
  }
  return std::nullopt;
}

}  // namespace

// --- Requests

std::string ShadowAsk::text(std::uint32_t number) const {
  json payload{{"clientToken", std::to_string(number)}};
  if (kind == Kind::Update) {
    json& state = payload["state"] = json::object();
    if (desired.cleared || !desired.keys.empty()) state["desired"] = text_of(desired);
    if (reported.cleared || !reported.keys.empty()) state["reported"] = text_of(reported);
    if (expected) payload["version"] = *expected;
  }
  return payload.dump();
}

std::string ShadowTopics::prefix(std::uint32_t shadow) {
  const std::string thing = "$aws/things/thing" + std::to_string(shadow % 3) + "/shadow";
  return shadow < 3 ? thing : thing + "/name/other";
}

std::string ShadowTopics::request(std::uint32_t shadow, ShadowAsk::Kind kind) {
  return prefix(shadow) + '/' + std::string(word(kind));
}

std::vector<std::string> ShadowTopics::all_answers() {
  return {"$aws/things/+/shadow/+/+", "$aws/things/+/shadow/name/+/+/+"};
}

bool ShadowTopics::is_answer(std::string_view topic) {
  return read_answer_topic(topic).has_value();
}

ShadowAsk ShadowChecker::draw(std::uint32_t number, base::Prng& random) {
  static const std::string kKeys[] = {"a", "b", "c", "d"};
  const Shadow& shadow = shadows_[number];
  ShadowAsk ask;
  ask.shadow = number;
  const double what = random.fraction();
  if (what < 0.2) return ask;
  ask.kind = what < 0.96 ? ShadowAsk::Kind::Update : ShadowAsk::Kind::Delete;
  if (ask.kind == ShadowAsk::Kind::Delete) return ask;
  const auto draw_section = [&](ShadowSectionChange& change) {
    change.cleared = random.chance(0.02);
    if (change.cleared) return;
    for (std::uint64_t n = random.between(1, 3); n > 0; --n) {
      auto& value = change.keys[kKeys[random.below(std::size(kKeys))]];
      value.reset();
      if (random.chance(0.85)) value = static_cast<std::int64_t>(random.below(3));
    }
  };
  if (random.chance(0.6)) draw_section(ask.desired);
  if (random.chance(0.6) || ask.desired.keys.empty()) draw_section(ask.reported);
  if (random.chance(0.5)) {
    ask.expected = shadow.newest;
    if (random.chance(0.1))
      ask.expected =
          static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(shadow.newest) + 3));
  }
  return ask;
}

// --- What happens

void ShadowChecker::on_sent(const Sent& message) {
  if (!message.ask || message.times_sent > 1) return;
  fates_[message.number].newest = shadows_[message.ask->shadow].newest;
}

void ShadowChecker::on_accepted(const Sent& message, ReasonCode) {
  if (message.ask) fates_[message.number].acknowledged = true;
}

// The request that an answer names; complains if it is nobody's.
const Sent* ShadowChecker::asked(std::uint32_t shadow, const json& answer) {
  const std::string token = answer.value("clientToken", std::string());
  std::uint32_t number = 0;
  std::from_chars(token.data(), token.data() + token.size(), number);
  if (!token.empty() && number < ledger_.messages.size()) {
    const Sent& message = ledger_.messages[number];
    if (message.ask && message.ask->shadow == shadow && message.first_sent != kNotYet)
      return &message;
  }
  complain("an answer about " + ShadowTopics::prefix(shadow) +
           " to nobody's request: " + answer.dump());
  return nullptr;
}

void ShadowChecker::on_answer(const SimSession& session, std::string_view topic,
                              std::string_view payload, bool dup) {
  const auto place = read_answer_topic(topic);
  const json answer = json::parse(payload, nullptr, false);
  if (!place || answer.is_discarded())
    return complain("something came on " + std::string(topic) + ": " + std::string(payload));
  if (place->kind == "documents") return told_documents(place->shadow, answer);
  if (place->kind == "delta") {
    const auto delta = answer.at("state").get<ShadowSection>();
    const auto [known, first] =
        shadows_[place->shadow].deltas.emplace(answer.at("version").get<std::int64_t>(), delta);
    if (!first && known->second != delta)
      complain("two deltas of version " + std::to_string(known->first) + " of " +
               ShadowTopics::prefix(place->shadow));
    return;
  }
  const Sent* const message = asked(place->shadow, answer);
  if (message == nullptr) return;
  if (word(message->ask->kind) != place->operation)
    return complain(describe(ledger_, *message) + " was answered on " + std::string(topic));
  if (place->kind == "rejected") return rejected(*message, answer);
  accepted(session, shadows_[place->shadow], *message, answer, dup);
}

void ShadowChecker::accepted(const SimSession& session, Shadow& shadow, const Sent& message,
                             const json& answer, bool dup) {
  const ShadowAsk& ask = *message.ask;
  Fate& fate = fates_[message.number];
  std::int64_t version = answer.at("version").get<std::int64_t>();
  const std::string name =
      describe(ledger_, message) + " (version " + std::to_string(version) + ')';
  if (ask.kind == ShadowAsk::Kind::Get) {
    if (version < fate.newest)
      complain(name + " was answered with an older version than " + std::to_string(fate.newest) +
               ", which was known before");
    fate.read = version;
    return told_state(ask.shadow, version, answer.at("state"));
  }
  if (ask.kind == ShadowAsk::Kind::Delete) {
    ++version;  // the deletion has a number of its own
  } else if (answer.at("state") != json::parse(ask.text(message.number)).at("state")) {
    complain(name + " was accepted as " + answer.dump());
  }
  if (message.times_sent == 1 && fate.rejected)
    complain(name + " was accepted after it was rejected");
  const auto [known, first] =
      shadow.versions.emplace(version, Version{message.number, ledger_.now()});
  if (!first && known->second.made_by != message.number)
    return complain("version " + std::to_string(version) + " of " +
                    ShadowTopics::prefix(ask.shadow) + " was given to " +
                    describe(ledger_, ledger_.messages[known->second.made_by]) + " and to " +
                    describe(ledger_, message));
  fate.versions.insert(version);
  if (fate.versions.size() > (message.qos == QoS::ExactlyOnce ? 1 : message.times_sent))
    complain(name + " was accepted more often than it was sent");
  shadow.newest = std::max(shadow.newest, version);
  // What was told before the broker went may be told again, behind its successors.
  std::int64_t& last = last_[{session.number, ask.shadow}];
  if (!dup && version <= last && message.first_sent > ledger_.last_restart)
    complain(name + " was told to c" + std::to_string(session.client) + " after version " +
             std::to_string(last));
  if (message.first_sent > ledger_.last_restart) last = std::max(last, version);
}

void ShadowChecker::rejected(const Sent& message, const json& answer) {
  Fate& fate = fates_[message.number];
  const int code = answer.at("code").get<int>();
  fate.rejected = true;
  fate.rejected_at = std::min(fate.rejected_at, ledger_.now());
  fate.failed |= code == 500;
  fate.conflict |= code == 409;
  fate.missing |= code == 404;
  if (code != 500 && code != 409 && code != 404)
    complain(describe(ledger_, message) + " was rejected: " + answer.dump());
  if (message.times_sent == 1 && !fate.versions.empty())
    complain(describe(ledger_, message) + " was rejected after it was accepted: " + answer.dump());
}

void ShadowChecker::told_state(std::uint32_t shadow, std::int64_t version, const json& state) {
  const ShadowState content{section_of(state, "desired"), section_of(state, "reported")};
  const auto [known, first] = shadows_[shadow].states.emplace(version, content);
  if (!first && known->second != content)
    complain("version " + std::to_string(version) + " of " + ShadowTopics::prefix(shadow) +
             " was told with two contents: " + text_of(known->second) + " and " + text_of(content));
}

void ShadowChecker::told_documents(std::uint32_t shadow, const json& answer) {
  const json& current = answer.at("current");
  const json& previous = answer.at("previous");
  const auto version = current.at("version").get<std::int64_t>();
  told_state(shadow, version, current.at("state"));
  shadows_[shadow].documents.insert(version);
  if (previous.is_null()) return;
  if (previous.at("version").get<std::int64_t>() != version - 1)
    complain("documents of " + ShadowTopics::prefix(shadow) + " tell of version " +
             std::to_string(version) + " after " + previous.at("version").dump());
  told_state(shadow, version - 1, previous.at("state"));
}

// --- The end

void ShadowChecker::on_finish() {
  for (const auto& [number, shadow] : shadows_) replay(number);
  for (const auto& [number, fate] : fates_) judge_request(ledger_.messages[number], fate);
}

// Makes the content of every version from the requests that made them.
void ShadowChecker::replay(std::uint32_t number) {
  Shadow& shadow = shadows_[number];
  const std::string name = ShadowTopics::prefix(number);
  ShadowState state;
  bool deleted = true;
  std::int64_t before = 0;
  for (const auto& [version, made] : shadow.versions) {
    if (version != before + 1)
      return complain("nobody was told of version " + std::to_string(before + 1) + " of " + name +
                      ", but of " + std::to_string(version));
    const Sent& message = ledger_.messages[made.made_by];
    judge_step(number, version, deleted, before, message);
    deleted = message.ask->kind == ShadowAsk::Kind::Delete;
    if (deleted) {
      state = {};
    } else {
      apply(message.ask->desired, state.desired);
      apply(message.ask->reported, state.reported);
      judge_told(number, version, state);
    }
    before = version;
  }
  for (const auto& [version, told] : shadow.states)
    if (const auto made = shadow.versions.find(version);
        made == shadow.versions.end() ||
        ask_of(made->second.made_by).kind == ShadowAsk::Kind::Delete)
      return complain("somebody read version " + std::to_string(version) + " of " + name +
                      ", which no update made");
  shadow.last = state;
  shadow.deleted = deleted;
}

// An update for a version comes after that version; one for none, or for what was deleted, after a
// deletion or at the beginning.
void ShadowChecker::judge_step(std::uint32_t number, std::int64_t version, bool deleted,
                               std::int64_t before, const Sent& message) {
  const ShadowAsk& ask = *message.ask;
  const std::string what = describe(ledger_, message) + " made version " + std::to_string(version) +
                           " of " + ShadowTopics::prefix(number);
  if (ask.kind == ShadowAsk::Kind::Delete && deleted) complain(what + ", a deletion of nothing");
  if (ask.expected && *ask.expected != before)
    complain(what + ", but was meant for version " + std::to_string(*ask.expected));
}

void ShadowChecker::judge_told(std::uint32_t number, std::int64_t version,
                               const ShadowState& state) {
  const Shadow& shadow = shadows_[number];
  const std::string name =
      "version " + std::to_string(version) + " of " + ShadowTopics::prefix(number);
  if (shadow.documents.count(version) == 0) complain("nobody was told the documents of " + name);
  if (const auto told = shadow.states.find(version);
      told != shadow.states.end() && told->second != state)
    complain(name + " was told as " + text_of(told->second) + ", but its updates make " +
             text_of(state));
  const ShadowSection delta = delta_of(state);
  const auto told = shadow.deltas.find(version);
  if ((told == shadow.deltas.end() ? ShadowSection() : told->second) != delta)
    complain("the delta of " + name + " is " + text_of(delta) + ", but " +
             (told == shadow.deltas.end() ? "nothing" : text_of(told->second)) + " was told");
}

void ShadowChecker::judge_request(const Sent& message, const Fate& fate) {
  const ShadowAsk& ask = *message.ask;
  Shadow& shadow = shadows_[ask.shadow];
  const std::string name = describe(ledger_, message);
  const bool answered = fate.rejected || !fate.versions.empty() || fate.read != 0;
  if (fate.acknowledged && !answered) {
    // What was read or refused changed nothing, and need not survive the broker.
    const bool certain = ask.kind == ShadowAsk::Kind::Update && !ask.expected;
    if (certain || ledger_.last_restart < message.first_sent)
      return complain(name + " was acknowledged, but neither accepted nor rejected");
  }
  if (message.times_sent > 1) return;
  if (fate.conflict) {
    if (!ask.expected) return complain(name + " was in conflict with no version");
    const auto wanted = shadow.versions.find(*ask.expected);
    const auto next = shadow.versions.find(*ask.expected + 1);
    const bool known = wanted != shadow.versions.end() && wanted->second.known < message.first_sent;
    const bool stands = next == shadow.versions.end() ||
                        ledger_.messages[next->second.made_by].first_sent > fate.rejected_at;
    if (known && stands)
      complain(name + " was in conflict, but version " + std::to_string(*ask.expected) + " stood");
  }
  if (fate.missing && ask.kind != ShadowAsk::Kind::Update && fate.newest > 0) {
    bool gone = ask_of(shadow.versions.at(fate.newest).made_by).kind == ShadowAsk::Kind::Delete;
    for (auto later = shadow.versions.upper_bound(fate.newest); later != shadow.versions.end();
         ++later) {
      const Sent& other = ledger_.messages[later->second.made_by];
      gone |= other.ask->kind == ShadowAsk::Kind::Delete && other.first_sent < fate.rejected_at;
    }
    if (!gone) complain(name + " found nothing, but nobody had deleted it");
  }
}

void ShadowChecker::demand_last(const Sent& get) {
  const Shadow& shadow = shadows_[get.ask->shadow];
  const Fate& fate = fates_[get.number];
  const std::string name = ShadowTopics::prefix(get.ask->shadow);
  if (shadow.deleted ? !fate.missing : fate.read != shadow.newest)
    return complain(
        "in the end " + name + " has " +
        (fate.read == 0 ? std::string("nothing") : "version " + std::to_string(fate.read)) +
        ", but the last accepted request made " +
        (shadow.deleted ? std::string("nothing") : "version " + std::to_string(shadow.newest)));
  if (!shadow.deleted && shadow.states.at(fate.read) != shadow.last)
    complain("in the end " + name + " is " + text_of(shadow.states.at(fate.read)) +
             ", but its updates make " + text_of(shadow.last));
}

}  // namespace twinmq::sim
