#include "records/message_record.hpp"

#include <random>
#include <string>

#include <catch2/catch.hpp>

#include "base/byte_reader.hpp"

using namespace twinmq;
using namespace std::chrono_literals;

namespace {

const Now kBefore{Instant(50'000ms), WallTime(1'700'000'000'000ms)};

MessageRef full() {
  return Message::make({.topic = "a/b",
                        .payload = std::string_view("pay\0load", 8),
                        .properties = std::string_view("\x01\x01", 2),
                        .publisher = "client",
                        .publisher_session = 77,
                        .qos = QoS::ExactlyOnce,
                        .retain = true,
                        .expires_at = kBefore.steady + 90s});
}

}  // namespace

TEST_CASE("A message comes back from its record as it was written") {
  const auto read = records::decode_message(records::encode_message(*full(), kBefore), kBefore);
  REQUIRE(read);
  const Message& message = **read;
  CHECK(message.topic() == "a/b");
  CHECK(message.payload() == std::string_view("pay\0load", 8));
  CHECK(message.properties() == std::string_view("\x01\x01", 2));
  CHECK(message.publisher() == "client");
  CHECK(message.qos() == QoS::ExactlyOnce);
  CHECK(message.retain());
  CHECK(message.expires_at() == kBefore.steady + 90s);
}

TEST_CASE("The publishing session, which a restart ends, is not written") {
  const auto read = records::decode_message(records::encode_message(*full(), kBefore), kBefore);
  REQUIRE(read);
  CHECK((*read)->publisher_session() == 0);
}

TEST_CASE("An expiry goes on while the process is away") {
  const std::string bytes = records::encode_message(*full(), kBefore);
  const Now after{Instant(7ms), kBefore.wall + 60s};
  const auto read = records::decode_message(bytes, after);
  REQUIRE(read);
  CHECK((*read)->expires_at() == after.steady + 30s);
  const Now late{Instant(7ms), kBefore.wall + 1h};
  const auto expired = records::decode_message(bytes, late);
  REQUIRE(expired);
  CHECK((*expired)->expired(late.steady));
}

TEST_CASE("A message without expiry has none after it is read back") {
  const auto message = Message::make({.topic = "t", .payload = "x"});
  const auto read = records::decode_message(records::encode_message(*message, kBefore), kBefore);
  REQUIRE(read);
  CHECK((*read)->expires_at() == kNever);
  CHECK((*read)->qos() == QoS::AtMostOnce);
  CHECK_FALSE((*read)->retain());
}

TEST_CASE("The layout on disk is the documented one") {
  const auto message =
      Message::make({.topic = "t", .payload = "xyz", .publisher = "me", .qos = QoS::AtLeastOnce});
  CHECK(records::encode_message(*message, kBefore) == std::string("\x01\x01\0"
                                                                  "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F"
                                                                  "\x01\0\0\0t"
                                                                  "\x03\0\0\0xyz"
                                                                  "\0\0\0\0"
                                                                  "\x02\0\0\0me",
                                                                  33));
}

TEST_CASE("A record that is cut short or too long is corrupt") {
  const std::string bytes = records::encode_message(*full(), kBefore);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto read = records::decode_message(std::string_view(bytes).substr(0, size), kBefore);
    REQUIRE_FALSE(read);
    REQUIRE(read.error().code == ErrorCode::Corrupt);
  }
  CHECK_FALSE(records::decode_message(bytes + "x", kBefore));
}

TEST_CASE("Values that no writer writes are corrupt") {
  const std::string bytes =
      records::encode_message(*Message::make({.topic = "t", .payload = "x"}), kBefore);
  const auto with = [&](std::size_t at, char value) {
    std::string changed = bytes;
    changed[at] = value;
    return records::decode_message(changed, kBefore).has_value();
  };
  REQUIRE(with(0, 1));
  CHECK_FALSE(with(0, 2));   // format
  CHECK_FALSE(with(1, 3));   // QoS 3
  CHECK_FALSE(with(2, 2));   // neither retained nor not
  CHECK_FALSE(with(9, 1));   // an expiry beyond all time
  CHECK_FALSE(with(11, 0));  // a topic without length
}

TEST_CASE("Damaged records are refused or read, but never read out of bounds") {
  std::mt19937 random(1);
  const std::string bytes = records::encode_message(*full(), kBefore);
  std::size_t read = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string damaged = bytes;
    for (int n = 0; n < 3; ++n) damaged[random() % damaged.size()] = static_cast<char>(random());
    if (const auto message = records::decode_message(damaged, kBefore)) {
      ++read;
      REQUIRE((*message)->footprint() <= sizeof(Message) + bytes.size());
    }
  }
  CHECK(read < 20'000);
}

TEST_CASE("A reader that failed once stays failed and reads zeros") {
  base::ByteReader in(std::string_view("\x05", 1));
  CHECK(in.number<std::uint16_t>() == 0);
  CHECK(in.number<std::uint8_t>() == 0);
  CHECK(in.text().empty());
  CHECK_FALSE(in.ok());
  CHECK_FALSE(in.finished());
}
