#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/proxy_protocol.hpp"

namespace {

using namespace twinmq;
using namespace twinmq::net;

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string u16(std::size_t value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value & 0xFF)};
}

std::string fact(unsigned type, const std::string& value) {
  return static_cast<char>(type) + u16(value.size()) + value;
}

std::string header2(unsigned command, unsigned family, const std::string& rest) {
  return kSignature + static_cast<char>(command) + static_cast<char>(family) + u16(rest.size()) +
         rest;
}

// 203.0.113.7:4711 to 192.0.2.1:1883
const std::string kFour = std::string("\xCB\x00\x71\x07\xC0\x00\x02\x01\x12\x67\x07\x5B", 12);

ProxyHeader read(const std::string& text) {
  const auto read = read_proxy_header(bytes_of(text));
  REQUIRE(read.has_value());
  REQUIRE(read->has_value());
  return **read;
}

bool refused(const std::string& text) {
  const auto read = read_proxy_header(bytes_of(text));
  return !read.has_value();
}

TEST_CASE("a line of version 1 tells addresses and ports") {
  const std::string line = "PROXY TCP4 203.0.113.7 192.0.2.1 4711 1883\r\n";
  const ProxyHeader four = read(line + "MQTT");
  CHECK(four.size == line.size());
  CHECK(four.source == "203.0.113.7:4711");
  CHECK(four.destination == "192.0.2.1:1883");
  CHECK(read("PROXY TCP6 2001:db8::1 ::1 1 2\r\n").source == "[2001:db8::1]:1");
  const ProxyHeader unknown = read("PROXY UNKNOWN anything at all\r\n");
  CHECK(unknown.local);
  CHECK(unknown.source.empty());
}

TEST_CASE("a malformed line is refused") {
  for (const char* line :
       {"PROXY TCP4 203.0.113.7 192.0.2.1 4711\r\n", "PROXY TCP4 203.0.113.7 192.0.2.1 1 2 3\r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n", "PROXY TCP6 203.0.113.7 192.0.2.1 1 2\r\n",
        "PROXY TCP4 203.0.113.7 192.0.2.1 65536 2\r\n", "PROXY TCP4 203.0.113.7 192.0.2.1 01 2\r\n",
        "PROXY TCP4 203.0.113.7 192.0.2.1 -1 2\r\n", "PROXY UDP4 203.0.113.7 192.0.2.1 1 2\r\n",
        "PROXY TCP4  203.0.113.7 192.0.2.1 1 2\r\n", "PROXY \r\n", "proxy TCP4",
        "GET / HTTP/1.1"}) {
    INFO(line);
    CHECK(refused(line));
  }
  CHECK(refused("PROXY UNKNOWN " + std::string(100, 'x')));
}

TEST_CASE("a header of version 2 tells addresses of every family") {
  const ProxyHeader four = read(header2(0x21, 0x11, kFour) + "MQTT");
  CHECK(four.size == 28);
  CHECK(four.source == "203.0.113.7:4711");
  CHECK(four.destination == "192.0.2.1:1883");
  std::string six(36, '\0');
  six[0] = '\x20';
  six[15] = '\x01';
  six[33] = '\x09';
  CHECK(read(header2(0x21, 0x21, six)).source == "[2000::1]:9");
  std::string files(216, '\0');
  files.replace(0, 8, "/run/app");
  CHECK(read(header2(0x21, 0x31, files)).source == "unix:/run/app");
  CHECK(read(header2(0x21, 0x00, "")).local);
}

TEST_CASE("a proxy that speaks for itself tells nothing of others") {
  const ProxyHeader local = read(header2(0x20, 0x11, kFour + fact(0x20, "nonsense")));
  CHECK(local.local);
  CHECK(local.source.empty());
  CHECK_FALSE(local.tls);
}

TEST_CASE("a header that comes in pieces is waited for") {
  const std::string whole = header2(0x21, 0x11, kFour);
  const std::string line = "PROXY TCP4 203.0.113.7 192.0.2.1 4711 1883\r\n";
  for (const std::string& text : {whole, line}) {
    for (std::size_t size = 0; size < text.size(); ++size) {
      const auto part = read_proxy_header(bytes_of(text).subspan(0, size));
      REQUIRE(part.has_value());
      CHECK_FALSE(part->has_value());
    }
  }
}

