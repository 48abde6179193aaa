#pragma once
// TLS between a socket and what is above it, either side of it: OpenSSL reads from and writes to
// the bytes of the moment and never sees a socket.

#include <memory>
#include <string>

#include <openssl/types.h>

#include "net/filter.hpp"
#include "net/tls_loading.hpp"
#include "net/tls_server.hpp"

namespace twinmq::net {

class TlsFilter : public Filter {
 public:
  ~TlsFilter() override;
  TlsFilter(const TlsFilter&) = delete;
  TlsFilter& operator=(const TlsFilter&) = delete;

  std::string_view error() const override { return error_; }
  void start(ByteBuffer& down) override;
  void receive(ByteView bytes, ByteBuffer& up, ByteBuffer& down) override;
  void send(std::span<const iovec> parts, ByteBuffer& down) override;
  void end(ByteBuffer& down) override;
  void tell(ConnectionFacts& facts) const override;
  std::size_t memory() const override;

 protected:
  /// Takes the SSL; null: it could not be made.
  explicit TlsFilter(SSL* ssl);
  /// The handshake is over: whether the peer may stay, or why not.
  virtual std::string welcome() { return {}; }
  /// Why the handshake failed, where there is more to say than OpenSSL knows.
  virtual std::string_view refusal() const { return {}; }
  SSL* ssl() const { return ssl_; }

 private:
  /// What OpenSSL reads and writes during a call.
  struct Pipe {
    ByteView in;
    ByteBuffer* out = nullptr;
  };
  friend struct TlsPipeMethod;

  void shake_hands();
  void read(ByteBuffer& up);
  void write(const std::uint8_t* bytes, std::size_t size);
  void fail(std::string why);
  void fail_by_openssl(std::string_view what);

  SSL* ssl_;
  Pipe pipe_;
  std::string error_;
};

/// The server's side.
class TlsServerFilter final : public TlsFilter {
 public:
  explicit TlsServerFilter(std::shared_ptr<TlsServer> server);

  void tell(ConnectionFacts& facts) const override;
  std::string_view objection() override;

 private:
  TlsServerFilter(std::shared_ptr<TlsServer> server, std::shared_ptr<const TlsContexts> contexts);
  std::string welcome() override;
  std::string_view refusal() const override { return guest_.refusal; }

  const std::shared_ptr<TlsServer> server_;
  const std::shared_ptr<const TlsContexts> contexts_;
  TlsGuest guest_;
  std::string principal_;
  std::string objection_;
};

/// What a client of ours trusts and shows: the load tool, the tests.
class TlsClient {
 public:
  struct Options {
    std::string ca;           ///< authorities to trust; empty: the system's
    std::string certificate;  ///< to show; empty: none
    std::string key;
    std::string server_name;  ///< expected in the server's certificate, and asked for (SNI)
    std::string protocol;     ///< ALPN; empty: none
    std::string ciphers;      ///< of TLS 1.2; empty: OpenSSL's
    std::string psk_identity;
    std::string psk;        ///< bytes
    bool insecure = false;  ///< any certificate will do
    int version = 0;        ///< 12 or 13 alone; 0: the best
  };
  static Result<std::shared_ptr<TlsClient>> open(Options options);
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  /// Speaks first: call start(). With `session` (see TlsClientFilter) it tries to resume that.
  std::unique_ptr<Filter> filter() const;

 private:
  friend class TlsClientFilter;
  TlsClient() = default;
  static unsigned on_psk(SSL* ssl, const char* hint, char* identity, unsigned identity_size,
                         unsigned char* key, unsigned key_size);

  Options options_;
  SSL_CTX* context_ = nullptr;
};

}  // namespace twinmq::net
