#pragma once
// Reads the files of a TLS listener into contexts. A step of TlsServer::prepare().

#include <string>
#include <string_view>

#include <twinmq/result.hpp>

#include "net/tls_server.hpp"

namespace twinmq::net {

/// What contexts learn of a client during its handshake; the application data of its SSL.
struct TlsGuest {
  const TlsContexts* contexts = nullptr;
  std::string psk_identity;  ///< once its key was looked up
  std::string refusal;       ///< why its certificate was not admitted
};

class TlsLoading {
 public:
  TlsLoading(TlsContexts& made, bool websocket) : made_(made), websocket_(websocket) {}

  Result<void> load();

 private:
  Result<void> load_password();
  Result<void> load_psk();
  Result<void> load_fingerprints();
  Result<void> load_ocsp();
  Result<void> load_pairs();
  Result<void> add_pair(const std::string& certificate, const std::string& key,
                        const std::string& key_name);
  Result<void> use(SSL_CTX* context, const std::string& certificate, const std::string& key,
                   const std::string& key_name);
  Result<SSL_CTX*> new_context();
  Result<void> set_ciphers(SSL_CTX* context);
  Result<void> load_trust();
  void sum_up_trust();
  SSL_CTX* context_for(X509* certificate);

  TlsContexts& made_;
  const bool websocket_;
  std::string password_;
};

/// The bytes of the file; the error begins with the key that names it.
Result<std::string> read_tls_file(std::string_view key, const std::string& path);

}  // namespace twinmq::net
