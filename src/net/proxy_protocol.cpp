#include "net/proxy_protocol.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <utility>

namespace twinmq::net {
namespace {

using Read = Result<std::optional<ProxyHeader>, std::string_view>;

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::string_view kVersion1 = "PROXY ";
constexpr std::size_t kLineMax = 107;
constexpr std::size_t kFixed = 16;
constexpr std::size_t kUnixPath = 108;

// Types of additional facts, section 2.2 of the specification.
enum : std::uint8_t {
  kAlpn = 0x01,
  kAuthority = 0x02,
  kChecksum = 0x03,
  kTls = 0x20,
  kTlsVersion = 0x21,
  kTlsCommonName = 0x22,
  kTlsCipher = 0x23,
};
constexpr std::uint8_t kClientTls = 0x01;
constexpr std::uint8_t kClientCertificate = 0x02 | 0x04;  // on this connection, or in its session

std::size_t number(ByteView bytes, std::size_t at) {
  return (std::size_t{bytes[at]} << 8) | bytes[at + 1];
}

/// Names go to logs and rules: no control characters, no broken UTF-8.
bool is_clean(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto first = static_cast<std::uint8_t>(text[i]);
    if (first < 0x20 || first == 0x7F) return false;
    const std::size_t more = first < 0x80   ? 0
                             : first < 0xC2 ? 4
                             : first < 0xE0 ? 1
                             : first < 0xF0 ? 2
                             : first < 0xF5 ? 3
                                            : 4;
    if (more == 4 || text.size() - i <= more) return false;
    for (std::size_t k = 1; k <= more; ++k) {
      const auto next = static_cast<std::uint8_t>(text[i + k]);
      if ((next & 0xC0) != 0x80) return false;
      if (k > 1) continue;
      if ((first == 0xE0 && next < 0xA0) || (first == 0xF0 && next < 0x90) ||
          (first == 0xED && next > 0x9F) || (first == 0xF4 && next > 0x8F))
        return false;
    }
    i += more + 1;
  }
  return true;
}

std::string place(int family, const std::uint8_t* address, std::size_t port) {
  char text[INET6_ADDRSTRLEN] = "";
  ::inet_ntop(family, address, text, sizeof text);
  const std::string host = family == AF_INET6 ? "[" + std::string(text) + "]" : std::string(text);
  return host + ":" + std::to_string(port);
}

// --- Version 1: "PROXY TCP4 192.0.2.1 192.0.2.2 4711 1883\r\n"

std::optional<std::size_t> parse_port(std::string_view text) {
  std::size_t port = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool sound = fault == std::errc() && end == text.data() + text.size() && port <= 65535 &&
                     (text.size() == 1 || text.front() != '0');
  if (!sound) return std::nullopt;
  return port;
}

bool parse_exact(int family, std::string_view text, std::uint8_t* out) {
  char room[INET6_ADDRSTRLEN] = "";
  if (text.empty() || text.size() >= sizeof room) return false;
  std::memcpy(room, text.data(), text.size());
  return ::inet_pton(family, room, out) == 1;
}

Read read_line(std::string_view text) {
  const std::size_t end = text.substr(0, kLineMax).find("\r\n");
  if (end == std::string_view::npos) {
    if (text.size() >= kLineMax) return std::string_view("the PROXY line is longer than 107 bytes");
    return std::optional<ProxyHeader>();
  }
  ProxyHeader header;
  header.size = end + 2;
  std::array<std::string_view, 6> words;
  std::size_t count = 0;
  for (std::string_view rest = text.substr(0, end);; ++count) {
    const std::size_t blank = rest.find(' ');
    if (count < words.size()) words[count] = rest.substr(0, blank);
    if (blank == std::string_view::npos) break;
    rest.remove_prefix(blank + 1);
  }
  ++count;
  if (words[1] == "UNKNOWN") {
    header.local = true;
    return std::optional(std::move(header));
  }
  const int family = words[1] == "TCP4" ? AF_INET : words[1] == "TCP6" ? AF_INET6 : AF_UNSPEC;
  std::uint8_t from[16];
  std::uint8_t to[16];
  const auto from_port = parse_port(words[4]);
  const auto to_port = parse_port(words[5]);
  if (family == AF_UNSPEC || count != words.size() || !parse_exact(family, words[2], from) ||
      !parse_exact(family, words[3], to) || !from_port || !to_port)
    return std::string_view("the PROXY line is malformed");
  header.source = place(family, from, *from_port);
  header.destination = place(family, to, *to_port);
  return std::optional(std::move(header));
}

// --- Version 2

/// Calls `take(type, value)` for each fact; false: they are cut short, or one was refused.
template <typename Take>
bool each_fact(ByteView bytes, Take take) {
  while (!bytes.empty()) {
    if (bytes.size() < 3) return false;
    const std::size_t size = number(bytes, 1);
    if (bytes.size() - 3 < size) return false;
    if (!take(bytes[0], bytes.subspan(3, size))) return false;
    bytes = bytes.subspan(3 + size);
  }
  return true;
}

bool read_tls(ByteView value, ProxyHeader& header) {
  if (value.size() < 5) return false;
  const std::uint8_t client = value[0];
  const bool good = value[1] == 0 && value[2] == 0 && value[3] == 0 && value[4] == 0;
  ProxyTls tls;
  const bool sound = each_fact(value.subspan(5), [&](std::uint8_t type, ByteView fact) {
    std::string* const to = type == kTlsVersion      ? &tls.version
                            : type == kTlsCommonName ? &tls.common_name
                            : type == kTlsCipher     ? &tls.cipher
                                                     : nullptr;
    if (to == nullptr) return true;
    *to = text_of(fact);
    return is_clean(*to);
  });
  if (!sound) return false;
  // Without TLS towards the client there is nothing to believe.
  if (!(client & kClientTls)) return true;
  tls.certificate_proved = (client & kClientCertificate) != 0 && good;
  header.tls = std::move(tls);
  return true;
}

bool checksum_fits(ByteView header, std::size_t at) {
  const std::array<std::uint8_t, 4> zeros{};
  const std::uint32_t sum =
      crc32c(header.subspan(at + 4), crc32c(zeros, crc32c(header.subspan(0, at))));
  const std::size_t told = (number(header, at) << 16) | number(header, at + 2);
  return sum == told;
}

std::string_view read_facts(ByteView bytes, std::size_t at, ProxyHeader& header) {
  std::string_view fault;
  const bool whole = each_fact(bytes.subspan(at), [&](std::uint8_t type, ByteView value) {
    if (type == kChecksum) {
      const auto where = static_cast<std::size_t>(value.data() - bytes.data());
      if (value.size() != 4 || !checksum_fits(bytes, where))
        fault = "the checksum of the PROXY header is wrong";
    } else if (type == kTls) {
      if (!read_tls(value, header)) fault = "the TLS facts of the PROXY header are malformed";
    } else if (type == kAlpn || type == kAuthority) {
      std::string& to = type == kAlpn ? header.alpn : header.authority;
      to = text_of(value);
      if (!is_clean(to)) fault = "a name in the PROXY header is not clean text";
    }
    return fault.empty();
  });
  if (fault.empty() && !whole) fault = "the facts of the PROXY header are cut short";
  return fault;
}

std::string unix_place(ByteView path) {
  const std::string_view text = text_of(path);
  const std::string name(text.substr(0, text.find('\0')));
  return "unix:" + (is_clean(name) ? name : std::string());
}

/// Bytes of the addresses; nothing: the family is not known, or they are cut short.
std::optional<std::size_t> read_places(std::uint8_t family, ByteView bytes, ProxyHeader& header) {
  const std::uint8_t* at = bytes.data();
  switch (family) {
    case 0x00: header.local = true; return 0;
    case 0x11:
      if (bytes.size() < 12) return std::nullopt;
      header.source = place(AF_INET, at, number(bytes, 8));
      header.destination = place(AF_INET, at + 4, number(bytes, 10));
      return 12;
    case 0x21:
      if (bytes.size() < 36) return std::nullopt;
      header.source = place(AF_INET6, at, number(bytes, 32));
      header.destination = place(AF_INET6, at + 16, number(bytes, 34));
      return 36;
    case 0x31:
      if (bytes.size() < 2 * kUnixPath) return std::nullopt;
      header.source = unix_place(bytes.subspan(0, kUnixPath));
      header.destination = unix_place(bytes.subspan(kUnixPath, kUnixPath));
      return 2 * kUnixPath;
    default: return std::nullopt;
  }
}

Read read_binary(ByteView bytes) {
  if (bytes.size() < kFixed) return std::optional<ProxyHeader>();
  const std::uint8_t command = bytes[12];
  if ((command & 0xF0) != 0x20 || (command & 0x0F) > 1)
    return std::string_view("the PROXY header has another version or command");
  ProxyHeader header;
  header.size = kFixed + number(bytes, 14);
  if (header.size > kProxyHeaderMax)
    return std::string_view("the PROXY header is longer than allowed");
  if (bytes.size() < header.size) return std::optional<ProxyHeader>();
  const ByteView whole = bytes.subspan(0, header.size);
  header.local = (command & 0x0F) == 0;
  // What follows a LOCAL command has no meaning, but for its length.
  if (header.local) return std::optional(std::move(header));
  const auto places = read_places(bytes[13], whole.subspan(kFixed), header);
  if (!places) return std::string_view("the addresses of the PROXY header are malformed");
  const std::string_view fault = read_facts(whole, kFixed + *places, header);
  if (!fault.empty()) return fault;
  return std::optional(std::move(header));
}

constexpr std::array<std::uint32_t, 256> crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value & 1) ? (value >> 1) ^ 0x82F63B78u : value >> 1;
    table[i] = value;
  }
  return table;
}

