#pragma once
// TLS on top of another stream, by OpenSSL's memory BIOs. Shares no code with src/net.

#include <memory>
#include <string>

#include "support/broker_under_test.hpp"

namespace twinmq::testing {

/// The folder with what tests/support/certificates.sh makes.
const std::string& certificates();

/// Shakes hands at once and trusts the test's authority alone; throws when the handshake fails.
std::unique_ptr<Stream> make_tls_stream(std::unique_ptr<Stream> below);

}  // namespace twinmq::testing
