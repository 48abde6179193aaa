#include "net/tls_loading.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <utility>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "net/tls_error.hpp"

namespace twinmq::net {
namespace {

constexpr std::string_view kCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr std::string_view kPskCiphers =
    "ECDHE-PSK-CHACHA20-POLY1305:DHE-PSK-AES256-GCM-SHA384:DHE-PSK-AES128-GCM-SHA256:"
    "PSK-AES256-GCM-SHA384:PSK-AES128-GCM-SHA256:PSK-CHACHA20-POLY1305";
constexpr std::size_t kFileBytesMax = std::size_t{64} << 20;
constexpr std::size_t kPskBytesMax = 64;
constexpr int kChainDepthMax = 10;
constexpr long kTicketSeconds = 7200;

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* thing) const {
    Free(thing);
  }
};
using Bio = std::unique_ptr<BIO, Freed<&BIO_free>>;
using Certificate = std::unique_ptr<X509, Freed<&X509_free>>;
using Crl = std::unique_ptr<X509_CRL, Freed<&X509_CRL_free>>;

Error fault(std::string_view key, std::string what) {
  return {ErrorCode::InvalidConfig, std::string(key) + ": " + std::move(what)};
}

Error tls_fault(std::string_view key, const std::string& path, std::string_view what) {
  return fault(key, "\"" + path + "\" " + std::string(what) + " (" + take_tls_errors() + ")");
}

// Never OpenSSL's own, which asks at the terminal.
int give_password(char* out, int size, int, void* password) {
  const auto& text = *static_cast<const std::string*>(password);
  if (text.empty() || text.size() > static_cast<std::size_t>(size)) return -1;
  std::copy(text.begin(), text.end(), out);
  return static_cast<int>(text.size());
}

// Every certificate of the chain is looked up in the lists there are; that an authority further up
// publishes none is no reason to refuse.
int on_verify(int good, X509_STORE_CTX* check) {
  if (good == 0 && X509_STORE_CTX_get_error(check) == X509_V_ERR_UNABLE_TO_GET_CRL &&
      X509_STORE_CTX_get_error_depth(check) > 0) {
    X509_STORE_CTX_set_error(check, X509_V_OK);
    return 1;
  }
  return good;
}

std::uint64_t seconds_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return 0;
  return static_cast<std::uint64_t>(std::max<std::time_t>(0, ::timegm(&parts)));
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool from_hex(std::string_view digits, std::string& bytes) {
  if (digits.empty() || digits.size() % 2 != 0) return false;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    const int high = hex_digit(digits[i]);
    const int low = hex_digit(digits[i + 1]);
    if (high < 0 || low < 0) return false;
    bytes += static_cast<char>(high * 16 + low);
  }
  return true;
}

/// The lines that are neither empty nor comments, without surrounding blanks.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const auto first = line.find_first_not_of(" \t\r");
    if (first == std::string_view::npos || line[first] == '#') continue;
    line = line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
    lines.push_back(line);
  }
  return lines;
}

Bio bio_of(const std::string& bytes) {
  return Bio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

// DNS names decide which context a certificate serves: one with the same names and another kind of
// key joins it.
bool same_names(const X509* one, const X509* other) {
  const auto names = [](const X509* of) {
    std::vector<std::string> all;
    const std::unique_ptr<GENERAL_NAMES, Freed<&GENERAL_NAMES_free>> found(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(of, NID_subject_alt_name, nullptr, nullptr)));
    for (int i = 0; found && i < sk_GENERAL_NAME_num(found.get()); ++i) {
      const GENERAL_NAME* name = sk_GENERAL_NAME_value(found.get(), i);
      if (name->type != GEN_DNS) continue;
      all.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                       static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
    }
    std::sort(all.begin(), all.end());
    return all;
  };
  return X509_NAME_cmp(X509_get_subject_name(one), X509_get_subject_name(other)) == 0 &&
         names(one) == names(other);
}

}  // namespace

Result<std::string> read_tls_file(std::string_view key, const std::string& path) {
  const auto failed = [&] {
    return fault(key, "\"" + path + "\" cannot be read (" + std::strerror(errno) + ")");
  };
  const std::unique_ptr<std::FILE, Freed<&std::fclose>> file(std::fopen(path.c_str(), "rb"));
  if (!file) return failed();
  std::string text;
  char part[4096];
  while (const std::size_t count = std::fread(part, 1, sizeof part, file.get())) {
    text.append(part, count);
    if (text.size() > kFileBytesMax) return fault(key, "\"" + path + "\" is larger than 64 MiB");
  }
  if (std::ferror(file.get()) != 0) return failed();
  return text;
}

