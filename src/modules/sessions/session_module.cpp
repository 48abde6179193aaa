#include "modules/sessions/session_module.hpp"

#include <string>
#include <utility>

#include "base/escape.hpp"
#include "records/session_record.hpp"

namespace twinmq::sessions {

using records::session_key;
using records::SessionRecordKind;

namespace {

std::string delivery_key(std::string_view client_id, std::uint64_t sequence) {
  return session_key(client_id, SessionRecordKind::Delivery, records::delivery_rest(sequence));
}

}  // namespace

void SessionModule::session(const StoredSession& session, Now now, Batch& batch) {
  batch.put(session_key(session.client_id, SessionRecordKind::Session),
            records::encode_session(session, now));
}

void SessionModule::session_ended(std::string_view client_id, std::span<const NumberRange> spared,
                                  Batch& batch) {
  std::string from = session_key(client_id, SessionRecordKind::Session);
  for (const NumberRange& kept : spared) {
    batch.erase_range(from, delivery_key(client_id, kept.from));
    from = delivery_key(client_id, kept.to);
  }
  batch.erase_range(from, records::session_end(client_id));
}

void SessionModule::subscribed(std::string_view client_id, const StoredSubscription& subscription,
                               Batch& batch) {
  batch.put(session_key(client_id, SessionRecordKind::Subscription, subscription.filter),
            records::encode_subscription(subscription));
}

void SessionModule::unsubscribed(std::string_view client_id, std::string_view filter,
                                 Batch& batch) {
  batch.erase(session_key(client_id, SessionRecordKind::Subscription, filter));
}

void SessionModule::delivery(std::string_view client_id, const StoredDelivery& delivery, Now now,
                             Batch& batch) {
  batch.put(delivery_key(client_id, delivery.sequence), records::encode_delivery(delivery, now));
}

void SessionModule::delivered(std::string_view client_id, std::uint64_t sequence, Batch& batch) {
  batch.erase(delivery_key(client_id, sequence));
}

std::optional<StoreRange> SessionModule::queue_range(std::string_view client_id, std::uint64_t from,
                                                     std::uint64_t to) {
  StoreRange range;
  range.from = delivery_key(client_id, from);
  range.to = delivery_key(client_id, to);
  range.leads_to = records::common_message_of;
  return range;
}

Result<StoredDelivery> SessionModule::read_delivery(std::string_view key, std::string_view record,
                                                    Now now) {
  const auto parts = records::parse_session_key(key);
  if (!parts || parts->kind != SessionRecordKind::Delivery)
    return Error{ErrorCode::Corrupt, "the key of a delivery cannot be read"};
  return records::decode_delivery(*parts, record, now);
}

void SessionModule::received(std::string_view client_id, std::uint16_t packet_id, Batch& batch) {
  batch.put(session_key(client_id, SessionRecordKind::Received, records::received_rest(packet_id)),
            {});
}

void SessionModule::completed(std::string_view client_id, std::uint16_t packet_id, Batch& batch) {
  batch.erase(
      session_key(client_id, SessionRecordKind::Received, records::received_rest(packet_id)));
}

void SessionModule::owed(const OwedMessage& message, Now now, Batch& batch) {
  batch.put(records::owed_key(message.number), records::encode_owed(message, now));
}

void SessionModule::routed(std::uint64_t number, Batch& batch) {
  batch.erase(records::owed_key(number));
}

namespace {

// From this many deliveries on, the last one is looked for instead of reading them all.
constexpr std::uint64_t kCountedMax = 2048;
// Records of one session that are passed over before its end is sought.
constexpr int kPassedMax = 16;

// Shows what a scan finds to the visitor, session by session.
class Reading {
 public:
  Reading(Store& store, Now now, SessionJournal::Visitor& visitor)
      : store_(store), now_(now), visitor_(visitor) {}

  /// Whether it is a session, or part of the one shown last.
  bool belongs(const records::SessionKeyParts& key) const {
    return key.kind == SessionRecordKind::Session || (has_current_ && current_ == key.client_id);
  }

