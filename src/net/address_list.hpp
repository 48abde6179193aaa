#pragma once
// Networks and addresses somebody listed: "10.0.0.0/8", "::1", "unix".

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <twinmq/result.hpp>

namespace twinmq::net {

/// An IP address as 16 bytes; IPv4 in its mapped form, so that ::ffff:10.0.0.1 is 10.0.0.1.
using IpAddress = std::array<std::uint8_t, 16>;

/// "10.0.0.1", "::1", with or without a port ("10.0.0.1:80", "[::1]:80") or brackets; nothing: it
/// is no address.
std::optional<IpAddress> parse_address(std::string_view text);

class AddressList {
 public:
  /// InvalidConfig names the first entry that is none, with what is allowed.
  static Result<AddressList> parse(std::span<const std::string> entries);

  bool empty() const { return networks_.empty() && !unix_sockets_; }
  bool contains(const IpAddress& address) const;
  /// The far end of a connection as logs name it: an address with its port, or "unix:…".
  bool contains_peer(std::string_view peer) const;

 private:
  struct Network {
    IpAddress address;
    unsigned bits;
  };
  std::vector<Network> networks_;
  bool unix_sockets_ = false;  ///< "unix": whoever may open the listener's Unix socket
};

}  // namespace twinmq::net
