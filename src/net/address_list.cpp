#include "net/address_list.hpp"

#include <arpa/inet.h>

#include <charconv>
#include <cstring>

#include "base/escape.hpp"

namespace twinmq::net {
namespace {

constexpr unsigned kMappedBits = 96;

struct Parsed {
  IpAddress address{};
  bool four = false;
};

std::optional<Parsed> parse_bare(std::string_view text) {
  char room[INET6_ADDRSTRLEN] = "";
  if (text.empty() || text.size() >= sizeof room) return std::nullopt;
  std::memcpy(room, text.data(), text.size());
  Parsed parsed;
  if (::inet_pton(AF_INET6, room, parsed.address.data()) == 1) return parsed;
  parsed.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  parsed.four = true;
  if (::inet_pton(AF_INET, room, parsed.address.data() + 12) == 1) return parsed;
  return std::nullopt;
}

bool same_bits(const IpAddress& a, const IpAddress& b, unsigned bits) {
  const std::size_t whole = bits / 8;
  if (std::memcmp(a.data(), b.data(), whole) != 0) return false;
  if (bits % 8 == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xFF00u >> (bits % 8));
  return ((a[whole] ^ b[whole]) & mask) == 0;
}

}  // namespace

std::optional<IpAddress> parse_address(std::string_view text) {
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view after = text.substr(end + 1);
    if (!after.empty() && !after.starts_with(':')) return std::nullopt;
    text = text.substr(1, end - 1);
  } else if (const std::size_t colon = text.find(':');
             colon != std::string_view::npos &&
             text.find(':', colon + 1) == std::string_view::npos) {
    text = text.substr(0, colon);
  }
  const std::optional<Parsed> parsed = parse_bare(text);
  if (!parsed) return std::nullopt;
  return parsed->address;
}

Result<AddressList> AddressList::parse(std::span<const std::string> entries) {
  AddressList list;
  for (const std::string& entry : entries) {
    if (entry == "unix") {
      list.unix_sockets_ = true;
      continue;
    }
    const std::size_t slash = entry.find('/');
    const std::optional<Parsed> parsed = parse_bare(std::string_view(entry).substr(0, slash));
    const unsigned most = parsed && parsed->four ? 32 : 128;
    unsigned bits = most;
    bool sound = parsed.has_value();
    if (sound && slash != std::string::npos) {
      const char* end = entry.data() + entry.size();
      const auto [stop, fault] = std::from_chars(entry.data() + slash + 1, end, bits);
      sound = fault == std::errc() && stop == end && bits <= most;
    }
    if (!sound) {
      return Error{ErrorCode::InvalidConfig,
                   "found " + quoted(entry) +
                       ", allowed: addresses and networks like \"10.0.0.7\", \"10.0.0.0/8\", "
                       "\"fd00::/8\", and \"unix\""};
    }
    if (parsed->four) bits += kMappedBits;
    list.networks_.push_back({parsed->address, bits});
  }
  return list;
}

bool AddressList::contains(const IpAddress& address) const {
  for (const Network& network : networks_) {
    if (same_bits(network.address, address, network.bits)) return true;
  }
  return false;
}

bool AddressList::contains_peer(std::string_view peer) const {
  if (peer.starts_with("unix:")) return unix_sockets_;
  const std::optional<IpAddress> address = parse_address(peer);
  return address && contains(*address);
}

}  // namespace twinmq::net
