// E5, E9, E10: the host's own access rules, transports and storage; and every module switched off.

#include <catch2/catch.hpp>

#include <poll.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <iterator>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <twinmq/retained.hpp>
#include <twinmq/session_journal.hpp>
#include <twinmq/system_topics.hpp>
#include <twinmq/testing/store_conformance.hpp>

#include "library/plain_client.hpp"

namespace library_test {
namespace {

using namespace twinmq;

// Answers from another thread, later.
class SlowDoorman final : public Authenticator {
 public:
  struct Conversation final : Authentication {
    explicit Conversation(SlowDoorman& owner) : doorman(owner) { ++doorman.open; }
    ~Conversation() override { --doorman.open; }
    void begin(const Credentials& credentials, Done done) override {
      doorman.peers.add(std::string(credentials.peer));
      doorman.pending.add([done, user = std::string(credentials.username),
                           good = credentials.password == "secret"] {
        AuthenticationResult result;
        result.code = good ? ReasonCode::Success : ReasonCode::BadUserNameOrPassword;
        result.principal = user;
        done(result);
      });
    }
    void proceed(std::string_view, Done done) override { done({}); }
    SlowDoorman& doorman;
  };
  std::unique_ptr<Authentication> start(std::string_view method) override {
    return method.empty() ? std::make_unique<Conversation>(*this) : nullptr;
  }
  Arrivals<std::function<void()>> pending;
  Arrivals<std::string> peers;
  std::atomic<int> open{0};
};

TEST_CASE(
    "E5: an authenticator of the host answers later, sees the address, and is cancelled with the "
    "socket") {
  const auto doorman = std::make_shared<SlowDoorman>();
  Parts parts;
  parts.authenticator = doorman;
  const auto broker = start_broker({}, parts);
  const std::string url = broker->listeners().at(0).url;

  PlainClient good(url);
  good.send(wire::connect_packet({.client_id = "good", .username = "ann", .password = "secret"},
                                 wire::Version::V5));
  CHECK(doorman->peers.take().starts_with("127.0.0.1:"));
  doorman->pending.take()();
  CHECK(good.expect<wire::Connack>().code == 0);
  REQUIRE(broker->sessions().size() == 1);
  CHECK(broker->sessions().front().principal == "ann");

  PlainClient bad(url);
  bad.send(wire::connect_packet({.client_id = "bad", .username = "ann", .password = "wrong"},
                                wire::Version::V5));
  doorman->pending.take()();
  CHECK(bad.expect<wire::Connack>().code == 0x86);

  PlainClient impatient(url);
  impatient.send(wire::connect_packet({.client_id = "gone", .username = "x", .password = "secret"},
                                      wire::Version::V5));
  const auto answer = doorman->pending.take();
  impatient.cut();
  CHECK(eventually([&] { return broker->statistics()[Metric::Connections] <= 1; }));
  answer();
  CHECK(broker->sessions().size() == 1);
  good.disconnect();
  CHECK(eventually([&] { return doorman->open == 0; }));
}

TEST_CASE("E5: rights that change are asked for again") {
  class Switch final : public Authorizer {
   public:
    bool may(const Identity&, Action action, std::string_view, QoS, bool) override {
      return action != Action::Publish || open;
    }
    std::uint64_t epoch() const override { return open ? 1 : 2; }
    std::atomic<bool> open{true};
  };
  const auto rights = std::make_shared<Switch>();
  Parts parts;
  parts.authorizer = rights;
  const auto broker = start_broker({}, parts);
  PlainClient client(broker->listeners().at(0).url);
  client.connect("c");
  CHECK((client.publish("t", "1").code & 0x80) == 0);
  rights->open = false;
  CHECK(client.publish("t", "2").code == 0x87);
}

TEST_CASE("E9: a client comes over the host's own stream, to whichever shard its name belongs") {
  const auto broker = start_broker([](Config& config) { config.listeners.clear(); });
  for (int i = 0; i < 8; ++i) {
    PlainClient reader(*broker);
    reader.connect("reader" + std::to_string(i));
    reader.subscribe("line/#");
    PlainClient writer(*broker);
    const std::string hello =
        wire::connect_packet({.client_id = "writer" + std::to_string(i)}, wire::Version::V5);
    for (const char byte : hello) writer.send(std::string_view(&byte, 1));
    writer.expect<wire::Connack>();
    CHECK(writer.publish("line/1", "over a wire").code == 0);
    CHECK(reader.expect<wire::Publish>().payload == "over a wire");
    writer.disconnect();
  }
}

TEST_CASE("E9: a stream that is full gets the rest when it says there is room") {
  const auto broker = start_broker();
  PlainClient client(*broker);
  client.connect("narrow");
  client.subscribe("big", 0);
  {
    const std::scoped_lock lock(client.pipe()->mutex);
    client.pipe()->room = 10;
  }
  broker->publish({.topic = "big", .payload = std::string(100'000, 'b')});
  CHECK(eventually([&] {
    const std::scoped_lock lock(client.pipe()->mutex);
    return client.pipe()->room == 0;
  }));
  {
    const std::scoped_lock lock(client.pipe()->mutex);
    client.pipe()->room = ~std::size_t{0};
  }
  client.handle()->writable();
  CHECK(client.expect<wire::Publish>().payload.size() == 100'000);
}

TEST_CASE(
    "E9: the access rules know a stream by its listener's name and whether it lets anonymous "
    "clients in") {
  const auto broker = start_broker();
  PlainClient stranger(*broker, false);
  CHECK((stranger.connect("stranger").code & 0x80) != 0);
}

// The least a store can be; it can also be told to fail.
class MapStore final : public Store {
 public:
  Result<void> commit(const Batch& batch, Durability) override {
    const std::scoped_lock lock(mutex_);
    if (failing) return Error{ErrorCode::StorageFailed, "the card was pulled out"};
    ++commits;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const Batch::Change change = batch[i];
      const std::string key(change.key);
      if (change.kind == Batch::Kind::Put) entries_[key] = change.value;
      if (change.kind == Batch::Kind::Erase) entries_.erase(key);
      if (change.kind == Batch::Kind::EraseRange) {
        std::erase_if(entries_, [&](const auto& each) {
          return each.first >= change.key && each.first < change.value;
        });
      }
    }
    return {};
  }
  Result<void> scan(std::string_view from, std::string_view to, const Visitor& visit) override {
    const std::scoped_lock lock(mutex_);
    for (auto place = entries_.lower_bound(std::string(from)); place != entries_.end(); ++place) {
      if (!to.empty() && place->first >= to) break;
      if (!visit(place->first, place->second)) break;
    }
    return {};
  }
  Result<void> reopen() override {
    ++reopened;
    if (broken) return Error{ErrorCode::StorageFailed, "still no card"};
    failing = false;
    return {};
  }
  Durability durability_max() const override { return Durability::Fsync; }

  std::atomic<bool> failing{false};
  std::atomic<bool> broken{false};
  std::atomic<int> commits{0};
  std::atomic<int> reopened{0};

 private:
  std::mutex mutex_;
  std::map<std::string, std::string> entries_;
};

TEST_CASE("E10: a store of the host keeps the house's promises") {
  CHECK(testing::check_store([] { return std::make_unique<MapStore>(); }) ==
        std::vector<std::string>{});
}

TEST_CASE(
    "E10: what a store of the host keeps outlives the broker, with another number of shards") {
  const auto store = std::make_shared<MapStore>();
  Parts parts;
  parts.store = store;
  {
    const auto broker = start_broker([](Config& config) { config.node.shards = 3; }, parts);
    CHECK(broker->durability() == Durability::Fsync);
    const std::string url = broker->listeners().at(0).url;
    PlainClient reader(url, wire::Version::V311);
    reader.connect("reader", {.clean = false});
    reader.subscribe("q/#");
    reader.disconnect();
    PlainClient writer(url, wire::Version::V311);
    writer.connect("writer");
    writer.publish("q/1", "one");
    writer.publish("r", "kept", {.retain = true});
    broker->stop();
  }
  CHECK(store->commits > 0);
  const auto broker = start_broker([](Config& config) { config.node.shards = 1; }, parts);
  const std::string url = broker->listeners().at(0).url;
  PlainClient reader(url, wire::Version::V311);
  CHECK(reader.connect("reader", {.clean = false}).session_present);
  CHECK(reader.expect<wire::Publish>().payload == "one");
  PlainClient other(url, wire::Version::V311);
  other.connect("other");
  other.subscribe("r");
  CHECK(other.expect<wire::Publish>().payload == "kept");
}

TEST_CASE(
    "E10: a store that fails acknowledges nothing, and the broker comes back with what was "
    "stored") {
  const auto store = std::make_shared<MapStore>();
  Parts parts;
  parts.store = store;
  Arrivals<std::string> events;
  parts.log = [&](const LogLine& line) {
    if (line.event == "storage recovered") events.add(std::string(line.event));
  };
  const auto broker = start_broker({}, parts);
  const std::string url = broker->listeners().at(0).url;
  PlainClient reader(url);
  reader.connect("reader", {.clean = false, .properties = {{wire::Prop::SessionExpiry, 600}}});
  reader.subscribe("q/#");
  Arrivals<std::string> heard;
  const auto subscription = broker->subscribe(
      {.filter = "q/#"},
      [&](const HostDelivery& delivery, AckToken) { heard.add(std::string(delivery.payload)); });
  REQUIRE(subscription.has_value());
  PlainClient writer(url);
  writer.connect("writer");
  CHECK(writer.publish("q/1", "stored").code == 0);
  CHECK(reader.expect<wire::Publish>().payload == "stored");
  CHECK(heard.take() == "stored");

  store->failing = true;
  writer.send(wire::publish_packet({.topic = "q/2", .payload = "lost", .qos = 1, .id = 5},
                                   wire::Version::V5));
  CHECK_THROWS(writer.expect<wire::Puback>());
  CHECK(reader.ends());
  events.take();
  CHECK(store->reopened == 1);

  PlainClient again(url);
  CHECK(again.connect("reader", {.clean = false, .properties = {{wire::Prop::SessionExpiry, 600}}})
            .session_present);
  CHECK(again.expect<wire::Publish>().payload == "stored");
  // The host's subscription comes back by itself.
  PlainClient second(url);
  second.connect("writer");
  CHECK(eventually([&] {
    second.publish("q/3", "after");
    return heard.size() > 0;
  }));
}

TEST_CASE(
    "E10: on the caller's loop, too, a store commits on its own thread and may fail and come "
    "back") {
  const auto store = std::make_shared<MapStore>();
  Parts parts;
  parts.store = store;
  Arrivals<std::string> events;
  parts.log = [&](const LogLine& line) {
    if (line.event == "storage recovered") events.add(std::string(line.event));
  };
  const auto broker = make_broker({}, parts);
  std::promise<std::string> url;
  std::atomic<bool> done{false};
  std::thread loop([&] {
    if (!broker->start_on_caller()) return url.set_value("");
    url.set_value(broker->listeners().at(0).url);
    while (!done) {
      pollfd ready{broker->fd(), POLLIN, 0};
      ::poll(&ready, 1, 50);
      broker->turn();
    }
    broker->stop();
  });
  const std::string where = url.get_future().get();
  PlainClient writer(where);
  writer.connect("writer");
  writer.publish("r", "kept", {.retain = true});
  store->failing = true;
  writer.send(wire::publish_packet(
      {.topic = "r", .payload = "lost", .qos = 1, .retain = true, .id = 5}, wire::Version::V5));
  CHECK(writer.ends());
  events.take();
  PlainClient reader(where);
  reader.connect("reader");
  reader.subscribe("r");
  CHECK(reader.expect<wire::Publish>().payload == "kept");
  done = true;
  loop.join();
}

TEST_CASE("E10: a broker whose store does not come back can still be stopped") {
  const auto store = std::make_shared<MapStore>();
  Parts parts;
  parts.store = store;
  const auto broker = start_broker({}, parts);
  PlainClient writer(broker->listeners().at(0).url);
  writer.connect("writer");
  store->broken = true;
  store->failing = true;
  writer.send(wire::publish_packet(
      {.topic = "r", .payload = "x", .qos = 1, .retain = true, .id = 5}, wire::Version::V5));
  CHECK(writer.ends());
  CHECK(eventually([&] { return store->reopened > 0; }));
  broker->stop(Milliseconds(100));
}

TEST_CASE("each module can be off, and the rest works") {
  const auto exercise = [](const std::function<void(Config&)>& change) {
    const auto broker = start_broker(change);
    PlainClient client(broker->listeners().at(0).url);
    CHECK(client.connect("c").code == 0);
    client.subscribe("t");
    PlainClient other(broker->listeners().at(0).url);
    other.connect("other");
    other.publish("t", "hello");
    CHECK(client.expect<wire::Publish>().payload == "hello");
  };
  SECTION("sessions") {
    exercise([](Config& config) { config.modules.sessions = false; });
    const auto broker = start_broker([](Config& config) { config.modules.sessions = false; });
    PlainClient client(broker->listeners().at(0).url);
    client.connect("c", {.properties = {{wire::Prop::SessionExpiry, 600}}});
    client.disconnect();
    CHECK(eventually([&] { return broker->sessions().empty(); }));
  }
  SECTION("retained") {
    exercise([](Config& config) { config.modules.retained = false; });
    const auto broker = start_broker([](Config& config) { config.modules.retained = false; });
    PlainClient client(broker->listeners().at(0).url);
    CHECK(client.connect("c").properties.number(wire::Prop::RetainAvailable) == 0u);
  }
  SECTION("access") {
    exercise([](Config& config) { config.modules.access = false; });
    const auto broker = start_broker([](Config& config) { config.modules.access = false; });
    PlainClient client(*broker, false);
    CHECK(client.connect("c").code == 0);
  }
  SECTION("sys") {
    exercise([](Config& config) { config.modules.sys = false; });
    // With one shard what it publishes at its start comes before what anybody else does later.
    const auto topics_until_fence = [](bool sys) {
      const auto broker = start_broker([&](Config& config) {
        config.modules.sys = sys;
        config.node.shards = 1;
      });
      PlainClient client(broker->listeners().at(0).url);
      client.connect("c");
      client.send(wire::subscribe_packet(1, {{.filter = "$SYS/#"}, {.filter = "fence"}},
                                         wire::Version::V5));
      client.expect<wire::Suback>();
      broker->publish({.topic = "fence", .payload = ""});
      std::vector<std::string> topics;
      do {
        topics.push_back(client.expect<wire::Publish>().topic);
      } while (topics.back() != "fence");
      return topics;
    };
    CHECK(topics_until_fence(false) == std::vector<std::string>{"fence"});
    CHECK(topics_until_fence(true).size() > 50);
  }
}

TEST_CASE("modules that are off cost no thread") {
#ifdef __SANITIZE_THREAD__
  constexpr int kOwn = 2;  // the sanitizer has one, too
#else
  constexpr int kOwn = 1;
#endif
  // A thread that was joined may still be on its way out.
  const auto has_threads = [](bool modules, int expected) {
    const auto broker = start_broker([&](Config& config) {
      config.node.shards = 2;
      config.modules.sessions = config.modules.retained = config.modules.access = modules;
      config.modules.sys = config.modules.shadow = modules;
      config.modules.events = config.modules.rules = modules;
    });
    PlainClient client(broker->listeners().at(0).url);
    client.connect("c");
    client.subscribe("t");
    client.publish("elsewhere", "x");
    return eventually([&] {
      const std::filesystem::directory_iterator all("/proc/self/task");
      return std::distance(begin(all), end(all)) == kOwn + expected;
    });
  };
  CHECK(has_threads(false, 2 + 1));     // the shards, and who watches host callbacks
  CHECK(has_threads(true, 2 + 1 + 1));  // and the storage thread
}

TEST_CASE("foreign $SYS topics take the place of the house's") {
  class OneFact final : public SystemTopics {
   public:
    void publish(const Statistics&, Now, const Publish& publish) override {
      publish("$SYS/fact", "42");
    }
  };
  Parts parts;
  parts.sys = [] { return std::make_unique<OneFact>(); };
  const auto broker = start_broker({}, parts);
  PlainClient client(broker->listeners().at(0).url);
  client.connect("c");
  client.subscribe("$SYS/#", 0);
  const auto fact = client.expect<wire::Publish>();
  CHECK(fact.topic == "$SYS/fact");
  CHECK(fact.payload == "42");
}

TEST_CASE("foreign retained messages take the place of the house's") {
  // Keeps nothing at all.
  class Forgetful final : public RetainedMessages {
   public:
    class Nothing final : public Replay {
     public:
      MessageRef next(std::size_t&) override { return {}; }
      bool done() const override { return true; }
    };
    explicit Forgetful(std::atomic<int>& asked) : asked_(asked) {}
    Stored set(const MessageRef&, Now, Batch&) override {
      ++asked_;
      return Stored::Stored;
    }
    MessageRef find(std::string_view, Instant) const override { return {}; }
    std::unique_ptr<Replay> replay(std::string_view, Instant) override {
      return std::make_unique<Nothing>();
    }
    void expire(Now, std::size_t, Batch&) override {}
    Result<void> restore(Store&, Now, const std::function<bool(std::string_view)>&) override {
      return {};
    }
    std::size_t corrupt_records() const override { return 0; }
    std::size_t messages() const override { return 0; }
    std::size_t bytes() const override { return 0; }

   private:
    std::atomic<int>& asked_;
  };
  std::atomic<int> asked{0};
  Parts parts;
  parts.retained = [&] { return std::make_unique<Forgetful>(asked); };
  const auto broker = start_broker([](Config& config) { config.modules.sys = false; }, parts);
  PlainClient client(broker->listeners().at(0).url);
  client.connect("c");
  client.publish("t", "x", {.retain = true});
  CHECK(asked == 1);
}

TEST_CASE("a foreign session journal takes the place of the house's") {
  class Counting final : public SessionJournal {
   public:
    explicit Counting(std::atomic<int>& sessions) : sessions_(sessions) {}
    void session(const StoredSession&, Now, Batch&) override { ++sessions_; }
    void session_ended(std::string_view, std::span<const NumberRange>, Batch&) override {}
    void subscribed(std::string_view, const StoredSubscription&, Batch&) override {}
    void unsubscribed(std::string_view, std::string_view, Batch&) override {}
    void delivery(std::string_view, const StoredDelivery&, Now, Batch&) override {}
    void delivered(std::string_view, std::uint64_t, Batch&) override {}
    void received(std::string_view, std::uint16_t, Batch&) override {}
    void completed(std::string_view, std::uint16_t, Batch&) override {}
    void owed(const OwedMessage&, Now, Batch&) override {}
    void routed(std::uint64_t, Batch&) override {}
    Result<void> restore(Store&, Now, const std::function<bool(std::string_view)>&, Visitor&,
                         const std::function<void(std::string)>&) override {
      return {};
    }

   private:
    std::atomic<int>& sessions_;
  };
  std::atomic<int> sessions{0};
  Parts parts;
  parts.sessions = [&] { return std::make_unique<Counting>(sessions); };
  const auto broker = start_broker({}, parts);
  PlainClient client(broker->listeners().at(0).url);
  client.connect("c", {.properties = {{wire::Prop::SessionExpiry, 600}}});
  CHECK(sessions > 0);
}

}  // namespace
}  // namespace library_test
