#include "sim/plants.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "records/session_record.hpp"
#include "sim/shadow_checker.hpp"

namespace twinmq::sim {

namespace {

// Forgets which QoS 2 messages were received: after a restart they are taken for new ones.
class ForgetfulJournal final : public SessionJournal {
 public:
  explicit ForgetfulJournal(std::unique_ptr<SessionJournal> journal)
      : journal_(std::move(journal)) {}
  void session(const StoredSession& session, Now now, Batch& batch) override {
    journal_->session(session, now, batch);
  }
  void session_ended(std::string_view client_id, std::span<const NumberRange> spared,
                     Batch& batch) override {
    journal_->session_ended(client_id, spared, batch);
  }
  void subscribed(std::string_view client_id, const StoredSubscription& subscription,
                  Batch& batch) override {
    journal_->subscribed(client_id, subscription, batch);
  }
  void unsubscribed(std::string_view client_id, std::string_view filter, Batch& batch) override {
    journal_->unsubscribed(client_id, filter, batch);
  }
  void delivery(std::string_view client_id, const StoredDelivery& delivery, Now now,
                Batch& batch) override {
    journal_->delivery(client_id, delivery, now, batch);
  }
  void delivered(std::string_view client_id, std::uint64_t sequence, Batch& batch) override {
    journal_->delivered(client_id, sequence, batch);
  }
  std::optional<StoreRange> queue_range(std::string_view client_id, std::uint64_t from,
                                        std::uint64_t to) override {
    return journal_->queue_range(client_id, from, to);
  }
  Result<StoredDelivery> read_delivery(std::string_view key, std::string_view record,
                                       Now now) override {
    return journal_->read_delivery(key, record, now);
  }
  void received(std::string_view, std::uint16_t, Batch&) override {}
  void completed(std::string_view client_id, std::uint16_t packet_id, Batch& batch) override {
    journal_->completed(client_id, packet_id, batch);
  }
  void owed(const OwedMessage& message, Now now, Batch& batch) override {
    journal_->owed(message, now, batch);
  }
  void routed(std::uint64_t number, Batch& batch) override { journal_->routed(number, batch); }
  Result<void> restore(Store& store, Now now, const std::function<bool(std::string_view)>& mine,
                       Visitor& visitor,
                       const std::function<void(std::string)>& complain) override {
    return journal_->restore(store, now, mine, visitor, complain);
  }

 private:
  std::unique_ptr<SessionJournal> journal_;
};

// Replays, now and then, the value a topic had before its last one.
class StaleRetained final : public RetainedMessages {
 public:
  StaleRetained(std::unique_ptr<RetainedMessages> messages, base::Prng& random)
      : messages_(std::move(messages)), random_(random) {}
  Stored set(const MessageRef& message, Now now, Batch& batch) override {
    if (const MessageRef before = messages_->find(message->topic(), now.steady))
      former_[std::string(message->topic())] = before;
    return messages_->set(message, now, batch);
  }
  MessageRef find(std::string_view topic, Instant now) const override {
    return messages_->find(topic, now);
  }
  std::unique_ptr<Replay> replay(std::string_view filter, Instant now) override {
    return std::make_unique<StaleReplay>(*this, messages_->replay(filter, now));
  }
  void expire(Now now, std::size_t budget, Batch& batch) override {
    messages_->expire(now, budget, batch);
  }
  Result<void> restore(Store& store, Now now,
                       const std::function<bool(std::string_view)>& mine) override {
    return messages_->restore(store, now, mine);
  }
  std::size_t messages() const override { return messages_->messages(); }
  std::size_t bytes() const override { return messages_->bytes(); }

 private:
  class StaleReplay final : public Replay {
   public:
    StaleReplay(StaleRetained& owner, std::unique_ptr<Replay> replay)
        : owner_(owner), replay_(std::move(replay)) {}
    MessageRef next(std::size_t& budget) override {
      MessageRef message = replay_->next(budget);
      if (!message || !owner_.random_.chance(0.2)) return message;
      const auto former = owner_.former_.find(message->topic());
      return former == owner_.former_.end() ? message : former->second;
    }
    bool done() const override { return replay_->done(); }

   private:
    StaleRetained& owner_;
    std::unique_ptr<Replay> replay_;
  };