Result<void> TlsLoading::load() {
  for (const auto step :
       {&TlsLoading::load_password, &TlsLoading::load_psk, &TlsLoading::load_fingerprints,
        &TlsLoading::load_pairs, &TlsLoading::load_trust, &TlsLoading::load_ocsp}) {
    if (Result<void> done = (this->*step)(); !done) {
      OPENSSL_cleanse(password_.data(), password_.size());
      return done;
    }
  }
  OPENSSL_cleanse(password_.data(), password_.size());
  // The callbacks that read the password are of no more use, and it is gone.
  for (const auto& context : made_.contexts_)
    SSL_CTX_set_default_passwd_cb_userdata(context.get(), nullptr);
  return {};
}

Result<void> TlsLoading::load_password() {
  if (made_.config_.key_password_file.empty()) return {};
  Result<std::string> text =
      read_tls_file("tls.key_password_file", made_.config_.key_password_file);
  if (!text) return text.error();
  password_ = text->substr(0, text->find_first_of("\r\n"));
  OPENSSL_cleanse(text->data(), text->size());
  return {};
}

Result<void> TlsLoading::load_psk() {
  const std::string& path = made_.config_.psk_file;
  if (path.empty()) return {};
  Result<std::string> text = read_tls_file("tls.psk_file", path);
  if (!text) return text.error();
  made_.trust_ += *text;
  for (const std::string_view line : lines_of(*text)) {
    const auto colon = line.rfind(':');
    std::string key;
    if (colon == 0 || colon == std::string_view::npos || !from_hex(line.substr(colon + 1), key) ||
        key.size() > kPskBytesMax) {
      return fault("tls.psk_file", "\"" + path +
                                       "\" has a line that is not identity:key with a key of 1 to "
                                       "64 bytes in hexadecimal digits");
    }
    made_.psk_.insert_or_assign(std::string(line.substr(0, colon)), std::move(key));
  }
  return {};
}

Result<void> TlsLoading::load_fingerprints() {
  const std::string& path = made_.config_.fingerprints;
  if (path.empty()) return {};
  Result<std::string> text = read_tls_file("tls.fingerprints", path);
  if (!text) return text.error();
  for (const std::string_view line : lines_of(*text)) {
    std::string digits;
    for (const char c : line.substr(0, line.find_first_of(" \t"))) {
      if (c == ':') continue;
      digits += static_cast<char>(c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c);
    }
    std::string bytes;
    if (!from_hex(digits, bytes) || bytes.size() != 32) {
      return fault("tls.fingerprints", "\"" + path +
                                           "\" has a line that does not begin with the 64 "
                                           "hexadecimal digits of a SHA-256 fingerprint");
    }
    made_.fingerprints_.insert(std::move(digits));
  }
  return {};
}

// --- Certificates and keys

Result<void> TlsLoading::load_pairs() {
  const TlsConfig& config = made_.config_;
  if (config.certificate.empty()) {
    if (made_.psk_.empty()) return fault("tls.certificate", "is needed, or tls.psk_file");
    Result<SSL_CTX*> context = new_context();
    if (!context) return context.error();
    return {};
  }
  if (Result<void> added = add_pair(config.certificate, config.key, "tls.certificate"); !added)
    return added;
  for (std::size_t i = 0; i < config.more_certificates.size(); ++i) {
    const std::string key = i < config.more_keys.size() ? config.more_keys[i] : std::string();
    if (Result<void> added = add_pair(config.more_certificates[i], key, "tls.more_certificates");
        !added)
      return added;
  }
  return {};
}

