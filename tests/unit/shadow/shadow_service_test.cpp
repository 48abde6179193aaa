#include "modules/shadow/shadow_service.hpp"

#include <catch2/catch.hpp>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "unit/shadow/trees.hpp"

namespace twinmq::shadow::test {
namespace {

class MapStore final : public Store {
 public:
  Result<void> commit(const Batch& batch, Durability) override {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const Batch::Change change = batch[i];
      if (change.kind == Batch::Kind::Put) entries[std::string(change.key)] = change.value;
      if (change.kind == Batch::Kind::Erase) entries.erase(std::string(change.key));
      if (change.kind == Batch::Kind::EraseRange)
        entries.erase(entries.lower_bound(change.key), entries.lower_bound(change.value));
    }
    return {};
  }
  Result<void> scan(std::string_view from, std::string_view to, const Visitor& visit) override {
    for (auto each = entries.lower_bound(from); each != entries.end(); ++each) {
      if (!to.empty() && each->first >= to) break;
      if (!visit(each->first, each->second)) break;
    }
    return {};
  }
  Result<void> reopen() override { return {}; }
  Durability durability_max() const override { return Durability::Fsync; }

  std::size_t count(char kind) const {
    return static_cast<std::size_t>(std::distance(entries.lower_bound(std::string(1, kind)),
                                                  entries.lower_bound(std::string(1, kind + 1))));
  }

  std::map<std::string, std::string, std::less<>> entries;
};

/// One shard whose clock the test sets; what is written is safe when settle() runs.
class Shard final : public ServiceHost {
 public:
  explicit Shard(const ShadowConfig& config) : config_(config) { restart(); }

  void restart() {
    reads_.clear();
    safe_.clear();
    service.emplace(config_, config_.cache_bytes);
    service->attach(*this);
    REQUIRE(service->restore(store, now()).has_value());
  }

  DirectAnswer ask(Operation operation, const ShadowName& shadow, std::string_view payload = {}) {
    return answered([&](auto done) {
      service->ask(operation, shadow, payload, done, {"client", "who", "1.2.3.4:5"}, true);
    });
  }
  DirectAnswer peek(const ShadowName& shadow) {
    return answered([&](auto done) { service->peek(shadow, done); });
  }
  /// What a peek tells at once, while no change becomes safe; nothing: it waits.
  std::optional<DirectAnswer> peek_now(const ShadowName& shadow) {
    const auto told = std::make_shared<std::optional<DirectAnswer>>();
    service->peek(shadow, [told](const DirectAnswer& answer) { *told = answer; });
    return *told;
  }
  void update_later(const ShadowName& shadow, std::string_view payload) {
    service->ask(
        Operation::Update, shadow, payload, [](const DirectAnswer&) {}, {}, true);
  }
  Json history(const ShadowName& shadow) {
    const DirectAnswer answer =
        answered([&](auto done) { service->history(shadow, HistoryRequest{}, done); });
    return answer.code == 200 ? Json::parse(answer.body).at("versions") : Json();
  }
  /// Time passes, and the service does what it wants to be woken for.
  void pass(Seconds time) {
    time_ += time;
    for (int turn = 0; turn < 100 && service->next_deadline() <= now().steady; ++turn) {
      react([&](Reaction& reaction) { service->on_time(reaction); });
      settle();
    }
  }

  std::uint32_t shard() const override { return 0; }
  std::uint32_t shards() const override { return 1; }
  bool is_home(std::string_view) const override { return true; }
  Now now() const override {
    return {Instant(time_), WallTime(Milliseconds(1'700'000'000'000) + time_)};
  }
  std::uint64_t random() override { return 42; }
  void subscribe(std::string_view, std::uint32_t) override {}
  void unsubscribe(std::string_view) override {}
  void react(const std::function<void(Reaction&)>& action) override {
    Collected reaction;
    action(reaction);
    REQUIRE(store.commit(reaction.batch, Durability::Fsync).has_value());
    for (auto& each : reaction.actions) safe_.push_back(std::move(each));
    for (auto& each : reaction.published) published.push_back(std::move(each));
  }
  void resume(HeldTransaction, const std::function<void(Reaction&)>& action) override {
    react(action);
  }
  void read(StoreRange range, std::function<void(Result<StoreEntries>)> done) override {
    reads_.emplace_back(std::move(range), std::move(done));
  }
  bool may(const Identity&, Action, std::string_view, QoS, bool) const override { return true; }
  void log(LogLevel, std::string_view, const std::string&) const override {}
  void count(Metric, std::uint64_t) override {}

  MapStore store;
  std::vector<std::string> published;  ///< topics
  std::optional<ShadowService> service;

 private:
  class Collected final : public Reaction {
   public:
    Batch& records() override { return batch; }
    void publish(const MessageParts& message) override { published.emplace_back(message.topic); }
    void publish_after_commit(const MessageParts& message) override { publish(message); }
    void after_commit(std::function<void()> action) override {
      actions.push_back(std::move(action));
    }
    void refuse() override {}
    HeldTransaction hold() override { return 1; }

    Batch batch;
    std::vector<std::string> published;
    std::vector<std::function<void()>> actions;
  };

  template <typename Ask>
  DirectAnswer answered(Ask ask) {
    std::optional<DirectAnswer> told;
    ask([&](const DirectAnswer& answer) { told = answer; });
    settle();
    REQUIRE(told.has_value());
    return *told;
  }
  void settle() {
    while (!reads_.empty() || !safe_.empty()) {
      if (!safe_.empty()) {
        const auto action = std::move(safe_.front());
        safe_.pop_front();
        action();
        continue;
      }
      auto [range, done] = std::move(reads_.front());
      reads_.pop_front();
      done(store.read(range));
    }
  }

