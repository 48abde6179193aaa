#include "support/tls_stream.hpp"

#include <cstdlib>
#include <stdexcept>
#include <utility>

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace twinmq::testing {
namespace {

SSL_CTX* client_context() {
  static SSL_CTX* const context = [] {
    SSL_CTX* made = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(made, SSL_VERIFY_PEER, nullptr);
    if (SSL_CTX_load_verify_file(made, (certificates() + "/ca.pem").c_str()) != 1)
      throw std::runtime_error("the test's authority cannot be read");
    return made;
  }();
  return context;
}

class TlsStream final : public Stream {
 public:
  explicit TlsStream(std::unique_ptr<Stream> below)
      : below_(std::move(below)), ssl_(SSL_new(client_context())) {
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl_, in_, out_);
    SSL_set1_host(ssl_, "localhost");
    SSL_set_tlsext_host_name(ssl_, "localhost");
    while (SSL_connect(ssl_) != 1) {
      if (SSL_get_error(ssl_, -1) != SSL_ERROR_WANT_READ)
        throw std::runtime_error("no TLS: " + error());
      drain();
      if (!fill()) throw std::runtime_error("the broker closed in the handshake");
    }
    drain();
  }
  ~TlsStream() override { SSL_free(ssl_); }

  void write(std::string_view bytes) override {
    if (bytes.empty()) return;
    if (SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())) <= 0) ERR_clear_error();
    drain();
  }

  bool read(std::string& bytes) override {
    for (;;) {
      if (take(bytes)) return true;
      if (closed_ || !fill()) return false;
    }
  }

  bool ended() const override { return (closed_ || below_->ended()) && BIO_ctrl_pending(in_) == 0; }
  void cut() override { below_->cut(); }

 private:
  static std::string error() {
    const char* reason = ERR_reason_error_string(ERR_get_error());
    return reason ? reason : "unknown";
  }

  bool fill() {
    std::string raw;
    if (!below_->read(raw)) return false;
    BIO_write(in_, raw.data(), static_cast<int>(raw.size()));
    return true;
  }

  void drain() {
    std::string raw(BIO_ctrl_pending(out_), '\0');
    if (raw.empty()) return;
    BIO_read(out_, raw.data(), static_cast<int>(raw.size()));
    below_->write(raw);
  }

  bool take(std::string& bytes) {
    char block[16384];
    bool some = false;
    for (;;) {
      const int got = SSL_read(ssl_, block, sizeof block);
      if (got <= 0) {
        const int why = SSL_get_error(ssl_, got);
        if (why == SSL_ERROR_ZERO_RETURN) {
          closed_ = true;
          // As over TCP, the broker's end is believed when the socket ends.
          std::string rest;
          while (below_->read(rest)) rest.clear();
        }
        if (why == SSL_ERROR_SSL) throw std::runtime_error("TLS: " + error());
        drain();
        return some;
      }
      bytes.append(block, static_cast<std::size_t>(got));
      some = true;
    }
  }

  std::unique_ptr<Stream> below_;
  SSL* ssl_;
  BIO* in_ = nullptr;   // the SSL's
  BIO* out_ = nullptr;  // the SSL's
  bool closed_ = false;
};

}  // namespace

const std::string& certificates() {
  static const std::string folder = [] {
    const std::string script = TWINMQ_SOURCE_DIR "/tests/support/certificates.sh";
    if (std::system((script + " '" TWINMQ_CERTIFICATES "'").c_str()) != 0)
      throw std::runtime_error("the test's certificates cannot be made");
    return std::string(TWINMQ_CERTIFICATES);
  }();
  return folder;
}

std::unique_ptr<Stream> make_tls_stream(std::unique_ptr<Stream> below) {
  return std::make_unique<TlsStream>(std::move(below));
}

}  // namespace twinmq::testing
