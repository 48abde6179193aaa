#pragma once
// A shard as services of rules see it, and what they want of it.

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <twinmq/service.hpp>

namespace twinmq::rules {

struct Published {
  std::string topic;
  std::string payload;
  std::string properties;
  QoS qos = QoS::AtMostOnce;
  bool retain = false;
};

class Collected final : public Reaction {
 public:
  Batch& records() override { return batch; }
  void publish(const MessageParts& message) override {
    published.push_back({std::string(message.topic), std::string(message.payload),
                         std::string(message.properties), message.qos, message.retain});
  }
  void publish_after_commit(const MessageParts&) override {}
  void after_commit(std::function<void()>) override {}
  void refuse() override {}
  HeldTransaction hold() override { return ++held; }

  Batch batch;
  std::vector<Published> published;
  HeldTransaction held = 0;
};

class Host final : public ServiceHost {
 public:
  std::uint32_t shard() const override { return 0; }
  std::uint32_t shards() const override { return home ? 1 : 2; }
  bool is_home(std::string_view) const override { return home; }
  Now now() const override { return at; }
  std::uint64_t random() override { return ++drawn, chance; }
  void subscribe(std::string_view filter, std::uint32_t tag) override {
    filters[std::string(filter)] = tag;
  }
  bool has_receivers(std::string_view) const override { return heard; }
  void unsubscribe(std::string_view filter) override { filters.erase(std::string(filter)); }
  void react(const std::function<void(Reaction&)>& action) override {
    Collected reaction;
    action(reaction);
    reacted.append(reaction.batch);
  }
  void read(StoreRange, std::function<void(Result<StoreEntries>)>) override {}
  void resume(HeldTransaction, const std::function<void(Reaction&)>& action) override {
    Collected reaction;
    action(reaction);
    for (Published& each : reaction.published) resumed.push_back(std::move(each));
  }
  bool may(const Identity& identity, Action, std::string_view topic, QoS, bool) const override {
    return identity.principal.starts_with("rule:") && topic != "forbidden" &&
           !topic.starts_with("$aws/things/secret/");
  }
  void log(LogLevel, std::string_view event, const std::string& detail) const override {
    lines.push_back(std::string(event) + " " + detail);
  }
  void count(Metric metric, std::uint64_t amount) override { counted[metric] += amount; }

  bool home = true;
  bool heard = false;  ///< whether events have receivers
  Now at{Instant{}, WallTime(Milliseconds(1'700'000'000'000))};
  std::uint64_t chance = 42;
  int drawn = 0;
  std::vector<Published> resumed;
  Batch reacted;
  Statistics counted;
  std::map<std::string, std::uint32_t> filters;
  mutable std::vector<std::string> lines;
};

}  // namespace twinmq::rules
