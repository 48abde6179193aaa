#include <catch2/catch.hpp>

#include <memory>
#include <string>

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "net/tls_identity.hpp"

namespace {

using namespace twinmq;
using namespace twinmq::net;

using Certificate = std::unique_ptr<X509, void (*)(X509*)>;

/// A certificate whose subject has this CN, byte for byte.
Certificate named(const std::string& name, int kind = V_ASN1_UTF8STRING) {
  Certificate certificate(X509_new(), &X509_free);
  X509_NAME* subject = X509_NAME_new();
  ASN1_STRING* value = ASN1_STRING_type_new(kind);
  ASN1_STRING_set(value, name.data(), static_cast<int>(name.size()));
  X509_NAME_ENTRY* entry = X509_NAME_ENTRY_new();
  X509_NAME_ENTRY_set_object(entry, OBJ_nid2obj(NID_commonName));
  REQUIRE(X509_NAME_ENTRY_set_data(entry, kind, reinterpret_cast<const unsigned char*>(name.data()),
                                   static_cast<int>(name.size())) == 1);
  X509_NAME_add_entry(subject, entry, -1, 0);
  X509_set_subject_name(certificate.get(), subject);
  X509_NAME_ENTRY_free(entry);
  ASN1_STRING_free(value);
  X509_NAME_free(subject);
  return certificate;
}

Result<std::string> common_name(const std::string& name, int kind = V_ASN1_UTF8STRING) {
  return certificate_identity(*named(name, kind), TlsIdentity::CommonName);
}

TEST_CASE("a common name is a name") {
  CHECK(common_name("device7").value() == "device7");
  CHECK(common_name("Gerät 7").value() == "Gerät 7");
  CHECK(common_name("\xE9t\xE9", V_ASN1_T61STRING).value() == "été");
  CHECK(common_name("*.example").value() == "*.example");
}

TEST_CASE("a name that could be taken for another one is none") {
  CHECK_FALSE(common_name(std::string("admin\0.evil", 11)).has_value());
  CHECK_FALSE(common_name("").has_value());
  CHECK_FALSE(common_name("plant/#").has_value());
  CHECK_FALSE(common_name("+").has_value());
  CHECK_FALSE(common_name("line\nbreak").has_value());
  CHECK_FALSE(common_name(std::string("\x7F")).has_value());
  CHECK_FALSE(common_name(std::string(2000, 'x')).has_value());
}

TEST_CASE("text that is not UTF-8 is no name") {
  for (const char* bytes : {"\xC0\x80", "\xC3", "\xED\xA0\x80", "\xF5\x80\x80\x80", "\x80",
                            "\xE0\x80\x80", "\xC2\x80", "a\xFF"}) {
    CHECK_FALSE(common_name(bytes).has_value());
  }
}

TEST_CASE("without the part that names its owner a certificate names nobody") {
  const Certificate certificate = named("device7");
  CHECK_FALSE(certificate_identity(*certificate, TlsIdentity::AlternativeName).has_value());
  CHECK(certificate_identity(*certificate, TlsIdentity::None).value().empty());
  CHECK(certificate_subject(*certificate) == "CN=device7");
  CHECK(certificate_subject(*named("a,b\nc")) == "CN=a\\,b\\0Ac");
}

}  // namespace
