#include <catch2/catch.hpp>

#include <map>
#include <string>
#include <vector>

#include "modules/sys/sys_module.hpp"

namespace {

using namespace twinmq;
using Told = std::map<std::string, std::string>;

const std::string kBroker = "$SYS/broker/";

/// What the module publishes, minute by minute.
class Minutes {
 public:
  /// Only what this call published.
  Told next(const Statistics& statistics) {
    now_.steady += Seconds(60);
    Told told;
    module_.publish(statistics, now_, [&](std::string_view topic, std::string_view payload) {
      const bool once = told.emplace(topic, payload).second;
      CHECK(once);
    });
    return told;
  }

 private:
  sys::SysModule module_{"twinmq version 1"};
  Now now_{Instant(Seconds(1000)), WallTime(Seconds(1'700'000'000))};
};

TEST_CASE("every name that Mosquitto's users know is published from the first time on") {
  const Told told = Minutes().next({});
  std::vector<std::string> names = {
      "version",
      "uptime",
      "clients/connected",
      "clients/active",
      "clients/disconnected",
      "clients/inactive",
      "clients/expired",
      "clients/maximum",
      "clients/total",
      "messages/received",
      "messages/sent",
      "messages/stored",
      "store/messages/count",
      "store/messages/bytes",
      "publish/messages/received",
      "publish/messages/sent",
      "publish/messages/dropped",
      "publish/bytes/received",
      "publish/bytes/sent",
      "bytes/received",
      "bytes/sent",
      "retained messages/count",
      "subscriptions/count",
      "shared_subscriptions/count",
  };
  for (const char* load :
       {"messages/received", "messages/sent", "publish/received", "publish/sent", "publish/dropped",
        "bytes/received", "bytes/sent", "sockets", "connections"})
    for (const char* window : {"1min", "5min", "15min"})
      names.push_back(std::string("load/") + load + "/" + window);
  for (const std::string& name : names) {
    INFO(name);
    CHECK(told.contains(kBroker + name));
  }
  for (const MetricDescription& metric : metric_table()) {
    INFO(metric.name);
    CHECK(told.at(kBroker + "metrics/" + std::string(metric.name)) == "0");
  }
  CHECK(told.size() == names.size() + metric_table().size());
  CHECK(told.at(kBroker + "version") == "twinmq version 1");
}

TEST_CASE("each name tells the number that it says, and again when that has changed") {
  const std::vector<std::pair<std::string, Metric>> counts = {
      {"clients/connected", Metric::ClientsConnected},
      {"clients/active", Metric::ClientsConnected},
      {"clients/total", Metric::Sessions},
      {"clients/expired", Metric::SessionsExpired},
      {"messages/received", Metric::PacketsReceived},
      {"messages/sent", Metric::PacketsSent},
      {"messages/stored", Metric::QueuedMessages},
      {"store/messages/count", Metric::QueuedMessages},
      {"store/messages/bytes", Metric::QueuedBytes},
      {"publish/messages/received", Metric::PublishReceived},
      {"publish/messages/sent", Metric::PublishSent},
      {"publish/bytes/received", Metric::PublishPayloadReceived},
      {"publish/bytes/sent", Metric::PublishPayloadSent},
      {"bytes/received", Metric::BytesReceived},
      {"bytes/sent", Metric::BytesSent},
      {"retained messages/count", Metric::RetainedMessages},
      {"subscriptions/count", Metric::Subscriptions},
      {"shared_subscriptions/count", Metric::SharedSubscriptions},
  };
  Minutes minutes;
  Statistics statistics;
  minutes.next(statistics);
  for (const std::uint64_t step : {1u, 100u}) {
    // Each metric has a value that no other has.
    for (const MetricDescription& each : metric_table())
      statistics[each.metric] += step * (10 + static_cast<std::uint64_t>(each.metric));
    statistics.uptime_seconds += 60;
    const Told told = minutes.next(statistics);
    for (const auto& [name, metric] : counts) {
      INFO(name);
      CHECK(told.at(kBroker + name) == std::to_string(statistics[metric]));
    }
    CHECK(told.at(kBroker + "uptime") == std::to_string(statistics.uptime_seconds) + " seconds");
    for (const MetricDescription& each : metric_table())
      CHECK(told.at(kBroker + "metrics/" + std::string(each.name)) ==
            std::to_string(statistics[each.metric]));
  }
}

TEST_CASE("what did not change is not published again") {
  Minutes minutes;
  Statistics statistics;
  minutes.next(statistics);
  CHECK(minutes.next(statistics).empty());
  statistics[Metric::Subscriptions] = 1;
  CHECK(minutes.next(statistics).size() == 2);  // by its name and among the metrics
}

TEST_CASE("sessions without a client, the most clients ever, and what was dropped are told") {
  Minutes minutes;
  Statistics statistics;
  statistics[Metric::ClientsConnected] = 5;
  statistics[Metric::Sessions] = 7;
  statistics[Metric::DroppedQueueFull] = 1;
  statistics[Metric::DroppedOutputFull] = 10;
  statistics[Metric::DroppedTooLarge] = 100;
  statistics[Metric::DroppedSessionEnd] = 1000;
  Told told = minutes.next(statistics);
  CHECK(told.at(kBroker + "clients/disconnected") == "2");
  CHECK(told.at(kBroker + "clients/inactive") == "2");
  CHECK(told.at(kBroker + "clients/maximum") == "5");
  CHECK(told.at(kBroker + "publish/messages/dropped") == "1111");
  statistics[Metric::ClientsConnected] = 3;
  told = minutes.next(statistics);
  CHECK(told.at(kBroker + "clients/disconnected") == "4");
  CHECK_FALSE(told.contains(kBroker + "clients/maximum"));
}

TEST_CASE("loads are moving averages per minute over one, five and fifteen minutes") {
  Minutes minutes;
  Statistics statistics;
  statistics[Metric::PacketsReceived] = 1000;  // before it began to look
  CHECK(minutes.next(statistics).at(kBroker + "load/messages/received/1min") == "0.00");
  statistics[Metric::PacketsReceived] += 100;
  statistics[Metric::DroppedQueueFull] += 100;
  Told told = minutes.next(statistics);
  // 100 per minute for one minute: 100 * (1 - exp(-1 / window)).
  CHECK(told.at(kBroker + "load/messages/received/1min") == "63.21");
  CHECK(told.at(kBroker + "load/messages/received/5min") == "18.13");
  CHECK(told.at(kBroker + "load/messages/received/15min") == "6.45");
  CHECK(told.at(kBroker + "load/publish/dropped/1min") == "63.21");
  told = minutes.next(statistics);
  CHECK(told.at(kBroker + "load/messages/received/1min") == "23.25");  // and falls again
}

}  // namespace
