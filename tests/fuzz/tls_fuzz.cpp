// Bytes from a client that need not be one, into the server's side of TLS. The first byte says what
// the server is like and how the rest is cut; a genuine ClientHello stands in the corpus.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <unistd.h>

#include "fuzz/require.hpp"
#include "net/tls_filter.hpp"

namespace twinmq::net {
namespace {

// A certificate and its key in one file, made for this process.
std::string own_certificate() {
  const std::string path = (std::filesystem::temp_directory_path() /
                            ("twinmq-tls-fuzz-" + std::to_string(::getpid()) + ".pem"))
                               .string();
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 86'400);
  X509_set_pubkey(certificate, key);
  X509_sign(certificate, key, EVP_sha256());
  std::FILE* file = std::fopen(path.c_str(), "wb");
  TWINMQ_REQUIRE(file != nullptr);
  PEM_write_X509(file, certificate);
  PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(file);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return path;
}

std::shared_ptr<TlsServer> server_of(const std::string& path, bool asks) {
  TlsConfig config;
  config.certificate = path;
  if (asks) {
    config.verify = TlsVerify::Optional;
    config.ca = path;
    config.identity = TlsIdentity::CommonName;
  }
  auto server = TlsServer::open(config, false);
  TWINMQ_REQUIRE(server.has_value());
  return *server;
}

void feed(bool asks, std::size_t piece, ByteView bytes) {
  static const auto servers = [] {
    const std::string path = own_certificate();
    std::array made{server_of(path, false), server_of(path, true)};
    std::filesystem::remove(path);
    return made;
  }();
  TlsServerFilter filter(servers[asks ? 1 : 0]);
  ByteBuffer up;
  ByteBuffer down;
  while (!bytes.empty()) {
    const std::size_t taken = std::min(piece, bytes.size());
    filter.receive(bytes.first(taken), up, down);
    bytes = bytes.subspan(taken);
    // Nobody without the keys of a handshake gets anything past it.
    TWINMQ_REQUIRE(filter.state() == FilterState::Handshaking ||
                   filter.state() == FilterState::Failed);
    TWINMQ_REQUIRE(up.empty());
    TWINMQ_REQUIRE((filter.state() == FilterState::Failed) == !filter.error().empty());
    TWINMQ_REQUIRE(down.size() < 65'536);
  }
  filter.end(down);
  TWINMQ_REQUIRE(filter.objection().empty());
}

}  // namespace
}  // namespace twinmq::net

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = std::size_t{1} << (data[0] >> 4);
  twinmq::net::feed((data[0] & 1) != 0, piece, {data + 1, size - 1});
  return 0;
}
