#pragma once
// What every chapter needs. Tags: [v5-3.1] chapter of MQTT 5.0, [v311-3] of MQTT 3.1.1, [memory]
// needs the virtual clock or doors of its own, [daemon] a configuration that only the daemon has,
// [websocket] a stream of frames, [slow] waits for real time over TCP.

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <catch2/catch.hpp>

#include "support/wire_client.hpp"

namespace twinmq::testing {

using namespace std::string_literals;

/// One packet whose whole life is told by its code.
enum Code : unsigned {
  kSuccess = 0x00,
  kNoMatchingSubscribers = 0x10,
  kNoSubscriptionExisted = 0x11,
  kContinue = 0x18,
  kReauthenticate = 0x19,
  kUnspecified = 0x80,
  kMalformed = 0x81,
  kProtocolError = 0x82,
  kUnsupportedVersion = 0x84,
  kClientIdNotValid = 0x85,
  kBadUserNameOrPassword = 0x86,
  kNotAuthorized = 0x87,
  kBadMethod = 0x8C,
  kKeepAliveTimeout = 0x8D,
  kTakenOver = 0x8E,
  kFilterInvalid = 0x8F,
  kTopicInvalid = 0x90,
  kIdInUse = 0x91,
  kIdNotFound = 0x92,
  kReceiveMaximumExceeded = 0x93,
  kAliasInvalid = 0x94,
  kTooLarge = 0x95,
  kQuota = 0x97,
  kPayloadInvalid = 0x99,
  kRetainNotSupported = 0x9A,
  kQosNotSupported = 0x9B,
  kSharedNotSupported = 0x9E,
  kWildcardNotSupported = 0xA2,
};

/// Bytes that are not UTF-8, each in its own way: a lone continuation, an overlong slash, the
/// surrogate D800, a code point above 10FFFF, a cut sequence, U+0000.
inline const std::vector<std::string>& bad_texts() {
  static const std::vector<std::string> texts = {"\x80",     "\xC0\xAF",         "\xED\xA0\x80",
                                                 "\xE2\x82", "\xF4\x90\x80\x80", "a\0b"s};
  return texts;
}

inline const std::string kByteOrderMark = "\xEF\xBB\xBF";

/// Property for a session that outlives its connection.
inline Property lasting(std::uint32_t seconds = 3600) {
  return {Prop::SessionExpiry, seconds};
}

/// A connected client of its own whose first packet after CONNECT must end its connection with one
/// of the codes.
inline void closes_after(Broker& broker, std::string_view bytes,
                         std::initializer_list<unsigned> codes, Version version = Version::V5,
                         Client::Where where = Client::Where::current()) {
  Client client(broker, version);
  client.connect({}, where);
  client.send(bytes);
  client.expect_closed_with(codes, where);
}

/// A connection whose first bytes must be refused.
inline void refuses(Broker& broker, std::string_view bytes, std::initializer_list<unsigned> codes,
                    Version version = Version::V5, Client::Where where = Client::Where::current()) {
  Client client(broker, version);
  client.send(bytes);
  client.expect_refused(codes, where);
}

/// The body of a packet made by a builder, without its fixed header.
inline std::string body_of(const std::string& packet) {
  std::size_t at = 1;
  while (static_cast<unsigned char>(packet[at]) & 0x80) ++at;
  return packet.substr(at + 1);
}

/// With a Subscription Identifier.
inline Suback subscribe_with(Client& client, const std::string& filter, std::uint32_t id,
                             unsigned qos = 0) {
  return client.subscribe(Filter{.filter = filter, .qos = qos}, {{Prop::SubscriptionId, id}});
}

/// Publishes a retained message and waits until it is in force for everybody.
inline void retain(Broker& broker, const std::string& topic, const std::string& payload,
                   unsigned qos = 1, Properties properties = {}, Version version = Version::V5) {
  Client client(broker, version);
  client.connect();
  client.publish({.topic = topic,
                  .payload = payload,
                  .qos = qos,
                  .retain = true,
                  .properties = std::move(properties)});
  if (qos > 0) return;
  // Nobody acknowledges it, but what the same client asks for next comes behind it.
  client.subscribe(topic, 0);
  client.receive(topic, payload);
}

}  // namespace twinmq::testing
