// ShadowService's part for what has its time: desired keys that expire, and what remains of deleted
// shadows.

#include "modules/shadow/shadow_service.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "modules/shadow/shadow_answers.hpp"

namespace twinmq::shadow {
namespace {

constexpr char kBuried = 'D';
constexpr char kExpiring = 'e';
constexpr std::size_t kBuriedPerTurn = 256;
constexpr std::size_t kExpiredPerTurn = 64;

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

}  // namespace

Result<void> ShadowService::restore(Store& store, Now) {
  const Result<void> expiring = store.scan(std::string(1, kExpiring), std::string(1, kExpiring + 1),
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

// --- Desired keys that expire

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

// --- What remains of deleted shadows

void ShadowService::bury(const std::string& key, EpochSeconds deleted, Reaction& reaction) {
  reaction.records().put(buried_key(deleted, key), {});
  buried_.emplace(std::pair(deleted, key), true);
}

void ShadowService::raise(const std::string& key, EpochSeconds deleted, Reaction& reaction) {
  reaction.records().erase(buried_key(deleted, key));
  buried_.erase({deleted, key});
}

}  // namespace twinmq::shadow
