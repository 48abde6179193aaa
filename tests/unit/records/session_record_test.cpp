#include "records/session_record.hpp"

#include <random>
#include <string>

#include <catch2/catch.hpp>

#include "records/message_record.hpp"
#include "records/retained_record.hpp"

using namespace twinmq;
using namespace twinmq::records;
using namespace std::chrono_literals;

namespace {

const Now kNow{Instant(50'000ms), WallTime(1'700'000'000'000ms)};

MessageRef message(std::string_view topic = "a/b") {
  return Message::make({.topic = topic,
                        .payload = std::string_view("pay\0load", 8),
                        .properties = std::string_view("\x01\x01", 2),
                        .publisher = "client",
                        .qos = QoS::ExactlyOnce,
                        .retain = true,
                        .expires_at = kNow.steady + 90s});
}

StoredSession full_session() {
  StoredSession session;
  session.client_id = "c";
  session.principal = "alice";
  session.expiry_seconds = 3600;
  session.disconnected_at = kNow.wall - 5s;
  session.will = StoredWill{message("will"), 7, 30};
  session.shared = true;
  return session;
}

const std::string kKey = session_key("c", SessionRecordKind::Session);

Result<StoredSession> read_session(std::string_view record) {
  return decode_session(*parse_session_key(kKey), record, kNow);
}

}  // namespace

TEST_CASE("A session comes back with its will and its dates") {
  const auto read = read_session(encode_session(full_session(), kNow));
  REQUIRE(read);
  CHECK(read->client_id == "c");
  CHECK(read->principal == "alice");
  CHECK(read->shared);
  CHECK(read->expiry_seconds == 3600);
  CHECK(read->disconnected_at == kNow.wall - 5s);
  REQUIRE(read->will);
  CHECK(read->will->delay_seconds == 7);
  CHECK(read->will->expiry_seconds == 30);
  CHECK(read->will->message->topic() == "will");
  CHECK(read->will->message->payload() == std::string_view("pay\0load", 8));
}

TEST_CASE("What a session does not have is not there when it comes back") {
  StoredSession session;
  session.client_id = "c";
  const auto read = read_session(encode_session(session, kNow));
  REQUIRE(read);
  CHECK(read->principal.empty());
  CHECK_FALSE(read->disconnected_at);
  CHECK_FALSE(read->will);
  session.will = StoredWill{message(), 0, std::nullopt};
  session.disconnected_at = WallTime(0ms);
  const auto again = read_session(encode_session(session, kNow));
  REQUIRE(again);
  CHECK(again->disconnected_at == WallTime(0ms));
  CHECK_FALSE(again->will->expiry_seconds);
}

TEST_CASE("A subscription comes back with its options") {
  const std::string key = session_key("c", SessionRecordKind::Subscription, "$share/g/a/+");
  const StoredSubscription stored{"$share/g/a/+", QoS::ExactlyOnce, true, true, 268'435'455};
  const auto read = decode_subscription(*parse_session_key(key), encode_subscription(stored));
  REQUIRE(read);
  CHECK(read->filter == stored.filter);
  CHECK(read->qos == stored.qos);
  CHECK(read->no_local);
  CHECK(read->retain_as_published);
  CHECK(read->subscription_id == stored.subscription_id);
}

TEST_CASE("An owed message comes back with its number and group") {
  const auto read = decode_owed(owed_key(77), encode_owed({77, "g/a", message()}, kNow), kNow);
  REQUIRE(read);
  CHECK(read->number == 77);
  CHECK(read->share == "g/a");
  CHECK(read->message->topic() == "a/b");
}

TEST_CASE("A retained message comes back under the key of its topic and no other") {
  const std::string record = encode_retained(*message(), kNow);
  const auto read = decode_retained("ra/b", record, kNow);
  REQUIRE(read);
  CHECK((*read)->qos() == QoS::ExactlyOnce);
  CHECK((*read)->retain());
  CHECK((*read)->publisher() == "client");
  CHECK((*read)->properties() == std::string_view("\x01\x01", 2));
  CHECK((*read)->expires_at() == kNow.steady + 90s);
  CHECK_FALSE(decode_retained("ra/c", record, kNow));
}

TEST_CASE("A record is never taken for one of another kind") {
  const std::string session = encode_session(full_session(), kNow);
  CHECK_FALSE(decode_retained("rwill", session, kNow));
  CHECK_FALSE(decode_owed(owed_key(1), session, kNow));
  CHECK_FALSE(read_session(encode_retained(*message(), kNow)));
  CHECK_FALSE(read_session(""));
}

TEST_CASE("Damaged tables are refused or read, but never read out of bounds") {
  std::mt19937 random(3);
  const std::string session = encode_session(full_session(), kNow);
  const std::string retained = encode_retained(*message(), kNow);
  for (std::size_t size = 0; size < session.size(); ++size)
    CHECK_FALSE(read_session(session.substr(0, size)));
  std::size_t read = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string damaged = i % 2 == 0 ? session : retained;
    for (int n = 0; n < 3; ++n) damaged[random() % damaged.size()] = static_cast<char>(random());
    // At an odd address, as a store may hand it out.
    const std::string shifted = "x" + damaged;
    const std::string_view record = std::string_view(shifted).substr(1);
    read += i % 2 == 0 ? read_session(record).has_value()
                       : decode_retained("ra/b", record, kNow).has_value();
  }
  CHECK(read < 20'000);
}

TEST_CASE("A delivery may refer to a message that several have, and tells where that is") {
  StoredDelivery stored;
  stored.sequence = 7;
  stored.message = message();
  stored.subscription_ids = {3, 4};
  stored.common_message = (std::uint64_t{5} << 48) + 9;
  const std::string key = session_key("c", SessionRecordKind::Delivery, delivery_rest(7));
  const std::string record = encode_delivery(stored, kNow);
  CHECK(record.find("pay") == std::string::npos);
  CHECK(common_message_of(record) == common_message_key(stored.common_message));
  CHECK(common_message_number(common_message_of(record)).value() == stored.common_message);
  CHECK(outline_of(record).bytes == stored.message->footprint());

  const auto apart = decode_delivery(*parse_session_key(key), record, kNow);
  REQUIRE_FALSE(apart);
  CHECK(apart.error().detail == "its message is not in the store");
  const auto read = decode_delivery(*parse_session_key(key),
                                    record + encode_message(*stored.message, kNow), kNow);
  REQUIRE(read);
  CHECK(read->common_message == stored.common_message);
  CHECK(read->message->payload() == stored.message->payload());
  CHECK(read->subscription_ids == stored.subscription_ids);
  CHECK_FALSE(read->released);

  stored.common_message = 0;
  CHECK(common_message_of(encode_delivery(stored, kNow)).empty());
  stored.released = true;
  stored.common_message = 9;
  CHECK(common_message_of(encode_delivery(stored, kNow)).empty());
}
