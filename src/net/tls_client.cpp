// The client's side of TLS.

#include <algorithm>
#include <utility>

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "net/tls_error.hpp"
#include "net/tls_filter.hpp"

namespace twinmq::net {

class TlsClientFilter final : public TlsFilter {
 public:
  explicit TlsClientFilter(const TlsClient& client) : TlsFilter(SSL_new(client.context_)) {
    if (ssl() == nullptr) return;
    SSL_set_connect_state(ssl());
    SSL_set_app_data(ssl(), const_cast<TlsClient*>(&client));
    const std::string& name = client.options_.server_name;
    if (name.empty()) return;
    X509_VERIFY_PARAM* wanted = SSL_get0_param(ssl());
    if (X509_VERIFY_PARAM_set1_ip_asc(wanted, name.c_str()) == 1) return;
    SSL_set1_host(ssl(), name.c_str());
    SSL_set_tlsext_host_name(ssl(), name.c_str());
  }
};

unsigned TlsClient::on_psk(SSL* ssl, const char*, char* identity, unsigned identity_size,
                           unsigned char* key, unsigned key_size) {
  const auto& options = static_cast<const TlsClient*>(SSL_get_app_data(ssl))->options_;
  if (options.psk_identity.size() >= identity_size || options.psk.size() > key_size) return 0;
  *std::copy(options.psk_identity.begin(), options.psk_identity.end(), identity) = '\0';
  std::copy(options.psk.begin(), options.psk.end(), key);
  return static_cast<unsigned>(options.psk.size());
}

Result<std::shared_ptr<TlsClient>> TlsClient::open(Options options) {
  std::shared_ptr<TlsClient> client(new TlsClient());
  client->options_ = std::move(options);
  const Options& wanted = client->options_;
  SSL_CTX* const context = client->context_ = SSL_CTX_new(TLS_client_method());
  const auto failed = [](std::string_view what) {
    return Error{ErrorCode::InvalidConfig, std::string(what) + ": " + take_tls_errors()};
  };
  if (context == nullptr) return failed("TLS");
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_min_proto_version(context, wanted.version == 13 ? TLS1_3_VERSION : TLS1_2_VERSION);
  if (wanted.version == 12) SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
  if (!wanted.insecure) {
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    const int loaded = wanted.ca.empty() ? SSL_CTX_set_default_verify_paths(context)
                                         : SSL_CTX_load_verify_file(context, wanted.ca.c_str());
    if (loaded != 1 && wanted.psk.empty()) return failed(wanted.ca);
  }
  if (!wanted.certificate.empty()) {
    const std::string& key = wanted.key.empty() ? wanted.certificate : wanted.key;
    if (SSL_CTX_use_certificate_chain_file(context, wanted.certificate.c_str()) != 1)
      return failed(wanted.certificate);
    if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1)
      return failed(key);
  }
  if (!wanted.ciphers.empty() && SSL_CTX_set_cipher_list(context, wanted.ciphers.c_str()) != 1)
    return failed(wanted.ciphers);
  if (!wanted.protocol.empty()) {
    const std::string list = static_cast<char>(wanted.protocol.size()) + wanted.protocol;
    SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(list.data()),
                            static_cast<unsigned>(list.size()));
  }
  if (!wanted.psk_identity.empty()) SSL_CTX_set_psk_client_callback(context, &TlsClient::on_psk);
  return client;
}

TlsClient::~TlsClient() {
  SSL_CTX_free(context_);
}

std::unique_ptr<Filter> TlsClient::filter() const {
  return std::make_unique<TlsClientFilter>(*this);
}

}  // namespace twinmq::net