/// "CN=…" as RFC 2253 writes it.
std::string subject_of(std::string_view common_name) {
  std::string text = "CN=";
  for (std::size_t i = 0; i < common_name.size(); ++i) {
    const char c = common_name[i];
    const bool edge = (c == ' ' && (i == 0 || i + 1 == common_name.size())) || (c == '#' && i == 0);
    if (edge || std::string_view(",+\"\\<>;=").find(c) != std::string_view::npos) text += '\\';
    text += c;
  }
  return text;
}

}  // namespace

std::uint32_t crc32c(ByteView bytes, std::uint32_t before) {
  static constexpr std::array<std::uint32_t, 256> kTable = crc_table();
  std::uint32_t sum = ~before;
  for (const std::uint8_t byte : bytes) sum = (sum >> 8) ^ kTable[(sum ^ byte) & 0xFF];
  return ~sum;
}

Read read_proxy_header(ByteView bytes) {
  const std::string_view text = text_of(bytes);
  const auto begins = [text](std::string_view with) {
    const std::size_t size = std::min(text.size(), with.size());
    return text.substr(0, size) == with.substr(0, size);
  };
  if (begins(kSignature)) return read_binary(bytes);
  if (begins(kVersion1)) return read_line(text);
  return std::string_view("there is no PROXY header");
}

