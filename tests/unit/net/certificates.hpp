#pragma once
// The certificates of the tests, and both sides of TLS made of them.

#include <catch2/catch.hpp>

#include <cstdlib>
#include <memory>
#include <string>

#include "net/tls_filter.hpp"

/// The file of that name; tests/support/certificates.sh says what there is.
inline std::string certificate_file(const std::string& name) {
  static const bool made = [] {
    const std::string script = TWINMQ_SOURCE_DIR "/tests/support/certificates.sh";
    return std::system((script + " '" TWINMQ_CERTIFICATES "'").c_str()) == 0;
  }();
  REQUIRE(made);
  return TWINMQ_CERTIFICATES "/" + name;
}

inline twinmq::TlsConfig server_config(const std::string& name = "server") {
  twinmq::TlsConfig config;
  config.certificate = certificate_file(name + ".pem");
  config.key = certificate_file(name + ".key");
  return config;
}

/// The same, asking clients for a certificate of the test's authority.
inline twinmq::TlsConfig asking_config(twinmq::TlsVerify verify = twinmq::TlsVerify::Required) {
  twinmq::TlsConfig config = server_config();
  config.ca = certificate_file("ca.pem");
  config.verify = verify;
  return config;
}

inline std::shared_ptr<twinmq::net::TlsServer> tls_server(
    const twinmq::TlsConfig& config = server_config()) {
  auto server = twinmq::net::TlsServer::open(config, false);
  INFO((server ? std::string() : server.error().detail));
  REQUIRE(server.has_value());
  return *server;
}

/// A client that trusts the test's authority; shows the certificate of that name, if any.
inline twinmq::net::TlsClient::Options client_options(const std::string& name = {}) {
  twinmq::net::TlsClient::Options options;
  options.ca = certificate_file("ca.pem");
  options.server_name = "localhost";
  if (name.empty()) return options;
  options.certificate = certificate_file(name + ".pem");
  options.key = certificate_file(name + ".key");
  return options;
}
