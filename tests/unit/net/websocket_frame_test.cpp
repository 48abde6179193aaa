#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "net/websocket_frame.hpp"

namespace {

using namespace twinmq::net;

TEST_CASE("masking is its own inverse for every length and alignment") {
  const MaskKey key{0x12, 0xAB, 0x34, 0xCD};
  std::vector<std::uint8_t> from(300);
  for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<std::uint8_t>(i * 7);
  for (std::size_t shift = 0; shift < 9; ++shift) {
    for (std::size_t size = 0; size + shift <= 150; ++size) {
      std::vector<std::uint8_t> to(size + 1, 0xEE);
      unmask(to.data(), from.data() + shift, size, key);
      for (std::size_t i = 0; i < size; ++i) REQUIRE(to[i] == (from[shift + i] ^ key[i % 4]));
      REQUIRE(to[size] == 0xEE);
      unmask(to.data(), to.data(), size, key);
      REQUIRE(std::equal(to.begin(), to.end() - 1, from.begin() + static_cast<long>(shift)));
    }
  }
}

TEST_CASE("a key goes on where a frame was interrupted") {
  const MaskKey key{1, 2, 3, 4};
  CHECK(rotated(key, 0) == key);
  CHECK(rotated(key, 5) == MaskKey{2, 3, 4, 1});
  CHECK(rotated(key, 8) == key);
}

TEST_CASE("a server's header has the shortest form of its length") {
  std::uint8_t out[kServerHeaderMax];
  const auto header = [&](std::uint64_t size) {
    const std::size_t used = write_frame_header(out, WebSocketOpcode::Binary, size);
    return std::vector<int>(out, out + used);
  };
  CHECK(header(0) == std::vector<int>{0x82, 0});
  CHECK(header(125) == std::vector<int>{0x82, 125});
  CHECK(header(126) == std::vector<int>{0x82, 126, 0, 126});
  CHECK(header(65'535) == std::vector<int>{0x82, 126, 255, 255});
  CHECK(header(65'536) == std::vector<int>{0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0});
}

TEST_CASE("control frames keep to 125 bytes") {
  CHECK(close_frame(WebSocketClose::TooBig) == std::string("\x88\x02\x03\xf1", 4));
  CHECK(control_frame(WebSocketOpcode::Pong, std::string(200, 'x')).size() == 127);
  CHECK(close_frame(WebSocketClose::Normal, std::string(200, 'x')).size() == 127);
}

FrameHead head_of(std::vector<std::uint8_t> bytes) {
  return read_frame_head(bytes.data(), bytes.size());
}

TEST_CASE("a client's header is read once it is whole") {
  const std::vector<std::uint8_t> whole{0x82, 0xFE, 0x01, 0x00, 9, 8, 7, 6};
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const FrameHead part = read_frame_head(whole.data(), size);
    CHECK(part.taken == 0);
    CHECK_FALSE(part.fault);
  }
  const FrameHead head = head_of(whole);
  CHECK(head.taken == 8);
  CHECK(head.frame.final);
  CHECK(head.frame.opcode == WebSocketOpcode::Binary);
  CHECK(head.frame.size == 256);
  CHECK(head.frame.key == MaskKey{9, 8, 7, 6});
}

TEST_CASE("what no client may send is a protocol error") {
  const std::vector<std::vector<std::uint8_t>> wrong{
      {0x82, 0x05},                                         // not masked
      {0xC2, 0x85},                                         // reserved bit
      {0x83, 0x85},                                         // undefined opcode
      {0x8B, 0x85},                                         // undefined control opcode
      {0x09, 0x80},                                         // fragmented ping
      {0x89, 0xFE},                                         // ping of more than 125 bytes
      {0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4},  // 2^63
      {0x82, 0xFE, 0, 125, 1, 2, 3, 4},                     // not the shortest form
      {0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 1, 2, 3, 4},
  };
  for (const auto& bytes : wrong) {
    INFO(static_cast<int>(bytes[0]) << " " << static_cast<int>(bytes[1]));
    const FrameHead head = head_of(bytes);
    REQUIRE(head.fault);
    CHECK(head.fault->code == WebSocketClose::ProtocolError);
  }
}

}  // namespace
