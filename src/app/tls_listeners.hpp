#pragma once
// The TLS side of every configured listener that has one, and its renewal.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <twinmq/config.hpp>
#include <twinmq/result.hpp>

#include "net/tls_server.hpp"

namespace twinmq::app {

/// Not for several threads at once; the servers are.
class TlsListeners {
 public:
  /// What the files of all listeners hold now, ready to be put in force at once.
  struct Renewal {
    struct Part {
      std::shared_ptr<net::TlsServer> server;
      std::shared_ptr<net::TlsContexts> contexts;  ///< null: the server is new and has them
    };
    std::map<std::string, Part> parts;
    std::string files;  ///< state_of_files() from before they were read
  };

  /// Reads every file; nothing changes. The error names the listener and the key.
  Result<Renewal> prepare(const std::vector<ListenerConfig>& listeners) const;
  /// Answers whether somebody who was trusted before might not be now. Without `keep_tickets` no
  /// earlier session can be resumed.
  bool install(Renewal renewal, bool keep_tickets);

  /// Null for a listener without TLS, or one that was not prepared.
  std::shared_ptr<net::TlsServer> of(const std::vector<ListenerConfig>& listeners,
                                     std::size_t index) const;

  /// Seconds since 1970 at which the first certificate expires; 0: there is none.
  std::uint64_t expiry() const;

 private:
  std::map<std::string, std::shared_ptr<net::TlsServer>> servers_;
};

/// Every file of every listener's TLS.
std::vector<std::string> tls_files(const std::vector<ListenerConfig>& listeners);

}  // namespace twinmq::app
