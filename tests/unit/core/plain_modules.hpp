#pragma once
// A store, a journal and retained messages as an embedder might bring them: as plain as they can
// be, in a text form of their own.

#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <twinmq/retained.hpp>
#include <twinmq/session_journal.hpp>
#include <twinmq/store.hpp>

#include "mqtt/topic.hpp"

namespace twinmq::core::testing {

/// Remembers, beside what it holds, every key that was ever written.
class PlainStore final : public Store {
 public:
  Result<void> commit(const Batch& batch, Durability) override {
    ++commits;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const Batch::Change change = batch[i];
      if (change.kind == Batch::Kind::Put) {
        entries[std::string(change.key)] = std::string(change.value);
        written.emplace_back(change.key);
      } else if (change.kind == Batch::Kind::Erase) {
        entries.erase(std::string(change.key));
      } else {
        entries.erase(entries.lower_bound(std::string(change.key)),
                      entries.lower_bound(std::string(change.value)));
      }
    }
    return {};
  }
  Result<void> scan(std::string_view from, std::string_view to, const Visitor& visit) override {
    for (auto place = entries.lower_bound(std::string(from)); place != entries.end(); ++place) {
      if (!to.empty() && place->first >= to) break;
      if (!visit(place->first, place->second)) break;
    }
    return {};
  }
  Result<void> reopen() override { return {}; }
  Durability durability_max() const override { return Durability::None; }

  /// Entries whose key contains the text.
  std::size_t count(std::string_view text) const {
    std::size_t found = 0;
    for (const auto& [key, value] : entries) found += key.find(text) != std::string::npos ? 1u : 0u;
    return found;
  }
  bool ever_wrote(std::string_view text) const {
    for (const std::string& key : written)
      if (key.find(text) != std::string::npos) return true;
    return false;
  }

  std::map<std::string, std::string> entries;
  std::vector<std::string> written;
  std::size_t commits = 0;
};

/// Fields with a line each; no text of these tests has a line break.
class Lines {
 public:
  Lines() = default;
  explicit Lines(std::string_view text) : text_(text) {}
  Lines& operator<<(std::string_view field) {
    text_.append(field).push_back('\n');
    return *this;
  }
  Lines& operator<<(std::uint64_t number) {
    return *this << std::string_view(std::to_string(number));
  }
  std::string text() {
    const std::size_t end = text_.find('\n', at_);
    std::string field = text_.substr(at_, end - at_);
    at_ = end + 1;
    return field;
  }
  std::uint64_t number() { return std::stoull(text()); }
  const std::string& all() const { return text_; }

 private:
  std::string text_;
  std::size_t at_ = 0;
};

inline Lines& operator<<(Lines& out, const MessageRef& message) {
  return out << message->topic() << message->payload() << static_cast<std::uint64_t>(message->qos())
             << (message->retain() ? 1u : 0u)
             << static_cast<std::uint64_t>(message->expires_at().time_since_epoch().count());
}

inline MessageRef read_message(Lines& in) {
  const std::string topic = in.text();
  const std::string payload = in.text();
  MessageParts parts;
  parts.topic = topic;
  parts.payload = payload;
  parts.qos = static_cast<QoS>(in.number());
  parts.retain = in.number() != 0;
  parts.expires_at = Instant(Milliseconds(in.number()));
  return Message::make(parts);
}