TEST_CASE("a header of version 2 that is cut short or too long is refused") {
  CHECK(refused(header2(0x11, 0x11, kFour)));
  CHECK(refused(header2(0x22, 0x11, kFour)));
  CHECK(refused(header2(0x21, 0x12, kFour)));  // datagrams
  CHECK(refused(header2(0x21, 0x41, kFour)));
  CHECK(refused(header2(0x21, 0x11, kFour.substr(1))));
  CHECK(refused(header2(0x21, 0x21, kFour)));
  CHECK(refused(header2(0x21, 0x31, std::string(215, 'x'))));
  CHECK(refused(header2(0x21, 0x11, kFour + std::string("\x04\x00", 2))));
  CHECK(refused(header2(0x21, 0x11, kFour + std::string("\x04\x00\x05xxxx", 7))));
  // Facts of 64 KB are refused by their length alone, before they are waited for.
  CHECK(refused(kSignature + "\x21\x11" + u16(65'535)));
}

std::string with_checksum(std::string header, std::size_t at) {
  const std::uint32_t sum = crc32c(bytes_of(header));
  for (std::size_t i = 0; i < 4; ++i) header[at + i] = static_cast<char>(sum >> (24 - 8 * i));
  return header;
}

TEST_CASE("a checksum is checked where there is one") {
  CHECK(crc32c(bytes_of("123456789")) == 0xE3069283u);
  const std::string zero = header2(0x21, 0x11, kFour + fact(0x03, std::string(4, '\0')));
  const std::string good = with_checksum(zero, 31);
  CHECK(read(good).source == "203.0.113.7:4711");
  std::string altered = good;
  altered[16] = '\x01';
  CHECK(refused(altered));
  CHECK(refused(header2(0x21, 0x11, kFour + fact(0x03, "abc"))));
}

std::string tls_fact(unsigned client, unsigned verify, const std::string& facts) {
  return fact(0x20,
              static_cast<char>(client) + std::string(3, '\0') + static_cast<char>(verify) + facts);
}

TEST_CASE("TLS facts name version, cipher and a certificate the proxy found good") {
  const std::string facts =
      fact(0x21, "TLSv1.3") + fact(0x22, "device7") + fact(0x23, "TLS_AES_256_GCM_SHA384");
  const ProxyHeader good = read(
      header2(0x21, 0x11,
              kFour + fact(0x02, "mqtt.example") + fact(0x01, "mqtt") + tls_fact(0x07, 0, facts)));
  REQUIRE(good.tls);
  CHECK(good.tls->version == "TLSv1.3");
  CHECK(good.tls->cipher == "TLS_AES_256_GCM_SHA384");
  CHECK(good.tls->common_name == "device7");
  CHECK(good.tls->certificate_proved);
  CHECK(good.authority == "mqtt.example");
  CHECK(good.alpn == "mqtt");
  // The certificate did not verify, or there was none, or no TLS at all.
  CHECK_FALSE(read(header2(0x21, 0x11, kFour + tls_fact(0x07, 1, facts))).tls->certificate_proved);
  CHECK_FALSE(read(header2(0x21, 0x11, kFour + tls_fact(0x01, 0, facts))).tls->certificate_proved);
  CHECK_FALSE(read(header2(0x21, 0x11, kFour + tls_fact(0x06, 0, facts))).tls);
}

TEST_CASE("names that are no clean text are refused") {
  for (const std::string& name :
       {std::string("a\0b", 3), std::string("a\nb"), std::string("\xC0\x80"),
        std::string("\xED\xA0\x80"), std::string("\xFF")}) {
    CHECK(refused(header2(0x21, 0x11, kFour + tls_fact(0x07, 0, fact(0x22, name)))));
  }
  CHECK(refused(header2(0x21, 0x11, kFour + fact(0x20, "abc"))));
}

struct Served {
  explicit Served(std::string_view peer, bool names = false)
      : filter(
            [names] {
              const std::vector<std::string> entries{"10.0.0.0/8"};
              ProxyOptions options;
              options.trusted = *AddressList::parse(entries);
              options.common_name_is_user = names;
              return std::make_shared<ProxyOptions>(std::move(options));
            }(),
            peer) {}
  void feed(std::string_view bytes, std::size_t step) {
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      const std::string_view part = bytes.substr(at, step);
      if (filter.state() == FilterState::Gone) {
        up.append(bytes_of(part));
      } else {
        filter.receive(bytes_of(part), up, down);
      }
    }
  }
  ProxyFilter filter;
  ByteBuffer up;
  ByteBuffer down;
};

TEST_CASE("a trusted proxy's header is taken away and tells who the client is") {
  const std::string tls = tls_fact(0x07, 0, fact(0x21, "TLSv1.3") + fact(0x22, "plant, device #7"));
  const std::string stream = header2(0x21, 0x11, kFour + tls) + "the client's bytes";
  for (std::size_t step : {1u, 3u, 17u, 1000u}) {
    Served served("10.0.0.1:9", true);
    served.feed(stream, step);
    CHECK(served.filter.state() == FilterState::Gone);
    CHECK(text_of(served.up.view()) == "the client's bytes");
    CHECK(served.down.empty());
    ConnectionFacts facts;
    served.filter.tell(facts);
    CHECK(facts.peer == "203.0.113.7:4711");
    CHECK(facts.tls_version == "TLSv1.3");
    CHECK(facts.certificate_subject == "CN=plant\\, device #7");
    CHECK(facts.principal == "plant, device #7");
  }
}

TEST_CASE("a header from an address that is not trusted is refused, and so is none") {
  Served spoofed("192.0.2.66:9");
  spoofed.feed("PROXY TCP4 203.0.113.7 192.0.2.1 4711 1883\r\n", 1000);
  CHECK(spoofed.filter.state() == FilterState::Failed);
  CHECK_FALSE(spoofed.filter.error().empty());
  Served absent("10.0.0.1:9");
  absent.feed(std::string("\x10\x0c\x00\x04MQTT\x05\x02\x00\x00", 12), 1000);
  CHECK(absent.filter.state() == FilterState::Failed);
  CHECK(absent.up.empty());
}

TEST_CASE("a common name is a user's name only where the listener says so") {
  Served served("10.0.0.1:9", false);
  served.feed(header2(0x21, 0x11, kFour + tls_fact(0x07, 0, fact(0x22, "device7"))), 1000);
  ConnectionFacts facts;
  served.filter.tell(facts);
  CHECK(facts.certificate_subject == "CN=device7");
  CHECK(facts.principal.empty());
}

}  // namespace
