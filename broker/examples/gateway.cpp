// A gateway: devices connect to the broker inside this program, which listens to them and answers.
#include <cstdio>
#include <future>
#include <string>

#include <twinmq/broker.hpp>

int main() {
  twinmq::Config config;
  config.listeners.push_back({.url = "mqtt://127.0.0.1:0"});

  auto created = twinmq::Broker::create(config);
  if (!created) return std::fprintf(stderr, "%s\n", created.error().detail.c_str()), 2;
  twinmq::Broker& broker = **created;
  if (auto started = broker.start(); !started)
    return std::fprintf(stderr, "%s\n", started.error().detail.c_str()), 1;

  std::promise<std::string> warmest;
  auto readings = broker.subscribe({.filter = "plant/+/temperature"},
                                   [&](const twinmq::HostDelivery& reading, twinmq::AckToken) {
                                     if (std::stod(std::string(reading.payload)) > 80) {
                                       broker.publish({.topic = "plant/alarm",
                                                       .payload = std::string(reading.topic),
                                                       .qos = twinmq::QoS::AtLeastOnce});
                                     }
                                   });
  auto alarms = broker.subscribe({.filter = "plant/alarm"},
                                 [&](const twinmq::HostDelivery& alarm, twinmq::AckToken) {
                                   warmest.set_value(std::string(alarm.payload));
                                 });
  if (!readings || !alarms) return 1;

  // A real gateway would now serve devices until it is told to end; this one plays the devices
  // itself.
  broker.publish({.topic = "plant/press/temperature", .payload = "61.5"});
  broker.publish({.topic = "plant/oven/temperature", .payload = "93.0"});
  std::printf("too hot: %s\n", warmest.get_future().get().c_str());
  broker.stop();
}
