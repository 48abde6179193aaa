#include "modules/retained/retained_module.hpp"

#include <algorithm>

#include "core/reserved_topics.hpp"
#include "records/retained_record.hpp"

namespace twinmq::retained {

namespace {

// Expired messages that a full store looks at for room before it refuses one.
constexpr std::size_t kExpiredForRoom = 64;

}  // namespace

RetainedMessages::Stored RetainedModule::set(const MessageRef& message, Now now, Batch& batch) {
  if (message->payload().empty() || message->expired(now.steady)) {
    return remove(message->topic(), batch) ? Stored::Removed : Stored::Unchanged;
  }
  if (!fits(*message)) expire(now, kExpiredForRoom, batch);
  if (!fits(*message)) return Stored::Full;
  keep(message);
  if (!core::is_of_this_run_only(message->topic()))
    batch.put(key_of(message->topic()), records::encode_retained(*message, now));
  return Stored::Stored;
}

MessageRef RetainedModule::find(std::string_view topic, Instant now) const {
  const MessageRef message = index_.find(topic);
  return message && !message->expired(now) ? message : MessageRef();
}

std::unique_ptr<RetainedMessages::Replay> RetainedModule::replay(std::string_view filter,
                                                                 Instant now) {
  return index_.walk(filter, now);
}

void RetainedModule::expire(Now now, std::size_t budget, Batch& batch) {
  for (; budget > 0; --budget) {
    const Message* const expired = index_.first_expired(now.steady);
    if (expired == nullptr) return;
    remove(expired->topic(), batch);
  }
}

Result<void> RetainedModule::restore(Store& store, Now now,
                                     const std::function<bool(std::string_view topic)>& mine) {
  const std::string from(1, records::kRetainedPrefix);
  const std::string to(1, records::kRetainedPrefix + 1);
  Batch stale;
  const auto scanned = store.scan(from, to, [&](std::string_view key, std::string_view value) {
    const std::string_view topic = key.substr(1);
    // Earlier versions stored them.
    if (core::is_of_this_run_only(topic)) {
      stale.erase(key);
      return true;
    }
    if (!mine(topic)) return true;
    const auto message = records::decode_retained(key, value, now);
    if (!message) {
      ++corrupt_records_;
      return true;
    }
    // One that has expired is kept too: expire() will remove it from the store.
    keep(*message);
    return true;
  });
  if (!scanned || stale.empty()) return scanned;
  return store.commit(stale, std::min(Durability::OperatingSystem, store.durability_max()));
}

bool RetainedModule::fits(const Message& message) const {
  // The usual case needs no look at the message before: there is room for one more.
  if (index_.messages() < limits_.messages_max && bytes_ + message.footprint() <= limits_.bytes_max)
    return true;
  const MessageRef before = index_.find(message.topic());
  if (!before) return false;
  // One that takes no more room than the one before it never makes things worse.
  return message.footprint() <= before->footprint() ||
         bytes_ - before->footprint() + message.footprint() <= limits_.bytes_max;
}

bool RetainedModule::remove(std::string_view topic, Batch& batch) {
  // The topic may be the removed message's own text, so the message must live until the key is
  // written.
  const MessageRef removed = index_.take(topic);
  if (!removed) return false;
  bytes_ -= removed->footprint();
  if (!core::is_of_this_run_only(removed->topic())) batch.erase(key_of(removed->topic()));
  return true;
}

void RetainedModule::keep(const MessageRef& message) {
  bytes_ += message->footprint();
  if (const MessageRef before = index_.put(message)) bytes_ -= before->footprint();
}

std::string_view RetainedModule::key_of(std::string_view topic) {
  key_.assign(1, records::kRetainedPrefix).append(topic);
  return key_;
}

}  // namespace twinmq::retained
