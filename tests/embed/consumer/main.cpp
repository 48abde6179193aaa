// A foreign program with a broker inside: publishes to itself and checks that the message arrives.

#include <chrono>
#include <cstdio>
#include <future>
#include <string>

#include <twinmq/broker.hpp>
#include <twinmq/config_file.hpp>
#include <twinmq/log.hpp>
#include <twinmq/version.hpp>

int main() {
  twinmq::Config config;
  config.listeners.push_back({.url = "mqtt://127.0.0.1:0"});
  config.log.level = twinmq::LogLevel::Error;
  auto broker = twinmq::Broker::create(config);
  if (!broker) return std::printf("%s\n", broker.error().detail.c_str()), 1;
  if (auto started = (*broker)->start(); !started)
    return std::printf("%s\n", started.error().detail.c_str()), 1;

  std::promise<std::string> arrived;
  auto subscription = (*broker)->subscribe(
      {.filter = "greeting/+"}, [&](const twinmq::HostDelivery& delivery, twinmq::AckToken) {
        arrived.set_value(std::string(delivery.payload));
      });
  if (!subscription) return std::printf("%s\n", subscription.error().detail.c_str()), 1;
  (*broker)->publish(
      {.topic = "greeting/one", .payload = "hello", .qos = twinmq::QoS::AtLeastOnce});

  auto payload = arrived.get_future();
  if (payload.wait_for(std::chrono::seconds(30)) != std::future_status::ready)
    return std::puts("nothing arrived"), 1;
  const std::string text = payload.get();
  std::printf("twinmq %s at %s says %s\n", std::string(twinmq::kVersion).c_str(),
              (*broker)->listeners().at(0).url.c_str(), text.c_str());
  subscription->reset();
  (*broker)->stop();
  return text == "hello" ? 0 : 1;
}