Result<void> TlsLoading::add_pair(const std::string& certificate, const std::string& key,
                                  const std::string& key_name) {
  Result<std::string> text = read_tls_file(key_name, certificate);
  if (!text) return text.error();
  const Bio bio = bio_of(*text);
  const Certificate leaf(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (!leaf) return tls_fault(key_name, certificate, "holds no certificate");
  const std::uint64_t until = seconds_of(X509_get0_notAfter(leaf.get()));
  if (made_.expiry_ == 0 || until < made_.expiry_) made_.expiry_ = until;
  if (SSL_CTX* known = context_for(leaf.get())) return use(known, certificate, key, key_name);
  Result<SSL_CTX*> context = new_context();
  if (!context) return context.error();
  return use(*context, certificate, key, key_name);
}

SSL_CTX* TlsLoading::context_for(X509* certificate) {
  const int kind = EVP_PKEY_get_base_id(X509_get0_pubkey(certificate));
  for (const auto& context : made_.contexts_) {
    X509* const there = SSL_CTX_get0_certificate(context.get());
    if (there != nullptr && same_names(there, certificate) &&
        EVP_PKEY_get_base_id(X509_get0_pubkey(there)) != kind)
      return context.get();
  }
  return nullptr;
}

Result<void> TlsLoading::use(SSL_CTX* context, const std::string& certificate,
                             const std::string& key, const std::string& key_name) {
  if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1)
    return tls_fault(key_name, certificate, "is no chain of certificates");
  const std::string& file = key.empty() ? certificate : key;
  const std::string_view name = key_name == "tls.certificate" ? "tls.key" : "tls.more_keys";
  if (SSL_CTX_use_PrivateKey_file(context, file.c_str(), SSL_FILETYPE_PEM) != 1)
    return tls_fault(name, file, "holds no key that can be used");
  if (SSL_CTX_check_private_key(context) != 1)
    return tls_fault(name, file, "is not the key of the certificate \"" + certificate + "\"");
  return {};
}

Result<SSL_CTX*> TlsLoading::new_context() {
  made_.contexts_.emplace_back(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* const context = made_.contexts_.back().get();
  const TlsConfig& config = made_.config_;
  if (context == nullptr) return fault("tls", take_tls_errors());
  SSL_CTX_set_default_passwd_cb(context, &give_password);
  SSL_CTX_set_default_passwd_cb_userdata(context, &password_);
  SSL_CTX_set_min_proto_version(
      context, config.version_min == TlsVersion::Tls13 ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                   SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION);
  // Buffers live only while a record is worked on: an idle connection does without.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_timeout(context, kTicketSeconds);
  SSL_CTX_set_num_tickets(context, 1);
  // A key identity is not part of a ticket: whoever resumed one would be nobody.
  if (!config.tickets || !made_.psk_.empty()) {
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context, 0);
  }
  constexpr std::string_view kName = "twinmq";
  SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>(kName.data()),
                                 kName.size());
  if (Result<void> set = set_ciphers(context); !set) return set.error();

  made_.protocols_ = config.protocols;
  if (made_.protocols_.empty()) {
    made_.protocols_ = websocket_ ? std::vector<std::string>{"http/1.1", "x-amzn-http-ca"}
                                  : std::vector<std::string>{"mqtt", "x-amzn-mqtt-ca"};
  }
  SSL_CTX_set_alpn_select_cb(context, &TlsContexts::on_protocols, &made_);
  SSL_CTX_set_tlsext_servername_callback(context, &TlsContexts::on_server_name);
  SSL_CTX_set_tlsext_servername_arg(context, &made_);
  SSL_CTX_set_tlsext_status_cb(context, &TlsContexts::on_status);
  SSL_CTX_set_tlsext_status_arg(context, &made_);
  SSL_CTX_set_cert_verify_callback(context, &TlsContexts::on_certificate, &made_);
  if (!made_.psk_.empty()) {
    SSL_CTX_set_psk_server_callback(context, &TlsContexts::on_psk);
    SSL_CTX_set_dh_auto(context, 1);
  }
  return context;
}

Result<void> TlsLoading::set_ciphers(SSL_CTX* context) {
  const TlsConfig& config = made_.config_;
  std::string ciphers = config.ciphers;
  if (ciphers.empty()) {
    ciphers = kCiphers;
    if (!made_.psk_.empty()) ciphers += ":" + std::string(kPskCiphers);
  }
  const auto refused = [](std::string_view key, const std::string& text) {
    return fault(key,
                 "found \"" + text + "\", which OpenSSL does not take (" + take_tls_errors() + ")");
  };
  if (SSL_CTX_set_cipher_list(context, ciphers.c_str()) != 1)
    return refused("tls.ciphers", ciphers);
  if (!config.ciphersuites.empty() &&
      SSL_CTX_set_ciphersuites(context, config.ciphersuites.c_str()) != 1)
    return refused("tls.ciphersuites", config.ciphersuites);
  if (!config.groups.empty() && SSL_CTX_set1_groups_list(context, config.groups.c_str()) != 1)
    return refused("tls.groups", config.groups);
  return {};
}

// --- Whom to trust

