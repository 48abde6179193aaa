// Debian's libpaho-mqttpp against the daemon: paho_cpp_test PORT. Every QoS in MQTT 3.1.1 and 5,
// retained messages, wills, properties. Exits with 1 at the first thing that is not as it must be.

#include <mqtt/async_client.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

namespace {

void require(bool sound, const std::string& what) {
  if (sound) return;
  std::cerr << "failed: " << what << "\n";
  std::exit(1);
}

class Client {
 public:
  Client(const std::string& address, int version, const std::string& id,
         const std::string& will_topic = "")
      : client_(address, id, mqtt::create_options(version)), version_(version) {
    client_.start_consuming();
    mqtt::connect_options options;
    options.set_mqtt_version(version);
    if (version == MQTTVERSION_5) {
      options.set_clean_start(true);
    } else {
      options.set_clean_session(true);
    }
    if (!will_topic.empty())
      options.set_will(mqtt::will_options(will_topic, std::string("gone"), 1, false));
    client_.connect(options)->wait();
  }
  ~Client() {
    try {
      if (client_.is_connected()) client_.disconnect()->wait();
    } catch (const mqtt::exception& error) {
      std::cerr << "disconnect: " << error.what() << "\n";
    }
  }

  void subscribe(const std::string& filter, int qos) { client_.subscribe(filter, qos)->wait(); }
  void unsubscribe(const std::string& filter) { client_.unsubscribe(filter)->wait(); }
  void publish(const std::string& topic, const std::string& payload, int qos, bool retain = false,
               const mqtt::properties& properties = {}) {
    auto message = mqtt::make_message(topic, payload, qos, retain);
    if (version_ == MQTTVERSION_5) message->set_properties(properties);
    client_.publish(message)->wait();
  }
  mqtt::const_message_ptr message() {
    mqtt::const_message_ptr got;
    const bool came = client_.try_consume_message_for(&got, std::chrono::seconds(60));
    require(came && got, "a message was expected");
    return got;
  }

 private:
  mqtt::async_client client_;
  int version_;
};

void every_qos(Client& publisher, Client& subscriber) {
  for (int qos = 0; qos < 3; ++qos) {
    const std::string payload = std::string("payload\0", 8) + std::to_string(qos);
    publisher.publish("all/topic", payload, qos);
    const auto got = subscriber.message();
    require(got->get_topic() == "all/topic" && got->to_string() == payload && got->get_qos() == qos,
            "the message as it was sent, at QoS " + std::to_string(qos));
  }
}

void retained(Client& publisher, Client& late, const std::string& topic) {
  publisher.publish(topic, "value", 1, true);
  late.subscribe(topic, 1);
  const auto got = late.message();
  require(got->is_retained() && got->to_string() == "value", "the retained message");
  publisher.publish(topic, "", 1, true);
  require(late.message()->to_string().empty(), "the removal, live");
}

void will(const std::string& address, int version, Client& watcher) {
  watcher.subscribe("will", 1);
  Client victim(address, version, "victim", "will");
  // Another connection under the same name ends the first without its DISCONNECT.
  Client successor(address, version, "victim");
  require(watcher.message()->to_string() == "gone", "the will");
}

void properties(Client& client) {
  client.subscribe("properties", 1);
  client.publish("properties", "x", 1, false,
                 {mqtt::property(mqtt::property::USER_PROPERTY, "key", "value"),
                  mqtt::property(mqtt::property::CONTENT_TYPE, "text/plain"),
                  mqtt::property(mqtt::property::RESPONSE_TOPIC, "answer")});
  const auto got = client.message();
  const mqtt::properties& all = got->get_properties();
  require(mqtt::get<std::string>(all, mqtt::property::CONTENT_TYPE) == "text/plain",
          "the content type");
  require(mqtt::get<std::string>(all, mqtt::property::RESPONSE_TOPIC) == "answer",
          "the response topic");
  const auto user = mqtt::get<mqtt::string_pair>(all, mqtt::property::USER_PROPERTY);
  require(std::get<0>(user) == "key" && std::get<1>(user) == "value", "the user property");
}

void run(const std::string& address) {
  // A client of this library takes a second to end: few of them do it all.
  Client four(address, MQTTVERSION_3_1_1, "four");
  Client five(address, MQTTVERSION_5, "five");
  for (Client* subscriber : {&four, &five}) {
    subscriber->subscribe("all/#", 2);
    for (Client* publisher : {&four, &five}) every_qos(*publisher, *subscriber);
    subscriber->unsubscribe("all/#");
  }
  retained(four, five, "kept/4");
  retained(five, four, "kept/5");
  will(address, MQTTVERSION_3_1_1, four);
  four.unsubscribe("will");
  will(address, MQTTVERSION_5, five);
  properties(five);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: paho_cpp_test PORT\n";
    return 2;
  }
  const std::string address = "tcp://127.0.0.1:" + std::string(argv[1]);
  try {
    run(address);
  } catch (const mqtt::exception& error) {
    std::cerr << "failed: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