  std::unique_ptr<RetainedMessages> messages_;
  base::Prng& random_;
  std::map<std::string, MessageRef, std::less<>> former_;
};

// The letters of a batch one by one, the small messages too; put back afterwards.
void with_letters(core::LetterBatch& batch,
                  const std::function<void(std::vector<core::Letter>&)>& change) {
  struct Unpack {
    std::vector<core::Letter>& letters;
    void read(core::Letter& letter) const { letters.push_back(std::move(letter)); }
    void deliver(const MessageParts& message, const core::PartOf& part) const {
      letters.push_back(core::Deliver{Message::make(message), part});
    }
    void deliver_to_member(const MessageParts& message, const core::PartOf& part,
                           const core::MemberCopy& copy) const {
      letters.push_back(core::DeliverToMember{Message::make(message), part, copy.member, copy.qos,
                                              copy.retain_as_published, copy.subscription_id,
                                              std::string(copy.share)});
    }
  };
  std::vector<core::Letter> letters;
  batch.read(Unpack{letters});
  batch.clear();
  change(letters);
  for (core::Letter& letter : letters) batch.push_back(std::move(letter));
}

// Two messages on their way to the same shard change places.
void swap_messages(core::Mail& mail, core::ShardId from, base::Prng& random) {
  for (core::ShardId to = 0; to < mail.shards(); ++to) {
    if (to == from) continue;
    with_letters(mail.outbox(from, to), [&](std::vector<core::Letter>& letters) {
      for (std::size_t i = 1; i < letters.size(); ++i) {
        if (std::holds_alternative<core::Deliver>(letters[i - 1]) &&
            std::holds_alternative<core::Deliver>(letters[i]) && random.chance(0.05))
          std::swap(letters[i - 1], letters[i]);
      }
    });
  }
}

// A member of a share group gives back a message and keeps it.
class GreedyMember {
 public:
  void operator()(core::Mail& mail, core::ShardId from, base::Prng& random) {
    for (const Given& given : std::exchange(given_, {})) {
      if (given.member != from || given.home >= mail.shards()) continue;
      mail.outbox(from, given.home).push_back(core::ReturnToShare{given.share, given.message});
    }
    for (core::ShardId to = 0; to < mail.shards(); ++to) {
      if (to == from) continue;
      with_letters(mail.outbox(from, to), [&](std::vector<core::Letter>& letters) {
        for (const core::Letter& each : letters) {
          const auto* const letter = std::get_if<core::DeliverToMember>(&each);
          if (letter && random.chance(0.05))
            given_.push_back({from, to, letter->share, Message::make(letter->message->parts())});
        }
      });
    }
  }

 private:
  struct Given {
    core::ShardId home;
    core::ShardId member;
    std::string share;
    MessageRef message;
  };
  std::vector<Given> given_;
};

// The answer to a fence is lost: a SUBACK waits for ever.
void lose_letter(core::Mail& mail, core::ShardId from, base::Prng& random) {
  for (core::ShardId to = 0; to < mail.shards(); ++to) {
    if (to == from) continue;
    bool lost = false;
    with_letters(mail.outbox(from, to), [&](std::vector<core::Letter>& letters) {
      for (std::size_t i = 0; i < letters.size() && !lost; ++i) {
        if (!std::holds_alternative<core::FencePassed>(letters[i]) || !random.chance(0.05))
          continue;
        letters.erase(letters.begin() + static_cast<std::ptrdiff_t>(i));
        lost = true;
      }
    });
    if (lost) return;
  }
}

bool is_of(std::string_view key, records::SessionRecordKind kind) {
  const auto parts = records::parse_session_key(key);
  return parts && parts->kind == kind;
}

void leave_out(Batch& batch, const std::function<bool(const Batch::Change&)>& unwanted) {
  Batch rest;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const Batch::Change change = batch[i];
    if (unwanted(change)) continue;
    switch (change.kind) {
      case Batch::Kind::Put: rest.put(change.key, change.value); break;
      case Batch::Kind::Erase: rest.erase(change.key); break;
      case Batch::Kind::EraseRange: rest.erase_range(change.key, change.value); break;
    }
  }
  batch = std::move(rest);
}

// One of several queue entries is not written: its transaction survives a crash in parts.
void lose_part(Batch& batch, base::Prng& random) {
  const auto is_delivery = [](const Batch::Change& change) {
    return change.kind == Batch::Kind::Put &&
           is_of(change.key, records::SessionRecordKind::Delivery);
  };
  std::size_t deliveries = 0;
  for (std::size_t i = 0; i < batch.size(); ++i) deliveries += is_delivery(batch[i]);
  if (deliveries < 2 || !random.chance(0.1)) return;
  std::size_t lost = random.below(deliveries);
  leave_out(batch, [&](const Batch::Change& change) { return is_delivery(change) && lost-- == 0; });
}

// A shadow's document is not written, while everything told of it is.
void lose_document(Batch& batch, base::Prng& random) {
  if (!random.chance(0.02)) return;
  leave_out(batch, [](const Batch::Change& change) {
    return change.kind == Batch::Kind::Put && change.key.starts_with("dthing");
  });
}

// Does not look, now and then, at the version an update is meant for: two that were made for the
// same one win.
class CarelessShadows final : public Service {
 public:
  CarelessShadows(std::unique_ptr<Service> service, base::Prng& random)
      : service_(std::move(service)), random_(random) {}
  std::string_view name() const override { return service_->name(); }
  void attach(ServiceHost& host) override { service_->attach(host); }
  Result<void> restore(Store& store, Now now) override { return service_->restore(store, now); }
  std::string_view home_key(std::string_view topic) const override {
    return service_->home_key(topic);
  }
  bool forbids(std::string_view topic, bool retain) const override {
    return service_->forbids(topic, retain);
  }
  void on_message(const ServiceMessage& message, Reaction& reaction) override {
    constexpr std::string_view kVersion = "\"version\"";
    std::string payload(message.parts.payload);
    const std::size_t place = payload.find(kVersion);
    if (place == payload.npos || !random_.chance(0.1))
      return service_->on_message(message, reaction);
    payload.replace(place, kVersion.size(), "\"revision\"");
    MessageParts parts = message.parts;
    parts.payload = payload;
    service_->on_message({parts, message.tags, message.principal, message.peer}, reaction);
  }
  Instant next_deadline() const override { return service_->next_deadline(); }
  void on_time(Reaction& reaction) override { service_->on_time(reaction); }