  ShadowConfig config_;
  Milliseconds time_{0};
  std::deque<std::pair<StoreRange, std::function<void(Result<StoreEntries>)>>> reads_;
  std::deque<std::function<void()>> safe_;
};

const ShadowName kLamp{"lamp", ""};

}  // namespace

TEST_CASE(
    "a peek reads a document from the store, and later without waiting for changes to be safe",
    "[shadow]") {
  Shard shard(ShadowConfig{});
  CHECK(shard.peek(kLamp).code == 404);
  CHECK(shard.ask(Operation::Update, kLamp, R"({"state":{"reported":{"n":1}}})").code == 200);
  shard.restart();
  CHECK_FALSE(shard.peek_now(kLamp));
  CHECK(Json::parse(shard.peek(kLamp).body).at("state").at("reported").at("n") == 1);
  shard.update_later(kLamp, R"({"state":{"reported":{"n":2}}})");
  const auto present = shard.peek_now(kLamp);
  REQUIRE(present);
  CHECK(Json::parse(present->body).at("state").at("reported").at("n") == 2);
  for (const ShadowName& bad :
       {ShadowName{"a/b", ""}, ShadowName{"", ""}, ShadowName{"a", "b/c"}, ShadowName{"+", ""}})
    CHECK(shard.peek(bad).code == 400);
}

TEST_CASE("versions go when they are too old, and only those", "[shadow]") {
  ShadowConfig config;
  config.history_versions = 10;
  config.history_hours = 24;
  Shard shard(config);
  for (int value : {1, 2, 3}) {
    CHECK(shard
              .ask(Operation::Update, kLamp,
                   R"({"state":{"desired":{"on":)" + std::to_string(value) + "}}}")
              .code == 200);
    shard.pass(Seconds(3600 * 10));
  }
  CHECK(shard.store.count('h') == 2);
  Json kept = shard.history(kLamp);
  REQUIRE(kept.size() == 2);
  CHECK(kept[0]["version"] == 3);
  CHECK(kept[1]["version"] == 2);
  shard.restart();
  shard.pass(Seconds(3600 * 10));
  CHECK(shard.history(kLamp).size() == 1);
  shard.pass(Seconds(3600 * 10));
  CHECK(shard.store.count('h') == 0);
  CHECK(shard.history(kLamp).empty());
  CHECK(shard.ask(Operation::Get, kLamp).version == 3);
}

TEST_CASE("a version that is too old is not told even before it goes", "[shadow]") {
  ShadowConfig config;
  config.history_versions = 10;
  config.history_hours = 1;
  Shard shard(config);
  CHECK(shard.ask(Operation::Update, kLamp, R"({"state":{"desired":{"on":1}}})").code == 200);
  shard.pass(Seconds(1800));
  CHECK(shard.ask(Operation::Update, kLamp, R"({"state":{"desired":{"on":2}}})").code == 200);
  shard.pass(Seconds(1750));
  CHECK(shard.history(kLamp).size() == 2);
  shard.pass(Seconds(51));
  const Json kept = shard.history(kLamp);
  REQUIRE(kept.size() == 1);
  CHECK(kept[0]["version"] == 2);
}

TEST_CASE("of many versions the last are kept", "[shadow]") {
  ShadowConfig config;
  config.history_versions = 3;
  Shard shard(config);
  for (int value = 1; value <= 7; ++value)
    CHECK(shard
              .ask(Operation::Update, kLamp,
                   R"({"state":{"desired":{"on":)" + std::to_string(value) + "}}}")
              .version == value);
  const Json kept = shard.history(kLamp);
  REQUIRE(kept.size() == 3);
  CHECK(kept[0]["version"] == 7);
  CHECK(kept[0]["clientId"] == "client");
  CHECK(shard.store.count('h') == 3);
}

TEST_CASE("a deleted shadow counts on for its time, then it and its versions are gone",
          "[shadow]") {
  ShadowConfig config;
  config.history_versions = 3;
  Shard shard(config);
  CHECK(shard.ask(Operation::Update, kLamp, R"({"state":{"desired":{"on":1}}})").version == 1);
  CHECK(shard.ask(Operation::Delete, kLamp).code == 200);
  shard.pass(Seconds(47 * 3600));
  shard.restart();
  CHECK(shard.ask(Operation::Get, kLamp).code == 404);
  CHECK(shard.store.count('d') == 1);
  shard.pass(Seconds(3601));
  CHECK(shard.store.entries.empty());
  CHECK(shard.ask(Operation::Update, kLamp, R"({"state":{"desired":{"on":1}}})").version == 1);
}

TEST_CASE("keys whose time is over while the broker is down go when it starts", "[shadow]") {
  Shard shard({});
  CHECK(shard
            .ask(Operation::Update, kLamp,
                 R"({"state":{"desired":{"open":1,"on":2}},"ttl":{"open":30}})")
            .code == 200);
  shard.pass(Seconds(29));
  CHECK(Json::parse(shard.ask(Operation::Get, kLamp).body)["state"]["desired"].size() == 2);
  shard.restart();
  shard.published.clear();
  shard.pass(Seconds(2));
  CHECK(std::count(shard.published.begin(), shard.published.end(),
                   "$twinmq/things/lamp/shadow/removed") == 1);
  const DirectAnswer left = shard.ask(Operation::Get, kLamp);
  CHECK(left.version == 2);
  CHECK(Json::parse(left.body)["state"]["desired"] == Json{{"on", 2}});
  CHECK(shard.store.count('e') == 0);
}

}  // namespace twinmq::shadow::test
