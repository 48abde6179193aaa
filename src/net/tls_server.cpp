#include "net/tls_server.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "net/tls_error.hpp"
#include "net/tls_identity.hpp"
#include "net/tls_loading.hpp"

namespace twinmq::net {
namespace {

constexpr std::size_t kTicketKeyBytes = 80;

}  // namespace

void TlsContexts::ContextFree::operator()(SSL_CTX* context) const {
  SSL_CTX_free(context);
}

TlsContexts::~TlsContexts() {
  for (auto& [identity, key] : psk_) OPENSSL_cleanse(key.data(), key.size());
}

Result<std::string> TlsContexts::admit(const X509& certificate) const {
  if (!config_.fingerprints.empty() &&
      !fingerprints_.contains(certificate_fingerprint(certificate)))
    return Error{ErrorCode::PermissionDenied, "the certificate's fingerprint is not on the list"};
  return certificate_identity(certificate, config_.identity);
}

std::string TlsContexts::judge_again(X509* certificate, stack_st_X509* chain,
                                     std::string_view psk_identity) const {
  if (!psk_identity.empty())
    return psk_.find(psk_identity) != psk_.end() ? "" : "the pre-shared key was withdrawn";
  if (certificate == nullptr)
    return config_.verify == TlsVerify::Required ? "a certificate is required now" : "";
  if (config_.verify == TlsVerify::None) return {};
  if (const Result<std::string> name = admit(*certificate); !name) return name.error().detail;
  const std::unique_ptr<X509_STORE_CTX, void (*)(X509_STORE_CTX*)> check(X509_STORE_CTX_new(),
                                                                         &X509_STORE_CTX_free);
  X509_STORE* store = SSL_CTX_get_cert_store(first());
  if (!check || X509_STORE_CTX_init(check.get(), store, certificate, chain) != 1)
    return "the certificate could not be checked";
  X509_STORE_CTX_set_default(check.get(), "ssl_client");
  if (X509_verify_cert(check.get()) == 1) return {};
  return X509_verify_cert_error_string(X509_STORE_CTX_get_error(check.get()));
}

// --- What OpenSSL asks during a handshake

int TlsContexts::on_server_name(SSL* ssl, int*, void* self) {
  const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  for (const Context& context : static_cast<TlsContexts*>(self)->contexts_) {
    X509* certificate = SSL_CTX_get0_certificate(context.get());
    if (certificate == nullptr || X509_check_host(certificate, name, 0, 0, nullptr) != 1) continue;
    SSL_set_SSL_CTX(ssl, context.get());
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

// The first of ours that the client knows too. A client that speaks none of them is for another
// service and is told so [RFC 7301, 3.2].
int TlsContexts::on_protocols(SSL*, const unsigned char** out, unsigned char* out_size,
                              const unsigned char* in, unsigned in_size, void* self) {
  for (const std::string& ours : static_cast<TlsContexts*>(self)->protocols_) {
    for (unsigned at = 0; at < in_size; at += 1u + in[at]) {
      if (at + 1u + in[at] > in_size) break;
      const std::string_view theirs(reinterpret_cast<const char*>(in + at + 1), in[at]);
      if (theirs != ours) continue;
      *out = in + at + 1;
      *out_size = in[at];
      return SSL_TLSEXT_ERR_OK;
    }
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

unsigned TlsContexts::on_psk(SSL* ssl, const char* identity, unsigned char* key, unsigned size) {
  auto* const guest = static_cast<TlsGuest*>(SSL_get_app_data(ssl));
  if (guest == nullptr || identity == nullptr) return 0;
  const auto found = guest->contexts->psk_.find(std::string_view(identity));
  if (found == guest->contexts->psk_.end() || found->second.size() > size) return 0;
  std::copy(found->second.begin(), found->second.end(), key);
  guest->psk_identity = identity;
  return static_cast<unsigned>(found->second.size());
}

int TlsContexts::on_status(SSL* ssl, void* self) {
  const auto& contexts = *static_cast<TlsContexts*>(self);
  const auto now = static_cast<std::uint64_t>(std::time(nullptr));
  if (contexts.ocsp_.empty() || (contexts.ocsp_until_ != 0 && contexts.ocsp_until_ < now) ||
      SSL_get_SSL_CTX(ssl) != contexts.first())
    return SSL_TLSEXT_ERR_NOACK;
  auto* const copy =
      static_cast<unsigned char*>(OPENSSL_memdup(contexts.ocsp_.data(), contexts.ocsp_.size()));
  if (copy == nullptr) return SSL_TLSEXT_ERR_NOACK;
  SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(contexts.ocsp_.size()));
  return SSL_TLSEXT_ERR_OK;
}

// A certificate that the authorities vouch for may still be one that must not enter: while the
// handshake runs, its owner can be told so.
int TlsContexts::on_certificate(X509_STORE_CTX* check, void* self) {
  const int good = X509_verify_cert(check);
  if (good != 1) return good;
  const X509* certificate = X509_STORE_CTX_get0_cert(check);
  const Result<std::string> name = static_cast<TlsContexts*>(self)->admit(*certificate);
  if (name) return 1;
  const auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(check, SSL_get_ex_data_X509_STORE_CTX_idx()));
  if (auto* const guest = static_cast<TlsGuest*>(SSL_get_app_data(ssl)))
    guest->refusal = name.error().detail;
  X509_STORE_CTX_set_error(check, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

// --- The server

Result<std::shared_ptr<TlsServer>> TlsServer::open(const TlsConfig& config, bool websocket) {
  std::shared_ptr<TlsServer> server(new TlsServer(websocket));
  Result<std::shared_ptr<TlsContexts>> contexts = server->prepare(config);
  if (!contexts) return contexts.error();
  server->install(std::move(*contexts));
  return server;
}

Result<std::shared_ptr<TlsContexts>> TlsServer::prepare(const TlsConfig& config) const {
  std::shared_ptr<TlsContexts> made(new TlsContexts(config));
  if (Result<void> loaded = TlsLoading(*made, websocket_).load(); !loaded) return loaded.error();
  return made;
}

// A ticket vouches for a client certificate that was checked against the trust of its time: it may
// be redeemed only while that has not changed.
void TlsServer::install(std::shared_ptr<TlsContexts> contexts, bool keep_tickets) {
  std::array<unsigned char, kTicketKeyBytes> keys{};
  const std::shared_ptr<const TlsContexts> before = current();
  const bool kept =
      keep_tickets && before && before->trusts_like(*contexts) &&
      SSL_CTX_get_tlsext_ticket_keys(before->first(), keys.data(), kTicketKeyBytes) == 1;
  if (!kept) SSL_CTX_get_tlsext_ticket_keys(contexts->first(), keys.data(), kTicketKeyBytes);
  for (const TlsContexts::Context& context : contexts->contexts_)
    SSL_CTX_set_tlsext_ticket_keys(context.get(), keys.data(), kTicketKeyBytes);
  OPENSSL_cleanse(keys.data(), keys.size());
  current_.store(std::move(contexts));
}

std::vector<std::string> tls_files(const TlsConfig& config) {
  std::vector<std::string> files{config.certificate, config.key,     config.key_password_file,
                                 config.ca,          config.crl,     config.fingerprints,
                                 config.ocsp,        config.psk_file};
  files.insert(files.end(), config.more_certificates.begin(), config.more_certificates.end());
  files.insert(files.end(), config.more_keys.begin(), config.more_keys.end());
  std::erase(files, "");
  return files;
}

}  // namespace twinmq::net
