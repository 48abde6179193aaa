// Our WebSocket frames against wslay: what its client sends we read, what we send it reads, and
// both find fault with the same streams.

#include <wslay/wslay.h>
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "net/websocket.hpp"

namespace {

using namespace twinmq;
using namespace twinmq::net;

/// wslay as one side of a connection; what it reads comes from `input`, what it sends is `output`.
struct Wslay {
  explicit Wslay(bool server) {
    wslay_event_callbacks callbacks{};
    callbacks.recv_callback = [](wslay_event_context_ptr events, std::uint8_t* out,
                                 std::size_t size, int, void* self) -> ssize_t {
      std::string& waiting = static_cast<Wslay*>(self)->input;
      if (waiting.empty()) {
        wslay_event_set_error(events, WSLAY_ERR_WOULDBLOCK);
        return -1;
      }
      const std::size_t taken = std::min(size, waiting.size());
      std::memcpy(out, waiting.data(), taken);
      waiting.erase(0, taken);
      return static_cast<ssize_t>(taken);
    };
    callbacks.send_callback = [](wslay_event_context_ptr, const std::uint8_t* bytes,
                                 std::size_t size, int, void* self) -> ssize_t {
      static_cast<Wslay*>(self)->output.append(reinterpret_cast<const char*>(bytes), size);
      return static_cast<ssize_t>(size);
    };
    callbacks.genmask_callback = [](wslay_event_context_ptr, std::uint8_t* out, std::size_t size,
                                    void* self) {
      for (std::size_t i = 0; i < size; ++i)
        out[i] = static_cast<std::uint8_t>(static_cast<Wslay*>(self)->chance());
      return 0;
    };
    callbacks.on_msg_recv_callback = [](wslay_event_context_ptr,
                                        const wslay_event_on_msg_recv_arg* message, void* self) {
      Wslay& mine = *static_cast<Wslay*>(self);
      if (message->opcode == WSLAY_BINARY_FRAME)
        mine.received.append(reinterpret_cast<const char*>(message->msg), message->msg_length);
      if (message->opcode == WSLAY_PONG) ++mine.pongs;
      if (message->opcode == WSLAY_CONNECTION_CLOSE) mine.close_code = message->status_code;
    };
    if (server) {
      wslay_event_context_server_init(&context, &callbacks, this);
    } else {
      wslay_event_context_client_init(&context, &callbacks, this);
    }
  }
  ~Wslay() { wslay_event_context_free(context); }
  Wslay(const Wslay&) = delete;
  Wslay& operator=(const Wslay&) = delete;

  void say(std::uint8_t opcode, const std::string& payload) {
    const wslay_event_msg message{opcode, reinterpret_cast<const std::uint8_t*>(payload.data()),
                                  payload.size()};
    wslay_event_queue_msg(context, &message);
    wslay_event_send(context);
  }

  wslay_event_context_ptr context = nullptr;
  std::string input;
  std::string output;
  std::string received;
  int pongs = 0;
  unsigned close_code = 0;
  std::mt19937 chance{1};
};

std::string random_text(std::mt19937& chance, std::size_t size) {
  std::string text(size, '\0');
  for (char& each : text) each = static_cast<char>(chance());
  return text;
}

TEST_CASE("what wslay's client sends is read as it was meant") {
  std::mt19937 chance(7);
  for (int round = 0; round < 50; ++round) {
    Wslay client(false);
    std::string meant;
    for (int i = 0; i < 20; ++i) {
      const std::string payload = random_text(chance, chance() % (i == 19 ? 70'000 : 300));
      client.say(WSLAY_BINARY_FRAME, payload);
      meant += payload;
      if (chance() % 4 == 0) client.say(WSLAY_PING, random_text(chance, chance() % 126));
    }
    WebSocketReader reader(1 << 20);
    ByteBuffer up;
    ByteBuffer down;
    const std::string& stream = client.output;
    for (std::size_t at = 0; at < stream.size();) {
      const std::size_t step = 1 + chance() % 500;
      reader.read(bytes_of(std::string_view(stream).substr(at, step)), up, down);
      at += step;
    }
    REQUIRE_FALSE(reader.fault());
    REQUIRE(text_of(up.view()) == meant);
    // The answers are frames that wslay understands.
    client.input = text_of(down.view());
    REQUIRE(wslay_event_recv(client.context) == 0);
  }
}

TEST_CASE("what we send is read by wslay's client, whatever its length") {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{125}, std::size_t{126},
                                 std::size_t{65'535}, std::size_t{65'536}, std::size_t{200'000}}) {
    Wslay client(false);
    const std::string payload(size, 'x');
    std::uint8_t header[kServerHeaderMax];
    const std::size_t used = write_frame_header(header, WebSocketOpcode::Binary, size);
    client.input = std::string(reinterpret_cast<const char*>(header), used) + payload +
                   control_frame(WebSocketOpcode::Pong, "here") +
                   close_frame(WebSocketClose::GoingAway);
    REQUIRE(wslay_event_recv(client.context) == 0);
    CHECK(client.received == payload);
    CHECK(client.pongs == 1);
    CHECK(client.close_code == 1001);
  }
}

std::string raw(unsigned first, unsigned second, const std::string& rest) {
  return std::string{static_cast<char>(first), static_cast<char>(second)} + "\1\2\3\4" + rest;
}

TEST_CASE("wslay's server and we find fault with the same frames") {
  std::mt19937 chance(11);
  int faults = 0;
  for (unsigned first = 0; first < 256; ++first) {
    for (const unsigned size : {0u, 5u}) {
      // Text is legal for wslay, and close frames with random codes are judged by tables.
      if ((first & 0x0F) == 1 || (first & 0x0F) == 8) continue;
      const std::string stream = raw(first, 0x80 | size, random_text(chance, size));
      Wslay server(true);
      server.input = stream;
      wslay_event_recv(server.context);
      const bool theirs = wslay_event_get_close_sent(server.context) ||
                          wslay_event_want_write(server.context) ||
                          !wslay_event_want_read(server.context);
      WebSocketReader reader(1 << 20);
      ByteBuffer up;
      ByteBuffer down;
      reader.read(bytes_of(stream), up, down);
      const bool ping = (first & 0x7F) == 9 && (first & 0x80);
      INFO(first << " " << size);
      if (!ping) CHECK(reader.fault().has_value() == theirs);
      faults += reader.fault() ? 1 : 0;
    }
  }
  CHECK(faults > 100);
}

}  // namespace
