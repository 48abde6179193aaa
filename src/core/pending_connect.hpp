#pragma once
// What a link keeps between CONNECT and CONNACK, and during an authentication, when the answer
// comes later.

#include <memory>
#include <string>

#include <twinmq/access.hpp>

#include "core/link.hpp"

namespace twinmq::core {

/// The CONNECT whose session is opened once its client is known; views point into `body`.
struct Link::PendingConnect {
  std::string body;
  mqtt::Connect packet;
  std::string scratch;
};

/// A conversation with the authenticator. It outlives its answers only while the connection lives.
struct Link::Enhanced {
  std::string method;
  std::unique_ptr<Authentication> authentication;
  std::uint64_t question = 0;    ///< the answer expected; others come too late
  std::string data;              ///< for CONNACK
  bool awaiting_client = false;  ///< the next word is the client's
  bool reauthentication = false;
};

}  // namespace twinmq::core