 private:
  std::unique_ptr<Service> service_;
  base::Prng& random_;
};

// A shadow's answers on their way to another shard are lost.
void lose_answers(core::Mail& mail, core::ShardId from, base::Prng& random) {
  for (core::ShardId to = 0; to < mail.shards(); ++to) {
    if (to == from) continue;
    with_letters(mail.outbox(from, to), [&](std::vector<core::Letter>& letters) {
      for (core::Letter& letter : letters) {
        auto* const deliver = std::get_if<core::Deliver>(&letter);
        if (deliver == nullptr || !ShadowTopics::is_answer(deliver->message->topic()) ||
            !random.chance(0.01))
          continue;
        MessageParts parts = deliver->message->parts();
        parts.topic = "t/lost";
        deliver->message = Message::make(parts);
      }
    });
  }
}

}  // namespace

const std::vector<Plant>& plants() {
  static const std::vector<Plant> all{
      {"early-acknowledgement", "loss"},
      {"swapped-messages", "order"},
      {"forgotten-identifiers", "copies"},
      {"stale-replay", "retained"},
      {"lost-part", "loss"},
      {"kept-subscription", "interest"},
      {"greedy-member", "group"},
      {"kept-session", "store"},
      {"lost-common-message", "loss"},
      {"kept-common-message", "store"},
      {"lost-letter", "liveness"},
      {"lost-document", "shadow", true},
      {"careless-shadows", "shadow", true},
      {"early-acceptance", "shadow", true},
      {"lost-answers", "shadow", true},
  };
  return all;
}

void plant(const std::string& name, SimBroker& broker, SimStore& store, base::Prng& random) {
  if (name == "early-acknowledgement" || name == "early-acceptance")
    broker.doors.answer_at_once = true;
  if (name == "swapped-messages")
    broker.doors.mail = [&random](core::Mail& mail, core::ShardId from) {
      swap_messages(mail, from, random);
    };
  if (name == "forgotten-identifiers")
    broker.doors.journal = [](std::unique_ptr<SessionJournal> journal) {
      return std::make_unique<ForgetfulJournal>(std::move(journal));
    };
  if (name == "stale-replay")
    broker.doors.retained = [&random](std::unique_ptr<RetainedMessages> messages) {
      return std::make_unique<StaleRetained>(std::move(messages), random);
    };
  if (name == "lost-part") store.tamper = [&random](Batch& batch) { lose_part(batch, random); };
  if (name == "lost-document")
    store.tamper = [&random](Batch& batch) { lose_document(batch, random); };
  if (name == "careless-shadows")
    broker.doors.shadows = [&random](std::unique_ptr<Service> service) {
      return std::make_unique<CarelessShadows>(std::move(service), random);
    };
  if (name == "lost-answers")
    broker.doors.mail = [&random](core::Mail& mail, core::ShardId from) {
      lose_answers(mail, from, random);
    };
  if (name == "kept-subscription")
    store.tamper = [](Batch& batch) {
      leave_out(batch, [](const Batch::Change& change) {
        return change.kind == Batch::Kind::Erase &&
               is_of(change.key, records::SessionRecordKind::Subscription);
      });
    };
  if (name == "kept-session")
    store.tamper = [](Batch& batch) {
      leave_out(batch,
                [](const Batch::Change& change) { return change.kind == Batch::Kind::EraseRange; });
    };
  const auto is_common = [](const Batch::Change& change, Batch::Kind kind) {
    return change.kind == kind && change.key.starts_with(records::kCommonMessagePrefix);
  };
  if (name == "lost-common-message")
    store.tamper = [&random, is_common](Batch& batch) {
      leave_out(batch, [&](const Batch::Change& change) {
        return is_common(change, Batch::Kind::Put) && random.chance(0.3);
      });
    };
  if (name == "kept-common-message")
    store.tamper = [is_common](Batch& batch) {
      leave_out(batch,
                [&](const Batch::Change& change) { return is_common(change, Batch::Kind::Erase); });
    };
  if (name == "greedy-member")
    broker.doors.mail = [&random, member = GreedyMember()](core::Mail& mail,
                                                           core::ShardId from) mutable {
      member(mail, from, random);
    };
  if (name == "lost-letter")
    broker.doors.mail = [&random](core::Mail& mail, core::ShardId from) {
      lose_letter(mail, from, random);
    };
}

}  // namespace twinmq::sim
