#pragma once
// What a certificate says of its owner.

#include <string>

#include <openssl/types.h>

#include <twinmq/config.hpp>
#include <twinmq/result.hpp>

namespace twinmq::net {

/// SHA-256 of the whole certificate in lower-case hexadecimal digits.
std::string certificate_fingerprint(const X509& certificate);

/// RFC 2253, everything beyond printable ASCII escaped: "CN=device7,O=Plant".
std::string certificate_subject(const X509& certificate);

/// The name the certificate gives its owner, by the listener's choice; empty for None. A name that
/// is absent, ambiguous, or no MQTT text (a zero byte, invalid UTF-8, controls, + or #) is an
/// error: whoever presents it must not be taken for somebody else.
Result<std::string> certificate_identity(const X509& certificate, TlsIdentity kind);

}  // namespace twinmq::net
