#include "records/message_record.hpp"

#include <random>
#include <string>

#include <catch2/catch.hpp>

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
  const auto message = Message::make({.topic = "t", .payload = "xyz", .publisher = "me", .qos = QoS::AtLeastOnce});
  CHECK(records::encode_message(*message, kBefore) ==
        std::string("\x01\x01" "\x01\0t" "\x02\0me" "\0\0\0\0" "\x03\0\0\0xyz", 20));
}

TEST_CASE("Messages follow one another within a larger record") {
  std::string bytes;
  base::ByteWriter out(bytes);
  out.u16(2);
  records::write_message(out, *full(), kBefore);
  records::write_message(out, *Message::make({.topic = "second", .payload = ""}), kBefore);
  out.u8(9);
  base::ByteReader in(bytes);
  CHECK(in.u16() == 2);
  CHECK((*records::read_message(in, kBefore))->topic() == "a/b");
  CHECK((*records::read_message(in, kBefore))->topic() == "second");
  CHECK(in.u8() == 9);
  CHECK(in.complete());
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
  const std::string bytes = records::encode_message(*Message::make({.topic = "t", .payload = "x"}), kBefore);
  const auto with = [&](std::size_t at, char value) {
    std::string changed = bytes;
    changed[at] = value;
    return records::decode_message(changed, kBefore).has_value();
  };
  REQUIRE(with(0, 1));
  CHECK_FALSE(with(0, 2));     // version
  CHECK_FALSE(with(1, 3));     // QoS 3
  CHECK_FALSE(with(1, 0x10));  // a flag of the future
  CHECK_FALSE(with(2, 0));     // topic without length
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
  CHECK(in.u16() == 0);
  CHECK(in.u8() == 0);
  CHECK(in.text32().empty());
  CHECK_FALSE(in.ok());
  CHECK_FALSE(in.complete());
}
