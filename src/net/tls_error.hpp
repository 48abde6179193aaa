#pragma once
// What OpenSSL has to say about the last failure.

#include <string>

namespace twinmq::net {

/// The reasons in OpenSSL's queue, the oldest first, and the queue empty: "no shared cipher".
std::string take_tls_errors();

}  // namespace twinmq::net
