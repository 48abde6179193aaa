#pragma once
// The services of one shard (<twinmq/service.hpp>), and what they ask for while a message is
// routed.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <twinmq/service.hpp>

#include "core/mail.hpp"
#include "core/subscriber.hpp"

namespace twinmq::core {

struct Shard;

/// What services want about one message, collected until it is routed.
struct Reactions {
  Batch records;
  std::vector<MessageRef> published;
  std::vector<MessageRef> after_commit;
  std::vector<std::function<void()>> actions;
  std::vector<HeldTransaction> held;
  bool refused = false;

  void clear();
};

/// The place of one service: its subscriber in the topic tree, and its view of the shard.
class ServiceSeat final : public Subscriber, public ServiceHost {
 public:
  ServiceSeat(Shard& shard, std::unique_ptr<Service> service);

  Service& service() { return *service_; }
  void react_to(const Publication& publication, std::span<const std::uint32_t> tags,
                Reactions& reactions);

  /// Remembers the call for when the message is routed.
  void deliver(const Delivery& delivery, Route& route) override;

  std::uint32_t shard() const override;
  std::uint32_t shards() const override;
  bool is_home(std::string_view key) const override;
  Now now() const override;
  std::uint64_t random() override;
  void subscribe(std::string_view filter, std::uint32_t tag) override;
  void unsubscribe(std::string_view filter) override;
  bool has_receivers(std::string_view topic) const override;
  void react(const std::function<void(Reaction&)>& action) override;
  void resume(HeldTransaction held, const std::function<void(Reaction&)>& action) override;
  void read(StoreRange range, std::function<void(Result<StoreEntries>)> done) override;
  bool may(const Identity& identity, Action action, std::string_view topic, QoS qos,
           bool retain) const override;
  bool restricts() const override;
  void log(LogLevel level, std::string_view event, const std::string& detail) const override;
  void count(Metric metric, std::uint64_t amount) override;

 private:
  Shard& shard_;
  std::unique_ptr<Service> service_;
};

class Services {
 public:
  explicit Services(Shard& shard) : shard_(shard) {}

  void attach(std::vector<std::unique_ptr<Service>> services);
  Result<void> restore(Store& store, Now now);
  bool any() const { return !seats_.empty(); }
  /// Null: there is none of that name.
  Service* find(std::string_view name);

  /// The shard whose service handles the topic; empty: no service cares where.
  std::optional<ShardId> home_of_topic(std::string_view topic) const {
    if (seats_.empty() || topic.empty() || topic.front() != '$') return std::nullopt;
    return ask_home(topic);
  }
  /// Whether clients may not publish that.
  bool forbid(std::string_view topic, bool retain) const;
  /// Whether only services see what is published there.
  bool hide(std::string_view topic) const {
    return !seats_.empty() && !topic.empty() && topic.front() == '$' && ask_hides(topic);
  }
  /// Services are told at the end of the turn.
  void note(const ClientEvent& event);
  void tell_client_events();

  void note(const DroppedMessage& message) {
    if (want_drops_) tell(message);
  }

  Instant next_deadline() const;
  void on_time();

  /// A number under which a service may hold a transaction.
  /// The number carries the hops of what is published when the transaction goes on.
  HeldTransaction draw(std::uint8_t hops) { return ++held_numbers_ << 8 | hops; }
  void keep(HeldTransaction held, const PartOf& part) { held_.emplace(held, part); }
  PartOf release(HeldTransaction held);

 private:
  std::optional<ShardId> ask_home(std::string_view topic) const;
  bool ask_hides(std::string_view topic) const;
  void tell(const DroppedMessage& message);

  Shard& shard_;
  std::vector<std::unique_ptr<ServiceSeat>> seats_;
  /// A ClientEvent with texts of its own.
  struct Noted {
    ClientEvent event;
    std::string client_id;
    std::string principal;
    std::string peer;
    std::string filter;
  };
  bool want_client_events_ = false;
  bool want_drops_ = false;
  std::vector<Noted> noted_;
  HeldTransaction held_numbers_ = 0;
  std::unordered_map<HeldTransaction, PartOf> held_;
};

/// Writes down what a service wants.
class CollectedReaction final : public Reaction {
 public:
  CollectedReaction(Shard& shard, Reactions& reactions, std::uint8_t hops)
      : shard_(shard), reactions_(reactions), hops_(hops) {}

  Batch& records() override { return reactions_.records; }
  void publish(const MessageParts& message) override;
  void publish_after_commit(const MessageParts& message) override;
  void after_commit(std::function<void()> action) override;
  void refuse() override { reactions_.refused = true; }
  HeldTransaction hold() override;

 private:
  void add(const MessageParts& message, std::vector<MessageRef>& to);

  Shard& shard_;
  Reactions& reactions_;
  std::uint8_t hops_;  ///< of what is published
};

}  // namespace twinmq::core