ProxyFilter::ProxyFilter(std::shared_ptr<const ProxyOptions> options, std::string_view peer)
    : Filter(FilterState::Handshaking),
      options_(std::move(options)),
      trusted_(options_->trusted.contains_peer(peer)) {}

void ProxyFilter::receive(ByteView bytes, ByteBuffer& up, ByteBuffer& /*down*/) {
  if (state_ != FilterState::Handshaking) return;
  const auto fail = [this](std::string_view why) {
    error_ = why;
    state_ = FilterState::Failed;
  };
  if (!trusted_) return fail("this address may not speak for others: it is no trusted proxy");
  ByteView all = bytes;
  if (!early_.empty()) {
    early_.append(bytes);
    all = early_.view();
  }
  Read read = read_proxy_header(all);
  if (!read) return fail(read.error());
  if (!*read) {
    if (early_.empty()) early_.append(bytes);
    return;
  }
  header_ = std::move(**read);
  up.append(all.subspan(header_.size));
  early_.release();
  state_ = FilterState::Gone;
}

void ProxyFilter::send(std::span<const iovec> /*parts*/, ByteBuffer& /*down*/) {}

void ProxyFilter::tell(ConnectionFacts& facts) const {
  if (header_.local) return;
  facts.peer = header_.source;
  if (!header_.tls) return;
  const ProxyTls& tls = *header_.tls;
  facts.tls_version = tls.version;
  facts.tls_cipher = tls.cipher;
  facts.tls_server_name = header_.authority;
  facts.tls_protocol = header_.alpn;
  if (!tls.certificate_proved || tls.common_name.empty()) return;
  facts.certificate_subject = subject_of(tls.common_name);
  if (options_->common_name_is_user) facts.principal = tls.common_name;
}

}  // namespace twinmq::net
