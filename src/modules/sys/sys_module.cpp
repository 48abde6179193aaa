#include "modules/sys/sys_module.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

namespace twinmq::sys {

namespace {

struct Named {
  std::string_view topic;
  Metric metric;
};

constexpr std::array kCounts = {
    Named{"$SYS/broker/clients/connected", Metric::ClientsConnected},
    Named{"$SYS/broker/clients/active", Metric::ClientsConnected},
    Named{"$SYS/broker/clients/total", Metric::Sessions},
    Named{"$SYS/broker/clients/expired", Metric::SessionsExpired},
    Named{"$SYS/broker/messages/received", Metric::PacketsReceived},
    Named{"$SYS/broker/messages/sent", Metric::PacketsSent},
    Named{"$SYS/broker/messages/stored", Metric::QueuedMessages},
    Named{"$SYS/broker/store/messages/count", Metric::QueuedMessages},
    Named{"$SYS/broker/store/messages/bytes", Metric::QueuedBytes},
    Named{"$SYS/broker/publish/messages/received", Metric::PublishReceived},
    Named{"$SYS/broker/publish/messages/sent", Metric::PublishSent},
    Named{"$SYS/broker/publish/bytes/received", Metric::PublishPayloadReceived},
    Named{"$SYS/broker/publish/bytes/sent", Metric::PublishPayloadSent},
    Named{"$SYS/broker/bytes/received", Metric::BytesReceived},
    Named{"$SYS/broker/bytes/sent", Metric::BytesSent},
    Named{"$SYS/broker/retained messages/count", Metric::RetainedMessages},
    Named{"$SYS/broker/subscriptions/count", Metric::Subscriptions},
    Named{"$SYS/broker/shared_subscriptions/count", Metric::SharedSubscriptions},
};

constexpr std::array kLoads = {
    Named{"messages/received", Metric::PacketsReceived},
    Named{"messages/sent", Metric::PacketsSent},
    Named{"publish/received", Metric::PublishReceived},
    Named{"publish/sent", Metric::PublishSent},
    Named{"bytes/received", Metric::BytesReceived},
    Named{"bytes/sent", Metric::BytesSent},
    Named{"sockets", Metric::ConnectionsAccepted},
    Named{"connections", Metric::ConnectAccepted},
};

constexpr std::array<std::pair<std::string_view, double>, 3> kWindows = {
    {{"1min", 1.0}, {"5min", 5.0}, {"15min", 15.0}}};

std::uint64_t dropped(const Statistics& statistics) {
  return statistics[Metric::DroppedQueueFull] + statistics[Metric::DroppedOutputFull] +
         statistics[Metric::DroppedTooLarge] + statistics[Metric::DroppedSessionEnd];
}

}  // namespace

void SysModule::publish(const Statistics& statistics, Now now, const Publish& publish) {
  tell(publish, "$SYS/broker/version", version_);
  tell(publish, "$SYS/broker/uptime", std::to_string(statistics.uptime_seconds) + " seconds");
  for (const Named& named : kCounts)
    tell(publish, named.topic, std::to_string(statistics[named.metric]));

  const std::uint64_t connected = statistics[Metric::ClientsConnected];
  const std::uint64_t sessions = statistics[Metric::Sessions];
  const std::string absent = std::to_string(sessions > connected ? sessions - connected : 0);
  clients_maximum_ = std::max(clients_maximum_, connected);
  tell(publish, "$SYS/broker/clients/disconnected", absent);
  tell(publish, "$SYS/broker/clients/inactive", absent);
  tell(publish, "$SYS/broker/clients/maximum", std::to_string(clients_maximum_));
  tell(publish, "$SYS/broker/publish/messages/dropped", std::to_string(dropped(statistics)));

  const double minutes =
      started_ ? std::chrono::duration<double, std::ratio<60>>(now.steady - last_).count() : 0.0;
  for (const Named& named : kLoads)
    tell_load(publish, named.topic, statistics[named.metric], minutes);
  tell_load(publish, "publish/dropped", dropped(statistics), minutes);
  for (const MetricDescription& metric : metric_table())
    tell(publish, "$SYS/broker/metrics/" + std::string(metric.name),
         std::to_string(statistics[metric.metric]));
  last_ = now.steady;
  started_ = true;
}

void SysModule::tell_load(const Publish& publish, std::string_view name, std::uint64_t total,
                          double minutes) {
  Load& load = loads_[std::string(name)];
  for (std::size_t i = 0; i < kWindows.size(); ++i) {
    if (minutes > 0) {
      const double rate = static_cast<double>(total - load.last) / minutes;
      const double weight = std::exp(-minutes / kWindows[i].second);
      load.per_minute[i] = rate + weight * (load.per_minute[i] - rate);
    }
    std::array<char, 40> text{};
    std::snprintf(text.data(), text.size(), "%.2f", load.per_minute[i]);
    tell(publish, "$SYS/broker/load/" + std::string(name) + "/" + std::string(kWindows[i].first),
         text.data());
  }
  load.last = total;
}

void SysModule::tell(const Publish& publish, std::string_view topic, std::string value) {
  std::string& told = told_[std::string(topic)];
  if (told == value) return;
  publish(topic, value);
  told = std::move(value);
}

}  // namespace twinmq::sys
