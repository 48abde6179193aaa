#pragma once
// The TLS side of a listener: certificates, trust and policy, read from files, exchanged as a whole
// when the files change.

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include <openssl/types.h>

#include <twinmq/config.hpp>
#include <twinmq/result.hpp>

struct stack_st_X509;

namespace twinmq::net {

/// What the files held when they were last read. Immutable, shared by all shards.
class TlsContexts {
 public:
  ~TlsContexts();
  TlsContexts(const TlsContexts&) = delete;
  TlsContexts& operator=(const TlsContexts&) = delete;

  /// The one that connections begin with; SNI may give them another.
  SSL_CTX* first() const { return contexts_.front().get(); }
  TlsIdentity identity() const { return config_.identity; }
  /// The name in the certificate, or why its owner may not enter.
  Result<std::string> admit(const X509& certificate) const;
  /// Why a peer that came earlier would be refused now; empty: it would not. `chain` may be null.
  std::string judge_again(X509* certificate, stack_st_X509* chain,
                          std::string_view psk_identity) const;
  /// Whether connections from before are to be judged again.
  bool judges_live() const { return config_.recheck_live; }
  /// Seconds since 1970 at which the first of the listener's own certificates expires; 0: it has
  /// none.
  std::uint64_t expiry() const { return expiry_; }
  /// Whether both trust the same clients.
  bool trusts_like(const TlsContexts& other) const { return trust_ == other.trust_; }

 private:
  friend class TlsServer;
  friend class TlsLoading;
  struct ContextFree {
    void operator()(SSL_CTX* context) const;
  };
  using Context = std::unique_ptr<SSL_CTX, ContextFree>;

  explicit TlsContexts(TlsConfig config) : config_(std::move(config)) {}

  static int on_server_name(SSL* ssl, int* alert, void* self);
  static int on_protocols(SSL* ssl, const unsigned char** out, unsigned char* out_size,
                          const unsigned char* in, unsigned in_size, void* self);
  static unsigned on_psk(SSL* ssl, const char* identity, unsigned char* key, unsigned size);
  static int on_status(SSL* ssl, void* self);
  static int on_certificate(X509_STORE_CTX* check, void* self);

  const TlsConfig config_;
  std::vector<Context> contexts_;
  std::vector<std::string> protocols_;
  std::unordered_set<std::string> fingerprints_;  ///< with config_.fingerprints
  std::map<std::string, std::string, std::less<>> psk_;
  std::string ocsp_;
  std::uint64_t ocsp_until_ = 0;  ///< seconds since 1970; 0: it does not say
  std::uint64_t expiry_ = 0;
  std::string trust_;  ///< a digest of what decides who may enter
};

/// Lives as long as its listener. Any thread.
class TlsServer {
 public:
  static Result<std::shared_ptr<TlsServer>> open(const TlsConfig& config, bool websocket);

  std::shared_ptr<const TlsContexts> current() const { return current_.load(); }

  /// Reads everything anew; nothing changes until install(). Errors name the key of the listener.
  Result<std::shared_ptr<TlsContexts>> prepare(const TlsConfig& config) const;
  /// For connections from now on. Sessions of before can be resumed while the trust is the same.
  void install(std::shared_ptr<TlsContexts> contexts, bool keep_tickets = true);

 private:
  explicit TlsServer(bool websocket) : websocket_(websocket) {}

  const bool websocket_;
  std::atomic<std::shared_ptr<const TlsContexts>> current_;
};

/// Every file that prepare() reads.
std::vector<std::string> tls_files(const TlsConfig& config);

}  // namespace twinmq::net