Result<void> TlsLoading::load_trust() {
  const TlsConfig& config = made_.config_;
  std::string ca;
  std::string crl;
  X509_STORE* const store = SSL_CTX_get_cert_store(made_.first());
  if (!config.ca.empty()) {
    Result<std::string> text = read_tls_file("tls.ca", config.ca);
    if (!text) return text.error();
    ca = std::move(*text);
    const Bio bio = bio_of(ca);
    int count = 0;
    while (const Certificate each{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
      if (X509_STORE_add_cert(store, each.get()) != 1)
        return tls_fault("tls.ca", config.ca, "holds a certificate that cannot be used");
      for (const auto& context : made_.contexts_) SSL_CTX_add_client_CA(context.get(), each.get());
      ++count;
    }
    if (count == 0) return tls_fault("tls.ca", config.ca, "holds no certificate");
    take_tls_errors();
  }
  if (!config.crl.empty()) {
    Result<std::string> text = read_tls_file("tls.crl", config.crl);
    if (!text) return text.error();
    crl = std::move(*text);
    const Bio bio = bio_of(crl);
    int count = 0;
    while (const Crl each{PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr)}) {
      X509_STORE_add_crl(store, each.get());
      ++count;
    }
    if (count == 0)
      return tls_fault("tls.crl", config.crl, "holds no list of revoked certificates");
    take_tls_errors();
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    X509_STORE_set_verify_cb(store, &on_verify);
  }
  const int mode = config.verify == TlsVerify::None ? SSL_VERIFY_NONE
                   : config.verify == TlsVerify::Optional
                       ? SSL_VERIFY_PEER
                       : SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  for (const auto& context : made_.contexts_) {
    SSL_CTX_set_verify(context.get(), mode, nullptr);
    SSL_CTX_set_verify_depth(context.get(), kChainDepthMax);
    if (context.get() != made_.first()) SSL_CTX_set1_cert_store(context.get(), store);
  }
  made_.trust_ += ca + '\n' + crl + '\n';
  sum_up_trust();
  return {};
}

// What lets a client in: as long as it stays the same, nobody needs to be asked again.
void TlsLoading::sum_up_trust() {
  std::vector<std::string> listed(made_.fingerprints_.begin(), made_.fingerprints_.end());
  std::sort(listed.begin(), listed.end());
  for (const std::string& each : listed) made_.trust_ += each + '\n';
  made_.trust_ += static_cast<char>('0' + static_cast<int>(made_.config_.verify));
  made_.trust_ += static_cast<char>('0' + static_cast<int>(made_.config_.identity));
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(made_.trust_.data(), made_.trust_.size(), digest.data(), &size, EVP_sha256(), nullptr);
  OPENSSL_cleanse(made_.trust_.data(), made_.trust_.size());
  made_.trust_.assign(digest.begin(), digest.begin() + size);
}

Result<void> TlsLoading::load_ocsp() {
  const std::string& path = made_.config_.ocsp;
  if (path.empty()) return {};
  Result<std::string> bytes = read_tls_file("tls.ocsp", path);
  if (!bytes) return bytes.error();
  const auto* at = reinterpret_cast<const unsigned char*>(bytes->data());
  const std::unique_ptr<OCSP_RESPONSE, Freed<&OCSP_RESPONSE_free>> response(
      d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(bytes->size())));
  if (!response || OCSP_response_status(response.get()) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
    return tls_fault("tls.ocsp", path, "is no successful OCSP response in DER");
  const std::unique_ptr<OCSP_BASICRESP, Freed<&OCSP_BASICRESP_free>> basic(
      OCSP_response_get1_basic(response.get()));
  OCSP_SINGLERESP* single = basic ? OCSP_resp_get0(basic.get(), 0) : nullptr;
  if (single == nullptr) return tls_fault("tls.ocsp", path, "answers for no certificate");
  const OCSP_CERTID* id = OCSP_SINGLERESP_get0_id(single);
  ASN1_INTEGER* serial = nullptr;
  OCSP_id_get0_info(nullptr, nullptr, nullptr, &serial, const_cast<OCSP_CERTID*>(id));
  X509* const own = SSL_CTX_get0_certificate(made_.first());
  if (own == nullptr || serial == nullptr ||
      ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(own)) != 0)
    return fault("tls.ocsp",
                 "\"" + path + "\" answers for another certificate than tls.certificate");
  ASN1_GENERALIZEDTIME* next = nullptr;
  OCSP_single_get0_status(single, nullptr, nullptr, nullptr, &next);
  made_.ocsp_until_ = seconds_of(next);
  made_.ocsp_ = std::move(*bytes);
  return {};
}

}  // namespace twinmq::net
