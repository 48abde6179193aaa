#include <twinmq/message.hpp>

#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <vector>

using twinmq::Message;
using twinmq::MessageParts;
using twinmq::MessageRef;

TEST_CASE("a message gives back every part it was made from", "[base][message]") {
  for (const std::size_t size : {0u, 1u, 100u, 440u, 441u, 442u, 443u, 5000u}) {
    const std::string payload(size, 'p');
    MessageParts parts{"topic/name", payload,
                       "properties", "publisher",
                       42,           twinmq::QoS::ExactlyOnce,
                       true,         twinmq::Instant(twinmq::Milliseconds(9))};
    const MessageRef message = Message::make(parts);
    CHECK(message->topic() == "topic/name");
    CHECK(message->payload() == payload);
    CHECK(message->properties() == "properties");
    CHECK(message->publisher() == "publisher");
    CHECK(message->publisher_session() == 42);
    CHECK(message->qos() == twinmq::QoS::ExactlyOnce);
    CHECK(message->retain());
    CHECK(message->expired(twinmq::Instant(twinmq::Milliseconds(9))));
    CHECK_FALSE(message->expired(twinmq::Instant(twinmq::Milliseconds(8))));
  }
}

TEST_CASE("a message lives as long as its last reference", "[base][message]") {
  MessageParts parts;
  parts.payload = "payload";
  MessageRef first = Message::make(parts);
  CHECK(first.unique());
  MessageRef second = first;
  CHECK_FALSE(first.unique());
  first = MessageRef();
  CHECK(second.unique());
  CHECK(second->payload() == "payload");
  first = std::move(second);
  CHECK_FALSE(second);
  CHECK(first->payload() == "payload");
}

TEST_CASE("messages end on other threads than they began, in any number", "[base][message]") {
  const std::string payload(100, 'p');
  MessageParts parts;
  parts.payload = payload;
  for (int round = 0; round < 3; ++round) {
    std::vector<MessageRef> messages;
    for (int i = 0; i < 3000; ++i) messages.push_back(Message::make(parts));
    bool intact = true;
    std::thread([&, taken = std::move(messages)]() mutable {
      for (const MessageRef& message : taken) intact = intact && message->payload() == payload;
      taken.clear();
      for (int i = 0; i < 3000; ++i) taken.push_back(Message::make(parts));
      for (const MessageRef& message : taken) intact = intact && message->payload() == payload;
    }).join();
    CHECK(intact);
  }
}
