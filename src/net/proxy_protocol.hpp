#pragma once
// The PROXY protocol, versions 1 and 2: what a proxy in front says about the client whose bytes it
// passes on.

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <twinmq/bytes.hpp>
#include <twinmq/result.hpp>

#include "net/address_list.hpp"
#include "net/filter.hpp"

namespace twinmq::net {

/// What the proxy learned where it ended the client's TLS.
struct ProxyTls {
  std::string version;      ///< "TLSv1.3"
  std::string cipher;       ///< empty: the proxy did not say
  std::string common_name;  ///< of the client's certificate, valid UTF-8 without control characters
  bool certificate_proved = false;  ///< there was one, and the proxy found it good
};

struct ProxyHeader {
  std::size_t size = 0;     ///< bytes of the header
  bool local = false;       ///< the proxy speaks for itself: its own address counts
  std::string source;       ///< "203.0.113.7:4711", "unix:/path"; empty: not known
  std::string destination;  ///< of the same form
  std::string authority;    ///< the host name the client asked for (SNI)
  std::string alpn;
  std::optional<ProxyTls> tls;
};

/// Longer headers are refused; proxies in use send some hundred bytes.
inline constexpr std::size_t kProxyHeaderMax = 4096;

/// The header at the begin of the bytes; nothing: more bytes are needed. The error is a sentence.
Result<std::optional<ProxyHeader>, std::string_view> read_proxy_header(ByteView bytes);

/// CRC-32C, as the checksum of version 2 uses it.
std::uint32_t crc32c(ByteView bytes, std::uint32_t before = 0);

struct ProxyOptions {
  AddressList trusted;               ///< who may speak for others
  bool common_name_is_user = false;  ///< a certificate the proxy found good names the user
};

/// The layer that reads the header and leaves the connection.
class ProxyFilter final : public Filter {
 public:
  /// `peer` is the far end of the socket.
  ProxyFilter(std::shared_ptr<const ProxyOptions> options, std::string_view peer);

  std::string_view error() const override { return error_; }
  void receive(ByteView bytes, ByteBuffer& up, ByteBuffer& down) override;
  void send(std::span<const iovec> parts, ByteBuffer& down) override;
  void tell(ConnectionFacts& facts) const override;
  std::size_t memory() const override { return early_.capacity(); }

 private:
  std::shared_ptr<const ProxyOptions> options_;
  ByteBuffer early_;  ///< a header that came in pieces
  ProxyHeader header_;
  std::string_view error_;
  bool trusted_;
};

}  // namespace twinmq::net