  Result<void> show(const records::SessionKeyParts& key, std::string_view record) {
    if (key.kind != SessionRecordKind::Delivery) end_queue();
    switch (key.kind) {
      case SessionRecordKind::Session: {
        has_current_ = false;
        auto session = records::decode_session(key, record, now_);
        if (!session) return session.error();
        current_ = session->client_id;
        has_current_ = true;
        visitor_.session(std::move(*session));
        return {};
      }
      case SessionRecordKind::Subscription:
        return pass(records::decode_subscription(key, record),
                    &SessionJournal::Visitor::subscription);
      case SessionRecordKind::Delivery:
        if (!visitor_.takes_queues())
          return pass(records::decode_delivery(key, record, now_),
                      &SessionJournal::Visitor::delivery);
        return count(key, record);
      default: return pass(records::decode_received(key), &SessionJournal::Visitor::received);
    }
  }

  /// The queue is long: the rest of it need not be read. Returns where to go on.
  bool long_queue() const { return queue_.messages >= kCountedMax; }
  Result<std::string> measure() {
    std::uint64_t step = kCountedMax, last = queue_.end - 1, none = 0;
    while (none == 0 || last + 1 < none) {
      const std::uint64_t probe = none == 0 ? last + step : last + (none - last) / 2;
      Result<std::optional<std::uint64_t>> found = first_from(probe);
      if (!found) return found.error();
      if (*found) {
        last = **found;
        step *= 2;
      } else {
        none = probe;
      }
    }
    const std::uint64_t messages = last + 1 - queue_.first;
    queue_.bytes = queue_.bytes / queue_.messages * messages;
    queue_.messages = messages;
    queue_.end = last + 1;
    end_queue();
    return session_key(current_, SessionRecordKind::Received);
  }
  void end_queue() {
    if (queue_.messages > 0) visitor_.queue(queue_);
    queue_ = {};
  }

 private:
  template <typename T>
  Result<void> pass(Result<T> decoded, void (SessionJournal::Visitor::*show_it)(T)) {
    if (!decoded) return decoded.error();
    (visitor_.*show_it)(std::move(*decoded));
    return {};
  }

  Result<void> count(const records::SessionKeyParts& key, std::string_view record) {
    const Result<std::uint64_t> sequence = records::sequence_of(key);
    if (!sequence) return sequence.error();
    if (queue_.messages == 0) queue_.first = *sequence;
    queue_.end = *sequence + 1;
    ++queue_.messages;
    queue_.bytes += records::outline_of(record).bytes;
    return {};
  }

  /// Of the current session's deliveries.
  Result<std::optional<std::uint64_t>> first_from(std::uint64_t sequence) {
    Result<std::uint64_t> found = std::uint64_t{0};
    bool any = false;
    const Result<void> done = store_.scan(
        delivery_key(current_, sequence), session_key(current_, SessionRecordKind::Received),
        [&](std::string_view key, std::string_view) {
          found = records::sequence_of(*records::parse_session_key(key));
          any = true;
          return false;
        });
    if (!done) return done.error();
    if (!found) return found.error();
    return any ? std::optional(*found) : std::nullopt;
  }

