#include "net/tls_identity.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace twinmq::net {
namespace {

constexpr std::size_t kNameBytesMax = 1024;

Error refused(std::string why) {
  return {ErrorCode::PermissionDenied, std::move(why)};
}

// Strictly: no zero byte, no control, no overlong or unpaired code, and nothing that means more
// than itself in a topic filter.
bool is_sound_name(std::string_view name) {
  if (name.empty() || name.size() > kNameBytesMax) return false;
  for (std::size_t i = 0; i < name.size();) {
    const auto lead = static_cast<unsigned char>(name[i]);
    if (lead < 0x80) {
      if (lead < 0x20 || lead == 0x7F || lead == '+' || lead == '#') return false;
      ++i;
      continue;
    }
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 0;
    if (length == 0 || lead > 0xF4 || name.size() - i < length) return false;
    std::uint32_t code = lead & (0xFFu >> (length + 1));
    for (std::size_t k = 1; k < length; ++k) {
      const auto next = static_cast<unsigned char>(name[i + k]);
      if ((next & 0xC0) != 0x80) return false;
      code = (code << 6) | (next & 0x3F);
    }
    constexpr std::array<std::uint32_t, 5> kSmallest{0, 0, 0x80, 0x800, 0x10000};
    if (code < kSmallest[length] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000) ||
        code < 0xA0)
      return false;
    i += length;
  }
  return true;
}

Result<std::string> sound(const ASN1_STRING* value, const char* what) {
  unsigned char* text = nullptr;
  const int length = ASN1_STRING_to_UTF8(&text, value);
  if (length < 0) return refused(std::string("the certificate's ") + what + " is no text");
  std::string name(reinterpret_cast<const char*>(text), static_cast<std::size_t>(length));
  OPENSSL_free(text);
  if (!is_sound_name(name)) {
    return refused(std::string("the certificate's ") + what +
                   " is empty, too long, or has characters that a name may not have");
  }
  return name;
}

Result<std::string> common_name(const X509& certificate) {
  const X509_NAME* subject = X509_get_subject_name(&certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return refused("the certificate has no CN");
  if (X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
    return refused("the certificate has more than one CN");
  return sound(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)), "CN");
}

// The first DNS name, URI or address of mail.
Result<std::string> alternative_name(const X509& certificate) {
  const std::unique_ptr<GENERAL_NAMES, void (*)(GENERAL_NAMES*)> names(
      static_cast<GENERAL_NAMES*>(
          X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)),
      [](GENERAL_NAMES* all) { GENERAL_NAMES_free(all); });
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS || name->type == GEN_URI || name->type == GEN_EMAIL)
      return sound(name->d.ia5, "subject alternative name");
  }
  return refused("the certificate has no subject alternative name");
}

}  // namespace

std::string certificate_fingerprint(const X509& certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (X509_digest(&certificate, EVP_sha256(), digest.data(), &size) != 1) return {};
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    text += kDigits[digest[i] >> 4];
    text += kDigits[digest[i] & 15];
  }
  return text;
}

std::string certificate_subject(const X509& certificate) {
  const std::unique_ptr<BIO, void (*)(BIO*)> out(BIO_new(BIO_s_mem()),
                                                 [](BIO* bio) { BIO_free(bio); });
  if (!out) return {};
  X509_NAME_print_ex(out.get(), X509_get_subject_name(&certificate), 0, XN_FLAG_RFC2253);
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size > 0 ? size : 0)};
}

Result<std::string> certificate_identity(const X509& certificate, TlsIdentity kind) {
  switch (kind) {
    case TlsIdentity::None: break;
    case TlsIdentity::CommonName: return common_name(certificate);
    case TlsIdentity::AlternativeName: return alternative_name(certificate);
    case TlsIdentity::Fingerprint: return certificate_fingerprint(certificate);
  }
  return std::string();
}

}  // namespace twinmq::net