/// Keys: "client/0" session, "client/1/filter", "client/2/sequence", "client/3/packet id";
/// "owed/number"; "common/number".
class PlainJournal final : public SessionJournal {
 public:
  void session(const StoredSession& session, Now, Batch& batch) override {
    Lines out;
    out << session.principal << session.expiry_seconds
        << (session.disconnected_at
                ? static_cast<std::uint64_t>(session.disconnected_at->time_since_epoch().count())
                : 0)
        << (session.will ? 1u : 0u);
    if (session.will) out << session.will->message << session.will->delay_seconds;
    batch.put(session.client_id + "/0", out.all());
  }
  void session_ended(std::string_view client, std::span<const NumberRange> spared,
                     Batch& batch) override {
    std::string from = std::string(client) + "/";
    for (const NumberRange& kept : spared) {
      batch.erase_range(from, delivery_key(client, kept.from));
      from = delivery_key(client, kept.to);
    }
    batch.erase_range(from, std::string(client) + "0");
  }
  void subscribed(std::string_view client, const StoredSubscription& each, Batch& batch) override {
    Lines out;
    out << static_cast<std::uint64_t>(each.qos) << (each.no_local ? 1u : 0u)
        << (each.retain_as_published ? 1u : 0u) << each.subscription_id;
    batch.put(std::string(client) + "/1/" + each.filter, out.all());
  }
  void unsubscribed(std::string_view client, std::string_view filter, Batch& batch) override {
    batch.erase(std::string(client) + "/1/" + std::string(filter));
  }
  void delivery(std::string_view client, const StoredDelivery& each, Now, Batch& batch) override {
    Lines out;
    out << kDelivery << each.common_message << static_cast<std::uint64_t>(each.qos)
        << (each.retain ? 1u : 0u) << (each.released ? 1u : 0u) << each.share;
    if (!each.released && each.common_message == 0) out << each.message;
    batch.put(delivery_key(client, each.sequence), out.all());
  }
  void delivered(std::string_view client, std::uint64_t sequence, Batch& batch) override {
    batch.erase(delivery_key(client, sequence));
  }
  std::optional<StoreRange> queue_range(std::string_view client, std::uint64_t from,
                                        std::uint64_t to) override {
    StoreRange range;
    range.from = delivery_key(client, from);
    range.to = delivery_key(client, to);
    range.leads_to = common_message_of;
    return range;
  }
  Result<StoredDelivery> read_delivery(std::string_view key, std::string_view record,
                                       Now) override {
    Lines in(record);
    StoredDelivery each;
    each.sequence = std::stoull(std::string(key.substr(key.rfind('/') + 1)));
    in.text();
    each.common_message = in.number();
    each.qos = static_cast<QoS>(in.number());
    each.retain = in.number() != 0;
    each.released = in.number() != 0;
    each.share = in.text();
    if (!each.released) each.message = read_message(in);
    return each;
  }
  void received(std::string_view client, std::uint16_t id, Batch& batch) override {
    batch.put(std::string(client) + "/3/" + std::to_string(id), "");
  }
  void completed(std::string_view client, std::uint16_t id, Batch& batch) override {
    batch.erase(std::string(client) + "/3/" + std::to_string(id));
  }
  void owed(const OwedMessage& message, Now, Batch& batch) override {
    Lines out;
    out << message.share << message.message;
    batch.put("owed/" + std::to_string(message.number), out.all());
  }
  void routed(std::uint64_t number, Batch& batch) override {
    batch.erase("owed/" + std::to_string(number));
  }
  Result<void> restore(Store& store, Now, const std::function<bool(std::string_view)>& mine,
                       Visitor& visitor,
                       const std::function<void(std::string)>& complain) override {
    std::string known;  // the client identifier of the session shown last
    std::uint64_t number = 0;
    StoreRange everything;
    everything.entries_max = everything.bytes_max = std::numeric_limits<std::size_t>::max();
    everything.leads_to = common_message_of;
    const Result<StoreEntries> all = store.read(everything);
    if (!all) return all.error();
    const auto show = [&](std::string_view key, std::string_view value) {
      const std::size_t slash = key.find('/');
      const std::string_view client = key.substr(0, slash);
      if (client == "owed") {
        Lines in(value);
        OwedMessage owed{std::stoull(std::string(key.substr(5))), in.text(), {}};
        owed.message = read_message(in);
        if (mine(owed.share.empty() ? owed.message->topic() : std::string_view(owed.share)))
          visitor.owed(std::move(owed));
        return true;
      }
      if (slash == std::string_view::npos || client == "retained" || client == "common" ||
          !mine(client))
        return true;
      Lines in(value);
      const std::string_view rest = key.substr(std::min(key.size(), slash + 3));
      const char kind = key[slash + 1];
      if (kind == '0') known = client;
      if (known != client && kind != '2') complain("a record of nobody");
      if (kind == '0') show_session(client, in, visitor);
      if (kind == '1') {
        StoredSubscription each;
        each.filter = rest;
        each.qos = static_cast<QoS>(in.number());
        each.no_local = in.number() != 0;
        each.retain_as_published = in.number() != 0;
        each.subscription_id = static_cast<std::uint32_t>(in.number());
        visitor.subscription(std::move(each));
      }
      if (kind == '2') {
        StoredDelivery each = *read_delivery(key, value, {});
        if (known == client) {
          visitor.delivery(std::move(each));
        } else if (!each.share.empty()) {
          visitor.owed({++number, each.share, each.message});
        }
      }
      if (kind == '3') visitor.received(static_cast<std::uint16_t>(std::stoul(std::string(rest))));
      return true;
    };
    for (const auto& [key, value] : all->entries) show(key, value);
    return {};
  }