  Store& store_;
  Now now_;
  SessionJournal::Visitor& visitor_;
  std::string current_;
  bool has_current_ = false;
  StoredQueue queue_;  ///< of the current session, as far as it is counted
};

Result<void> restore_owed(Store& store, Now now, const std::function<bool(std::string_view)>& mine,
                          SessionJournal::Visitor& visitor,
                          const std::function<void(std::string)>& complain) {
  const std::string from(1, records::kOwedPrefix);
  const std::string to(1, static_cast<char>(records::kOwedPrefix + 1));
  return store.scan(from, to, [&](std::string_view key, std::string_view record) {
    auto owed = records::decode_owed(key, record, now);
    if (!owed) {
      complain("an owed message cannot be read: " + owed.error().detail);
    } else if (mine(key)) {
      visitor.owed(std::move(*owed));
    }
    return true;
  });
}

// As Store::scan(), with what each entry leads to: that must not be looked for within a scan.
Result<void> scan_with_messages(Store& store, std::string from, const std::string& to,
                                const Store::Visitor& visit) {
  for (;;) {
    StoreRange range{std::move(from), to};
    range.leads_to = records::common_message_of;
    Result<StoreEntries> found = store.read(range);
    if (!found) return found.error();
    for (const auto& [key, value] : found->entries)
      if (!visit(key, value)) return {};
    if (!found->more) return {};
    from = std::move(found->entries.back().first) + '\0';
  }
}

// So much of what nobody has any more is erased at once.
constexpr std::size_t kOrphanBytes = 1 << 20;

// The message of a session that is gone; its share group gives it to another member. Whether it was
// sent is not written, so that a QoS 2 message may come to both after a crash while it was being
// read back.
void return_to_share(const records::SessionKeyParts& key, std::string_view record, Now now,
                     const std::function<bool(std::string_view)>& mine, Batch& batch) {
  auto delivery = records::decode_delivery(key, record, now);
  if (!delivery || delivery->share.empty() || !delivery->message) return;
  // Any number will do that nobody has and that this shard reads back below.
  std::uint64_t number = std::hash<std::string_view>()(key.client_id) + delivery->sequence;
  do {
    number = number * 0x5851'F42D'4C95'7F2D + 0x1405'7B7E'F767'814F;
  } while (!mine(records::owed_key(number)));
  batch.put(records::owed_key(number),
            records::encode_owed({number, std::move(delivery->share), std::move(delivery->message)},
                                 now));
}

}  // namespace

Result<void> SessionModule::restore(Store& store, Now now,
                                    const std::function<bool(std::string_view)>& mine,
                                    Visitor& visitor,
                                    const std::function<void(std::string)>& complain) {
  Reading reading(store, now, visitor);
  const std::string to(1, static_cast<char>(records::kSessionPrefix + 1));
  Batch orphans;
  std::string passed;
  int passed_records = 0;
  std::string next;  // where to go on with a new scan; empty: nowhere
  bool measure = false;
  const auto show = [&](std::string_view key, std::string_view record) {
    const auto parts = records::parse_session_key(key);
    if (!parts) {
      complain("a session key of " + std::to_string(key.size()) + " bytes cannot be read");
      return true;
    }
    if (!mine(parts->client_id)) {
      if (parts->client_id != passed) {
        passed = parts->client_id;
        passed_records = 0;
      }
      if (++passed_records < kPassedMax) return true;
      next = records::session_end(parts->client_id);
      return false;
    }
    // A publish that other shards committed after the session had ended leaves such records, and so
    // does a queue that was being read back for its share groups.
    if (!reading.belongs(*parts)) {
      orphans.erase(key);
      if (parts->kind == SessionRecordKind::Delivery)
        return_to_share(*parts, record, now, mine, orphans);
      if (orphans.bytes() < kOrphanBytes) return true;
      next = std::string(key) + '\0';
      return false;
    }
    if (const auto shown = reading.show(*parts, record); !shown)
      complain("client=" + escaped(parts->client_id) +
               " kind=" + std::to_string(static_cast<int>(parts->kind)) +
               " because=" + escaped(shown.error().detail));
    measure = reading.long_queue();
    return !measure;
  };
  for (std::string from(1, records::kSessionPrefix); !from.empty(); from = std::move(next)) {
    next.clear();
    measure = false;
    const Result<void> scanned = visitor.takes_queues() ? store.scan(from, to, show)
                                                        : scan_with_messages(store, from, to, show);
    if (!scanned) return scanned;
    if (!orphans.empty())
      if (auto erased = store.commit(std::exchange(orphans, {}), store.durability_max()); !erased)
        return erased;
    if (!measure) continue;
    Result<std::string> behind = reading.measure();
    if (!behind) return behind.error();
    next = std::move(*behind);
  }
  reading.end_queue();
  return restore_owed(store, now, mine, visitor, complain);
}

}  // namespace twinmq::sessions
