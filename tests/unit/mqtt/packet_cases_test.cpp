#include "unit/mqtt/packet_cases.hpp"

namespace twinmq::mqtt::test {
namespace {

using namespace std::string_view_literals;

constexpr auto kMessageProperties =
    "\x01\x01\x03\x00\x04text\x08\x00\x03r/t\x09\x00\x02\x00\xff\x26\x00\x01k\x00\x01v\x26\x00\x01k\x00\x01w"sv;
static_assert(kMessageProperties.size() == 34);

const UserProperties kUserProperties{{"k", "v"}, {"k", ""}};

Connect full_connect() {
  Connect packet;
  packet.clean_start = false;
  packet.keep_alive_seconds = 60;
  packet.client_id = "dev";
  packet.will =
      Will{"w/t", "bye", kMessageProperties, QoS::ExactlyOnce, true, true, 5, 0x01020304U};
  packet.username = "me";
  packet.password = "\0\xff"sv;
  packet.session_expiry_seconds = 0xFFFFFFFFU;
  packet.receive_maximum = std::uint16_t{20};
  packet.packet_size_max = 65536U;
  packet.topic_alias_maximum = std::uint16_t{10};
  packet.request_response_information = true;
  packet.request_problem_information = false;
  packet.authentication_method = "m";
  packet.authentication_data = "\x00"sv;
  packet.user_properties = kUserProperties;
  return packet;
}

Connect old_connect(Version version) {
  Connect packet;
  packet.version = version;
  packet.keep_alive_seconds = 10;
  packet.client_id = "c";
  packet.will = Will{"w", "x", {}, QoS::AtLeastOnce, false, false, 0, {}};
  packet.username = "u";
  packet.password = "p";
  return packet;
}

Connack full_connack() {
  Connack packet;
  packet.session_present = true;
  packet.session_expiry_seconds = 1U;
  packet.receive_maximum = std::uint16_t{2};
  packet.qos_max = std::uint8_t{1};
  packet.retain_available = false;
  packet.packet_size_max = 100U;
  packet.assigned_client_id = "auto";
  packet.topic_alias_maximum = std::uint16_t{3};
  packet.reason = "r";
  packet.user_properties = kUserProperties;
  packet.wildcard_subscription_available = true;
  packet.subscription_ids_available = false;
  packet.shared_subscription_available = true;
  packet.server_keep_alive_seconds = std::uint16_t{9};
  packet.response_information = "ri";
  packet.server_reference = "sr";
  packet.authentication_method = "m";
  packet.authentication_data = "d";
  return packet;
}

Connack refusal(ReasonCode code) {
  Connack packet;
  packet.code = code;
  return packet;
}

Publish full_publish() {
  Publish packet;
  packet.topic = "a/b";
  packet.payload = "hi";
  packet.properties = kMessageProperties;
  packet.qos = QoS::ExactlyOnce;
  packet.dup = true;
  packet.retain = true;
  packet.payload_is_text = true;
  packet.packet_id = 0x1234;
  packet.topic_alias = 7;
  packet.expiry_seconds = 60U;
  packet.subscription_ids = {1, 128, kSubscriptionIdMax};
  return packet;
}

Publish small_publish(QoS qos) {
  Publish packet;
  packet.topic = "a/b";
  packet.payload = "hi";
  packet.qos = qos;
  packet.packet_id = qos == QoS::AtMostOnce ? 0 : 10;
  return packet;
}

Publish alias_publish() {
  Publish packet;
  packet.topic_alias = 1;
  return packet;
}

Disconnect full_disconnect() {
  Disconnect packet;
  packet.code = ReasonCode::DisconnectWithWill;
  packet.session_expiry_seconds = 0U;
  packet.reason = "r";
  packet.server_reference = "s";
  packet.user_properties = {{"", ""}};
  return packet;
}

constexpr SubscriptionOptions kAllOptions{QoS::ExactlyOnce, true, true, RetainHandling::DoNotSend};
constexpr SubscriptionOptions kQoS1{QoS::AtLeastOnce, false, false, RetainHandling::Send};

void add_connects(std::vector<PacketCase>& cases) {
  cases.push_back({"CONNECT 3.1",
                   Version::V31,
                   old_connect(Version::V31),
                   wire("10 1b 0006 'MQIsdp' 03 ce 000a 0001'c' 0001'w' 0001'x' 0001'u' 0001'p'"),
                   {21, 24}});
  cases.push_back({"CONNECT 3.1.1", Version::V311, old_connect(Version::V311),
                   wire("10 19 0004 'MQTT' 04 ce 000a 0001'c' 0001'w' 0001'x' 0001'u' 0001'p'")});
  Connect bridge;
  bridge.version = Version::V311;
  bridge.clean_start = false;
  bridge.client_id = "b";
  cases.push_back({"CONNECT of a Mosquitto bridge",
                   Version::V311,
                   bridge,
                   wire("10 0d 0004 'MQTT' 84 00 0000 0001'b'"),
                   {},
                   true});
  cases.push_back({"CONNECT 5, nothing asked", Version::V5, Connect{},
                   wire("10 0d 0004 'MQTT' 05 02 0000 00 0000")});
  cases.push_back(
      {"CONNECT 5, everything", Version::V5, full_connect(),
       wire("10 78 0004 'MQTT' 05 f4 003c"
            "29 11 ffffffff 21 0014 27 00010000 22 000a 19 01 17 00 15 0001'm' 16 0001 00"
            "26 0001'k' 0001'v' 26 0001'k' 0000 0003'dev' 2c 18 00000005 02 01020304"
            "01 01 03 0004 'text' 08 0003'r/t' 09 0002 00ff 26 0001'k' 0001'v' 26 0001'k' 0001'w'"
            "0003'w/t' 0003'bye' 0002'me' 0002 00ff")});
}

void add_connacks(std::vector<PacketCase>& cases) {
  Connack resumed;
  resumed.session_present = true;
  cases.push_back({"CONNACK 3.1", Version::V31, Connack{}, wire("20 02 00 00")});
  cases.push_back({"CONNACK 3.1.1", Version::V311, resumed, wire("20 02 01 00")});
  cases.push_back({"CONNACK 3.1.1, refused", Version::V311, refusal(ReasonCode::NotAuthorized),
                   wire("20 02 00 05")});
  cases.push_back({"CONNACK 5, nothing told", Version::V5, refusal(ReasonCode::Banned),
                   wire("20 03 00 8a 00")});
  cases.push_back(
      {"CONNACK 5, everything", Version::V5, full_connack(),
       wire("20 4a 01 00 47 11 00000001 21 0002 24 01 25 00 27 00000064 12 0004 'auto' 22 0003"
            "1f 0001'r' 26 0001'k' 0001'v' 26 0001'k' 0000 28 01 29 00 2a 01 13 0009"
            "1a 0002'ri' 1c 0002'sr' 15 0001'm' 16 0001'd'")});
}

void add_publishes(std::vector<PacketCase>& cases) {
  for (const Version version : {Version::V31, Version::V311}) {
    cases.push_back({"PUBLISH QoS 0",
                     version,
                     small_publish(QoS::AtMostOnce),
                     wire("30 07 0003'a/b' 'hi'"),
                     {5, 6}});
    cases.push_back({"PUBLISH QoS 1",
                     version,
                     small_publish(QoS::AtLeastOnce),
                     wire("32 09 0003'a/b' 000a 'hi'"),
                     {7, 8}});
  }
  cases.push_back({"PUBLISH 5 QoS 0",
                   Version::V5,
                   small_publish(QoS::AtMostOnce),
                   wire("30 08 0003'a/b' 00 'hi'"),
                   {6, 7}});
  cases.push_back({"PUBLISH 5 QoS 1",
                   Version::V5,
                   small_publish(QoS::AtLeastOnce),
                   wire("32 0a 0003'a/b' 000a 00 'hi'"),
                   {8, 9}});
  cases.push_back(
      {"PUBLISH 5 by alias", Version::V5, alias_publish(), wire("30 06 0000 03 23 0001")});
  cases.push_back({"PUBLISH 5, everything",
                   Version::V5,
                   full_publish(),
                   wire("3d 3e 0003'a/b' 1234 34 02 0000003c 23 0007 0b 01 0b 8001 0b ffffff7f"
                        "01 01 03 0004 'text' 08 0003'r/t' 09 0002 00ff 26 0001'k' 0001'v' 26 "
                        "0001'k' 0001'w' 'hi'"),
                   {60, 61}});
  cases.push_back(
      {"PUBLISH 5 with its properties mixed",
       Version::V5,
       full_publish(),
       wire("3d 3e 0003'a/b' 1234 34 01 01 0b 01 03 0004 'text' 02 0000003c 08 0003'r/t' 0b 8001"
            "09 0002 00ff 23 0007 26 0001'k' 0001'v' 0b ffffff7f 26 0001'k' 0001'w' 'hi'"),
       {60, 61},
       true});
}

void add_acks(std::vector<PacketCase>& cases) {
  for (const Version version : {Version::V31, Version::V311, Version::V5}) {
    cases.push_back({"PUBACK", version, Ack{PacketType::Puback, 1, ReasonCode::Success, {}, {}},
                     wire("40 02 0001")});
    cases.push_back({"PUBREC", version, Ack{PacketType::Pubrec, 256, ReasonCode::Success, {}, {}},
                     wire("50 02 0100")});
    cases.push_back({"PUBREL", version, Ack{PacketType::Pubrel, 2, ReasonCode::Success, {}, {}},
                     wire("62 02 0002")});
    cases.push_back({"PUBCOMP", version,
                     Ack{PacketType::Pubcomp, 65535, ReasonCode::Success, {}, {}},
                     wire("70 02 ffff")});
  }
  cases.push_back({"PUBACK with a code",
                   Version::V5,
                   Ack{PacketType::Puback, 1, ReasonCode::NoMatchingSubscribers, {}, {}},
                   wire("40 03 0001 10"),
                   {2}});
  cases.push_back({"PUBCOMP with empty properties",
                   Version::V5,
                   Ack{PacketType::Pubcomp, 1, ReasonCode::PacketIdentifierNotFound, {}, {}},
                   wire("70 04 0001 92 00"),
                   {2, 3},
                   true});
  cases.push_back({"PUBREC with everything",
                   Version::V5,
                   Ack{PacketType::Pubrec, 1, ReasonCode::QuotaExceeded, "full", kUserProperties},
                   wire("50 18 0001 97 14 1f 0004 'full' 26 0001'k' 0001'v' 26 0001'k' 0000"),
                   {2, 3}});
}

void add_subscriptions(std::vector<PacketCase>& cases) {
  const Subscribe one{1, 0, {}, {{"a/#", kQoS1}}};
  cases.push_back({"SUBSCRIBE 3.1", Version::V31, one, wire("82 08 0001 0003'a/#' 01")});
  cases.push_back({"SUBSCRIBE 3.1.1",
                   Version::V311,
                   Subscribe{1, 0, {}, {{"a/#", kQoS1}, {"", {}}}},
                   wire("82 0b 0001 0003'a/#' 01 0000 00"),
                   {8}});
  cases.push_back({"SUBSCRIBE 5", Version::V5, one, wire("82 09 0001 00 0003'a/#' 01")});
  cases.push_back(
      {"SUBSCRIBE 5, everything",
       Version::V5,
       Subscribe{1, kSubscriptionIdMax, {{"k", "v"}}, {{"+", kAllOptions}, {"$share/g/x", kQoS1}}},
       wire("82 20 0001 0c 0b ffffff7f 26 0001'k' 0001'v' 0001'+' 2e 000a '$share/g/x' 01"),
       {19}});
  cases.push_back(
      {"UNSUBSCRIBE 3.1", Version::V31, Unsubscribe{9, {}, {"a"}}, wire("a2 05 0009 0001'a'")});
  cases.push_back({"UNSUBSCRIBE 3.1.1",
                   Version::V311,
                   Unsubscribe{9, {}, {"a", "b/+"}},
                   wire("a2 0a 0009 0001'a' 0003'b/+'"),
                   {5}});
  cases.push_back({"UNSUBSCRIBE 5", Version::V5, Unsubscribe{9, {{"k", "v"}}, {"a"}},
                   wire("a2 0d 0009 07 26 0001'k' 0001'v' 0001'a'")});
  const std::vector<ReasonCode> codes{ReasonCode::GrantedQoS0, ReasonCode::GrantedQoS1,
                                      ReasonCode::GrantedQoS2, ReasonCode::UnspecifiedError};
  cases.push_back({"SUBACK 3.1.1",
                   Version::V311,
                   Suback{1, {}, {}, codes},
                   wire("90 06 0001 00 01 02 80"),
                   {3, 4, 5}});
  cases.push_back({"SUBACK 3.1", Version::V31, Suback{1, {}, {}, {ReasonCode::GrantedQoS2}},
                   wire("90 03 0001 02")});
  cases.push_back({"SUBACK 5", Version::V5,
                   Suback{1, "r", {{"k", "v"}}, {ReasonCode::TopicFilterInvalid}},
                   wire("90 0f 0001 0b 1f 0001'r' 26 0001'k' 0001'v' 8f")});
  cases.push_back({"UNSUBACK 3.1", Version::V31, Unsuback{1, {}, {}, {}}, wire("b0 02 0001")});
  cases.push_back({"UNSUBACK 3.1.1", Version::V311, Unsuback{1, {}, {}, {}}, wire("b0 02 0001")});
  cases.push_back(
      {"UNSUBACK 5",
       Version::V5,
       Unsuback{1, "r", {{"k", "v"}}, {ReasonCode::Success, ReasonCode::NoSubscriptionExisted}},
       wire("b0 10 0001 0b 1f 0001'r' 26 0001'k' 0001'v' 00 11"),
       {15}});
}

void add_others(std::vector<PacketCase>& cases) {
  for (const Version version : {Version::V31, Version::V311, Version::V5}) {
    cases.push_back({"PINGREQ", version, Pingreq{}, wire("c0 00")});
    cases.push_back({"PINGRESP", version, Pingresp{}, wire("d0 00")});
    cases.push_back({"DISCONNECT", version, Disconnect{}, wire("e0 00")});
  }
  Disconnect taken_over;
  taken_over.code = ReasonCode::SessionTakenOver;
  cases.push_back({"DISCONNECT with a code", Version::V5, taken_over, wire("e0 01 8e"), {0}});
  cases.push_back({"DISCONNECT with empty properties",
                   Version::V5,
                   Disconnect{},
                   wire("e0 02 00 00"),
                   {0, 1},
                   true});
  cases.push_back({"DISCONNECT, everything",
                   Version::V5,
                   full_disconnect(),
                   wire("e0 14 04 12 11 00000000 1f 0001'r' 1c 0001's' 26 0000 0000"),
                   {0, 1}});
  cases.push_back({"AUTH without anything", Version::V5, Auth{}, wire("f0 00")});
  cases.push_back({"AUTH, everything",
                   Version::V5,
                   Auth{ReasonCode::ContinueAuthentication, "m", "\x00\x01"sv, "r", {{"k", "v"}}},
                   wire("f0 16 18 14 15 0001'm' 16 0002 0001 1f 0001'r' 26 0001'k' 0001'v'"),
                   {0}});
}

}  // namespace

const std::vector<PacketCase>& packet_cases() {
  static const std::vector<PacketCase> kCases = [] {
    std::vector<PacketCase> cases;
    add_connects(cases);
    add_connacks(cases);
    add_publishes(cases);
    add_acks(cases);
    add_subscriptions(cases);
    add_others(cases);
    return cases;
  }();
  return kCases;
}

}  // namespace twinmq::mqtt::test