  bool common_message(std::uint64_t number, const Message& message, Now, Batch& batch) override {
    Lines out;
    out << Message::make(message.parts());
    batch.put(common_key(number), out.all());
    return true;
  }
  void common_message_gone(std::uint64_t number, Batch& batch) override {
    batch.erase(common_key(number));
  }
  Result<std::uint64_t> last_common_message(Store& store, std::uint64_t from,
                                            std::uint64_t to) override {
    std::uint64_t last = 0;
    (void)store.scan(common_key(from), common_key(to), [&](std::string_view key, std::string_view) {
      last = common_message_number(key);
      return true;
    });
    return last;
  }
  StoreRange unused_common_messages(std::vector<NumberRange> among) override {
    StoreRange range;
    range.search = [among = std::move(among)](Store& store) -> Result<StoreEntries> {
      std::set<std::string> used;
      (void)store.scan({}, {}, [&](std::string_view key, std::string_view value) {
        if (key.find("/2/") != std::string_view::npos) used.insert(common_message_of(value));
        return true;
      });
      StoreEntries unused;
      for (const NumberRange& numbers : among)
        (void)store.scan(common_key(numbers.from), common_key(numbers.to),
                         [&](std::string_view key, std::string_view) {
                           if (used.count(std::string(key)) == 0)
                             unused.entries.emplace_back(key, "");
                           return true;
                         });
      return unused;
    };
    return range;
  }
  std::uint64_t common_message_number(std::string_view key) override {
    return std::stoull(std::string(key.substr(key.rfind('/') + 1)));
  }

 private:
  static constexpr std::string_view kDelivery = "delivery";
  static std::string common_key(std::uint64_t number) {
    const std::string digits = std::to_string(number);
    return "common/" + std::string(20 - digits.size(), '0') + digits;
  }
  static std::string common_message_of(std::string_view delivery) {
    Lines in(delivery);
    const std::uint64_t number = in.text() == kDelivery ? in.number() : 0;
    return number == 0 ? std::string() : common_key(number);
  }
  static std::string delivery_key(std::string_view client, std::uint64_t sequence) {
    std::string digits = std::to_string(sequence);
    return std::string(client) + "/2/" + std::string(20 - digits.size(), '0') + digits;
  }
  static void show_session(std::string_view client, Lines& in, Visitor& visitor) {
    StoredSession session;
    session.client_id = client;
    session.principal = in.text();
    session.expiry_seconds = static_cast<std::uint32_t>(in.number());
    if (const std::uint64_t at = in.number(); at != 0)
      session.disconnected_at = WallTime(Milliseconds(at));
    if (in.number() != 0) {
      session.will.emplace();
      session.will->message = read_message(in);
      session.will->delay_seconds = static_cast<std::uint32_t>(in.number());
    }
    visitor.session(std::move(session));
  }
};

/// Keys: "retained/topic".
class PlainRetained final : public RetainedMessages {
 public:
  Stored set(const MessageRef& message, Now, Batch& batch) override {
    const std::string topic(message->topic());
    if (message->payload().empty()) {
      batch.erase("retained/" + topic);
      return kept_.erase(topic) != 0 ? Stored::Removed : Stored::Unchanged;
    }
    if (kept_.size() >= messages_max && !kept_.contains(topic)) return Stored::Full;
    kept_[topic] = {message, ++sets_};
    Lines out;
    out << message;
    batch.put("retained/" + topic, out.all());
    return Stored::Stored;
  }
  MessageRef find(std::string_view topic, Instant) const override {
    const auto place = kept_.find(std::string(topic));
    return place == kept_.end() ? MessageRef() : place->second.message;
  }
  std::unique_ptr<Replay> replay(std::string_view filter, Instant) override {
    return std::make_unique<Walk>(*this, std::string(filter));
  }
  void expire(Now, std::size_t, Batch&) override {}
  Result<void> restore(Store& store, Now,
                       const std::function<bool(std::string_view)>& mine) override {
    return store.scan("retained/", "retained0", [&](std::string_view key, std::string_view value) {
      Lines in(value);
      if (mine(key.substr(9))) kept_[std::string(key.substr(9))] = {read_message(in), 0};
      return true;
    });
  }
  std::size_t messages() const override { return kept_.size(); }
  std::size_t bytes() const override { return kept_.size(); }

  std::size_t messages_max = 1'000'000;

 private:
  class Walk final : public Replay {
   public:
    Walk(const PlainRetained& from, std::string filter)
        : from_(from), filter_(std::move(filter)), last_set_(from.sets_) {}
    MessageRef next(std::size_t& budget) override {
      while (budget > 0 && !done_) {
        --budget;
        const auto place = from_.kept_.upper_bound(last_);
        if (place == from_.kept_.end()) {
          done_ = true;
          break;
        }
        last_ = place->first;
        if (place->second.set <= last_set_ && mqtt::matches(filter_, last_))
          return place->second.message;
      }
      return {};
    }
    bool done() const override { return done_; }

   private:
    const PlainRetained& from_;
    std::string filter_;
    std::uint64_t last_set_;
    std::string last_;
    bool done_ = false;
  };

  struct Kept {
    MessageRef message;
    std::uint64_t set = 0;
  };
  std::map<std::string, Kept> kept_;
  std::uint64_t sets_ = 0;
};

}  // namespace twinmq::core::testing
