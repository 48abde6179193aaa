#include "base/out_buffer.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstring>
#include <string>
#include <vector>

#include "base/prng.hpp"

using twinmq::Message;
using twinmq::MessageRef;
using twinmq::base::ChunkPool;
using twinmq::base::OutBuffer;
using twinmq::base::Prng;

namespace {

std::string front(const OutBuffer& buffer, std::size_t pieces = 1000) {
  std::vector<iovec> iov(pieces);
  iov.resize(buffer.gather(iov.data(), pieces));
  std::string text;
  for (const iovec& piece : iov)
    text.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
  return text;
}

void write(OutBuffer& buffer, std::string_view text, ChunkPool& pool) {
  std::memcpy(buffer.reserve(text.size(), pool), text.data(), text.size());
  buffer.commit(text.size());
}

MessageRef message_of(std::string_view payload) {
  twinmq::MessageParts parts;
  parts.topic = "a/topic";
  parts.payload = payload;
  return Message::make(parts);
}

}  // namespace

TEST_CASE("an empty buffer has nothing to send and holds no memory", "[base][out_buffer]") {
  ChunkPool pool;
  OutBuffer buffer;
  iovec piece;
  CHECK(buffer.empty());
  CHECK(buffer.gather(&piece, 1) == 0);
  write(buffer, "ping", pool);
  CHECK(buffer.size() == 4);
  buffer.consume(4, pool);
  CHECK(buffer.empty());
  CHECK(pool.free_bytes() == 512);
}

TEST_CASE("less may be committed than was reserved, even nothing", "[base][out_buffer]") {
  ChunkPool pool;
  OutBuffer buffer;
  std::memcpy(buffer.reserve(100, pool), "abc", 3);
  buffer.commit(2);
  buffer.reserve(400, pool);
  buffer.commit(0);
  buffer.reserve(4000, pool);
  buffer.commit(0);
  write(buffer, "c", pool);
  CHECK(front(buffer) == "abc");
  buffer.consume(3, pool);
  buffer.reserve(10, pool);
  buffer.commit(0);
  CHECK(buffer.empty());
  CHECK(front(buffer).empty());
  buffer.consume(0, pool);
}

TEST_CASE("packets are gathered in few pieces and a partial send continues where it stopped",
          "[base][out_buffer]") {
  ChunkPool pool;
  OutBuffer buffer;
  std::string expected;
  for (int i = 0; i < 100; ++i) {
    const std::string packet = "packet " + std::to_string(i) + ";";
    write(buffer, packet, pool);
    expected += packet;
  }
  iovec iov[8];
  CHECK(buffer.gather(iov, 8) == 2);
  CHECK(front(buffer) == expected);
  buffer.consume(5, pool);
  CHECK(front(buffer) == expected.substr(5));
  buffer.consume(600, pool);
  CHECK(front(buffer) == expected.substr(605));
}

TEST_CASE("a lent payload is not copied and lives until it is sent", "[base][out_buffer]") {
  ChunkPool pool;
  OutBuffer buffer;
  const std::string payload(100'000, 'p');
  MessageRef message = message_of(payload);
  const char* place = message->payload().data();
  write(buffer, "head", pool);
  buffer.append_shared(message, message->payload(), pool);
  write(buffer, "tail", pool);
  CHECK_FALSE(message.unique());
  iovec iov[3];
  REQUIRE(buffer.gather(iov, 3) == 3);
  CHECK(iov[1].iov_base == place);
  CHECK(iov[1].iov_len == payload.size());
  buffer.consume(4 + 99'999, pool);
  CHECK_FALSE(message.unique());
  CHECK(front(buffer) == "ptail");
  buffer.consume(1, pool);
  CHECK(message.unique());
  CHECK(front(buffer) == "tail");
}

TEST_CASE("a message outlives its last other owner while it waits", "[base][out_buffer]") {
  ChunkPool pool;
  OutBuffer buffer;
  {
    const MessageRef message = message_of("payload");
    buffer.append_shared(message, message->payload().substr(3), pool);
  }
  CHECK(front(buffer) == "load");
}

TEST_CASE("clearing and ending give up lent messages", "[base][out_buffer]") {
  ChunkPool pool;
  MessageRef message = message_of("payload");
  {
    OutBuffer cleared, ended;
    cleared.append_shared(message, message->payload(), pool);
    ended.append_shared(message, message->payload(), pool);
    cleared.clear(pool);
    CHECK(cleared.empty());
    CHECK_FALSE(message.unique());
  }
  CHECK(message.unique());
}

TEST_CASE("a moved buffer takes its bytes along", "[base][out_buffer]") {
  ChunkPool pool;
  OutBuffer first;
  write(first, "bytes", pool);
  OutBuffer second(std::move(first));
  CHECK(first.empty());
  CHECK(front(second) == "bytes");
  first = std::move(second);
  CHECK(front(first) == "bytes");
}

TEST_CASE("the largest reservation is contiguous", "[base][out_buffer]") {
  ChunkPool pool;
  OutBuffer buffer;
  write(buffer, "x", pool);
  const std::string large(OutBuffer::kReserveMax, 'l');
  write(buffer, large, pool);
  CHECK(front(buffer) == "x" + large);
}

TEST_CASE("a pool keeps free chunks up to its bound", "[base][out_buffer]") {
  ChunkPool pool(64 * 1024);
  OutBuffer buffer;
  buffer.append(std::string(10'000'000, 'b'), pool);
  buffer.clear(pool);
  CHECK(pool.free_bytes() <= 3 * 64 * 1024);
  CHECK(pool.free_bytes() >= 32 * 1024);
}

TEST_CASE("a buffer sends what a string would under random use", "[base][out_buffer]") {
  const auto seed = GENERATE(range(1u, 11u));
  CAPTURE(seed);
  Prng random(seed);
  ChunkPool pool(200'000);
  OutBuffer buffer;
  std::string model;
  const std::size_t sizes[] = {1, 30, 600, 5000, 70'000};
  for (int step = 0; step < 3000; ++step) {
    std::string text(1 + random.below(sizes[random.below(5)]), 'x');
    for (std::size_t i = 0; i < text.size(); i += 7) text[i] = static_cast<char>(random.next());
    switch (random.below(8)) {
      case 0:
      case 1:
        text.resize(std::min(text.size(), OutBuffer::kReserveMax));
        write(buffer, text, pool);
        model += text;
        break;
      case 2:
        buffer.append(text, pool);
        model += text;
        break;
      case 3: {
        const MessageRef message = message_of(text);
        const auto part = message->payload().substr(random.below(text.size()));
        buffer.append_shared(message, part, pool);
        model += part;
        break;
      }
      default: {
        const std::size_t sent = random.below(model.size() + 1);
        buffer.consume(sent, pool);
        model.erase(0, sent);
      }
    }
    REQUIRE(buffer.size() == model.size());
    const std::string some = front(buffer, 3);
    REQUIRE(model.compare(0, some.size(), some) == 0);
    REQUIRE((some.empty() == model.empty()));
  }
  CHECK(front(buffer) == model);
}
