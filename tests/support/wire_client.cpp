#include "support/wire_client.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

namespace twinmq::testing {
namespace {

std::string at(std::source_location where) {
  return std::string(" at ") + where.file_name() + ":" + std::to_string(where.line());
}

std::string hex(unsigned code) {
  const char* digits = "0123456789ABCDEF";
  return std::string("0x") + digits[(code >> 4) & 15] + digits[code & 15];
}

}  // namespace

Client::Client(Broker& broker, Version version)
    : broker_(broker), version_(version), stream_(broker.open()) {}

void Client::fail(const std::string& what, const Packet* got, Where where) {
  std::string words = what + at(where);
  if (got) words += "; this came: " + describe(*got);
  FAIL(words);
  throw std::logic_error("unreachable");
}

void Client::check(bool sound, const std::string& what, Where where) {
  if (!sound) fail(what, nullptr, where);
}

bool Client::fetch(Packet& packet, Where where) {
  if (!inbox_.empty()) {
    packet = std::move(inbox_.front());
    inbox_.pop_front();
    return true;
  }
  for (;;) {
    try {
      if (auto taken = take_packet(bytes_, version_)) {
        packet = std::move(*taken);
        return true;
      }
    } catch (const WireError& error) {
      fail(error.what(), nullptr, where);
    }
    if (!stream_->read(bytes_)) return false;
  }
}

Packet Client::next(Where where) {
  Packet packet;
  if (fetch(packet, where)) return packet;
  fail(stream_->ended() ? "the broker closed instead of sending a packet" : "no packet came",
       nullptr, where);
}

std::uint16_t Client::send_publish(PublishOptions options) {
  if (options.qos > 0 && options.id == 0) options.id = fresh_id();
  send(publish_packet(options, version_));
  return options.id;
}

Connack Client::try_connect(ConnectOptions options, Where where) {
  if (!options.client_id) options.client_id = broker_.fresh_client_id();
  client_id_ = *options.client_id;
  send(connect_packet(options, version_));
  return expect<Connack>(where);
}

Connack Client::connect(ConnectOptions options, Where where) {
  Connack answer = try_connect(std::move(options), where);
  check(answer.code == 0, "CONNECT was refused with " + hex(answer.code), where);
  return answer;
}

void Client::connect_refused(ConnectOptions options, unsigned code, Where where) {
  const Connack answer = try_connect(std::move(options), where);
  check(answer.code == code,
        "a refusal with " + hex(code) + " was expected, not " + hex(answer.code), where);
  check(answer.flags == 0, "a refusal must not carry flags", where);
  expect_closed(where);
}

Suback Client::try_subscribe(const std::vector<Filter>& filters, const Properties& properties,
                             Where where) {
  const std::uint16_t id = fresh_id();
  send(subscribe_packet(id, filters, version_, properties));
  Suback answer = await<Suback>(where);
  check(answer.id == id, "SUBACK has another packet identifier", where);
  check(answer.codes.size() == filters.size(), "SUBACK needs a code per filter", where);
  return answer;
}

Suback Client::subscribe(const Filter& filter, const Properties& properties, Where where) {
  Suback answer = try_subscribe({filter}, properties, where);
  check(answer.codes[0] == filter.qos, "SUBSCRIBE was answered with " + hex(answer.codes[0]),
        where);
  return answer;
}

Unsuback Client::unsubscribe(const std::string& filter, Where where) {
  const std::uint16_t id = fresh_id();
  send(unsubscribe_packet(id, {filter}, version_));
  Unsuback answer = await<Unsuback>(where);
  check(answer.id == id, "UNSUBACK has another packet identifier", where);
  return answer;
}

void Client::publish(PublishOptions options, Where where) {
  const unsigned qos = options.qos;
  const std::uint16_t id = send_publish(std::move(options));
  if (qos == 1) {
    const Puback ack = await<Puback>(where);
    check(ack.id == id && ack.code < 0x80, "PUBLISH was answered by PUBACK " + hex(ack.code),
          where);
  } else if (qos == 2) {
    const Pubrec received = await<Pubrec>(where);
    check(received.id == id && received.code < 0x80,
          "PUBLISH was answered by PUBREC " + hex(received.code), where);
    send_ack(AckType::Pubrel, id);
    const Pubcomp complete = await<Pubcomp>(where);
    check(complete.id == id && complete.code == 0,
          "PUBREL was answered by PUBCOMP " + hex(complete.code), where);
  }
}

void Client::complete(const Publish& publish, Where where) {
  if (publish.qos == 1) send_ack(AckType::Puback, publish.id);
  if (publish.qos != 2) return;
  send_ack(AckType::Pubrec, publish.id);
  const Pubrel release = await<Pubrel>(where);
  check(release.id == publish.id && release.code == 0, "PUBREL does not fit its PUBREC", where);
  send_ack(AckType::Pubcomp, publish.id);
}

Publish Client::receive(Where where) {
  Publish publish = expect<Publish>(where);
  complete(publish, where);
  return publish;
}

Publish Client::receive(std::string_view topic, std::string_view payload, Where where) {
  Publish publish = receive(where);
  const Packet packet = publish;
  if (publish.topic != topic || publish.payload != payload)
    fail("another message was expected", &packet, where);
  return publish;
}

Publish Client::expect_publish(std::string_view topic, Where where) {
  Publish publish = expect<Publish>(where);
  const Packet packet = publish;
  if (publish.topic != topic) fail("a message on another topic was expected", &packet, where);
  return publish;
}

void Client::disconnect(unsigned code, const Properties& properties, Where where) {
  send(disconnect_packet(code, version_, properties));
  Packet packet;
  while (fetch(packet, where)) {
    // Messages that were on their way are nobody's business any more.
    if (!std::holds_alternative<Publish>(packet))
      fail("a close must follow DISCONNECT", &packet, where);
  }
  check(stream_->ended(), "the broker did not close after DISCONNECT", where);
}

void Client::cut() {
  stream_->cut();
  inbox_.clear();
  bytes_.clear();
}

void Client::ping(Where where) {
  send(pingreq_packet());
  await<Pingresp>(where);
}

void Client::expect_nothing(Where where) {
  ping(where);
  if (!inbox_.empty()) fail("nothing was expected", &inbox_.front(), where);
}

void Client::expect_closed(Where where) {
  Packet packet;
  if (fetch(packet, where)) fail("a close was expected", &packet, where);
  check(stream_->ended(), "the broker did not close the connection", where);
  check(bytes_.empty(), "the broker closed in the middle of a packet", where);
}

void Client::expect_closed(unsigned code, Where where) {
  expect_closed_with({code}, where);
}

void Client::expect_closed_with(std::initializer_list<unsigned> codes, Where where) {
  if (version_ == Version::V5) {
    const Disconnect goodbye = expect<Disconnect>(where);
    const bool expected = std::find(codes.begin(), codes.end(), goodbye.code) != codes.end();
    check(expected, "DISCONNECT " + hex(*codes.begin()) + " was expected, not " + hex(goodbye.code),
          where);
  }
  expect_closed(where);
}

void Client::expect_refused(std::initializer_list<unsigned> codes, Where where) {
  Packet packet;
  if (fetch(packet, where)) {
    const Connack* answer = std::get_if<Connack>(&packet);
    if (!answer || std::find(codes.begin(), codes.end(), answer->code) == codes.end() ||
        answer->flags != 0) {
      fail("a refusal was expected", &packet, where);
    }
  }
  expect_closed(where);
}

std::vector<Packet> Client::everything(Where where) {
  std::vector<Packet> packets;
  if (!stream_->ended()) send(pingreq_packet());
  Packet packet;
  while (fetch(packet, where)) {
    if (std::holds_alternative<Pingresp>(packet)) break;
    packets.push_back(std::move(packet));
  }
  return packets;
}

}  // namespace twinmq::testing
