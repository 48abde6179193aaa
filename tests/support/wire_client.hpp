#pragma once
// A client that does exactly what a case tells it, and fails the case with words when the broker
// does not do what is expected.

#include <deque>
#include <memory>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/broker_under_test.hpp"
#include "support/wire.hpp"

namespace twinmq::testing {

/// Every expect_… and await… fails the case at the caller's line.
class Client {
 public:
  using Where = std::source_location;

  /// Opens a connection; nothing is sent yet.
  explicit Client(Broker& broker, Version version = Version::V5);

  // --- Sending ---
  void send(std::string_view bytes) { stream_->write(bytes); }
  /// Sends only. A packet identifier is chosen unless given; answers it.
  std::uint16_t send_publish(PublishOptions options);
  void send_ack(AckType type, std::uint16_t id, unsigned code = 0) {
    send(ack_packet(type, id, code, version_));
  }
  std::uint16_t fresh_id() { return ++last_id_ == 0 ? ++last_id_ : last_id_; }

  // --- Whole exchanges ---
  /// CONNECT, and the CONNACK that must accept it.
  Connack connect(ConnectOptions options = {}, Where where = Where::current());
  /// CONNECT, and whatever CONNACK comes.
  Connack try_connect(ConnectOptions options = {}, Where where = Where::current());
  /// CONNECT that must be refused with the code and a close. MQTT 3.1.1: the return code.
  void connect_refused(ConnectOptions options, unsigned code, Where where = Where::current());
  /// SUBSCRIBE to one filter that must be granted with the QoS asked for.
  Suback subscribe(const Filter& filter, const Properties& properties = {},
                   Where where = Where::current());
  Suback subscribe(const std::string& filter, unsigned qos, Where where = Where::current()) {
    return subscribe(Filter{.filter = filter, .qos = qos}, {}, where);
  }
  /// SUBSCRIBE, and whatever SUBACK comes.
  Suback try_subscribe(const std::vector<Filter>& filters, const Properties& properties = {},
                       Where where = Where::current());
  Unsuback unsubscribe(const std::string& filter, Where where = Where::current());
  /// PUBLISH and the whole handshake of its QoS, which must succeed.
  void publish(PublishOptions options, Where where = Where::current());
  void publish(const std::string& topic, const std::string& payload, unsigned qos = 0,
               Where where = Where::current()) {
    publish({.topic = topic, .payload = payload, .qos = qos}, where);
  }
  /// The next packet must be a PUBLISH; its handshake is done.
  Publish receive(Where where = Where::current());
  /// The same, and it must be this message.
  Publish receive(std::string_view topic, std::string_view payload, Where where = Where::current());
  /// DISCONNECT, and the close that must follow.
  void disconnect(unsigned code = 0, const Properties& properties = {},
                  Where where = Where::current());
  /// Ends the connection without a word.
  void cut();
  /// PINGREQ and PINGRESP; everything sent before has been worked on. What came meanwhile waits.
  void ping(Where where = Where::current());

  // --- Expectations ---
  /// The next packet, which must be of this type.
  template <typename T>
  T expect(Where where = Where::current()) {
    Packet packet = next(where);
    if (T* wanted = std::get_if<T>(&packet)) return std::move(*wanted);
    fail("another packet was expected", &packet, where);
  }

  /// The next packet of this type; others before it wait.
  template <typename T>
  T await(Where where = Where::current()) {
    std::deque<Packet> others;
    for (;;) {
      Packet packet = next(where);
      if (T* wanted = std::get_if<T>(&packet)) {
        T found = std::move(*wanted);
        inbox_.insert(inbox_.begin(), std::make_move_iterator(others.begin()),
                      std::make_move_iterator(others.end()));
        return found;
      }
      others.push_back(std::move(packet));
    }
  }

  /// The next packet, whatever it is.
  Packet await_any(Where where = Where::current()) { return next(where); }
  /// The next packet is a PUBLISH, which is not acknowledged.
  Publish expect_publish(std::string_view topic, Where where = Where::current());
  /// Nothing has come and, after a PINGREQ, nothing comes.
  void expect_nothing(Where where = Where::current());
  /// The broker closes without another word.
  void expect_closed(Where where = Where::current());
  /// MQTT 5: DISCONNECT with this code and a close. MQTT 3: a close.
  void expect_closed(unsigned code, Where where = Where::current());
  /// The same for any of these codes.
  void expect_closed_with(std::initializer_list<unsigned> codes, Where where = Where::current());
  /// Before the CONNACK: a close, after a CONNACK with one of the codes or without any.
  void expect_refused(std::initializer_list<unsigned> codes, Where where = Where::current());
  /// Everything the broker has to say by now, in order; nothing else is checked.
  std::vector<Packet> everything(Where where = Where::current());

  const std::string& id() const { return client_id_; }
  Version version() const { return version_; }
  Broker& broker() { return broker_; }

 private:
  bool fetch(Packet& packet, Where where);
  Packet next(Where where);
  void complete(const Publish& publish, Where where);
  [[noreturn]] void fail(const std::string& what, const Packet* got, Where where);
  void check(bool sound, const std::string& what, Where where);

  Broker& broker_;
  Version version_;
  std::unique_ptr<Stream> stream_;
  std::string bytes_;
  std::deque<Packet> inbox_;
  std::string client_id_;
  std::uint16_t last_id_ = 0;
};

}  // namespace twinmq::testing
