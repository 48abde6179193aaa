#include "net/tls_filter.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "net/tls_error.hpp"
#include "net/tls_identity.hpp"

namespace twinmq::net {
namespace {

constexpr std::size_t kRecordBytes = SSL3_RT_MAX_PLAIN_LENGTH;
/// What a record adds at most, and what OpenSSL may still hold of an unfinished one.
constexpr std::size_t kRecordOverhead = 64;
/// What an idle connection was measured to hold in OpenSSL.
constexpr std::size_t kIdleBytes = 10'240;

std::string text_or_empty(const char* text) {
  return text != nullptr ? text : "";
}

}  // namespace

/// OpenSSL's view of a TlsFilter::Pipe.
struct TlsPipeMethod {
  static BIO_METHOD* method() {
    static BIO_METHOD* const made = make();
    return made;
  }

  static BIO_METHOD* make() {
    BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "twinmq pipe");
    BIO_meth_set_write(method, &write);
    BIO_meth_set_read(method, &read);
    BIO_meth_set_ctrl(method, &control);
    BIO_meth_set_create(method, [](BIO* bio) {
      BIO_set_init(bio, 1);
      return 1;
    });
    return method;
  }

  static TlsFilter::Pipe& pipe_of(BIO* bio) {
    return *static_cast<TlsFilter::Pipe*>(BIO_get_data(bio));
  }

  static int write(BIO* bio, const char* bytes, int size) {
    TlsFilter::Pipe& pipe = pipe_of(bio);
    BIO_clear_retry_flags(bio);
    if (pipe.out == nullptr || size < 0) return -1;
    pipe.out->append(
        {reinterpret_cast<const std::uint8_t*>(bytes), static_cast<std::size_t>(size)});
    return size;
  }

  static int read(BIO* bio, char* out, int size) {
    TlsFilter::Pipe& pipe = pipe_of(bio);
    BIO_clear_retry_flags(bio);
    if (pipe.in.empty()) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const std::size_t taken = std::min(pipe.in.size(), static_cast<std::size_t>(size));
    std::memcpy(out, pipe.in.data(), taken);
    pipe.in = pipe.in.subspan(taken);
    return static_cast<int>(taken);
  }

  static long control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_FLUSH) return 1;
    if (command == BIO_CTRL_PENDING) return static_cast<long>(pipe_of(bio).in.size());
    return 0;
  }
};

TlsFilter::TlsFilter(SSL* ssl) : Filter(FilterState::Handshaking), ssl_(ssl) {
  BIO* const bio = ssl != nullptr ? BIO_new(TlsPipeMethod::method()) : nullptr;
  if (bio == nullptr) {
    fail("no memory for TLS");
    return;
  }
  BIO_set_data(bio, &pipe_);
  SSL_set_bio(ssl, bio, bio);
}

TlsFilter::~TlsFilter() {
  SSL_free(ssl_);
}

void TlsFilter::fail(std::string why) {
  state_ = FilterState::Failed;
  error_ = std::move(why);
}

void TlsFilter::fail_by_openssl(std::string_view what) {
  if (!refusal().empty()) {
    take_tls_errors();
    return fail(std::string(refusal()));
  }
  std::string why(what);
  const long verdict = SSL_get_verify_result(ssl_);
  if (verdict != X509_V_OK) why += X509_verify_cert_error_string(verdict) + std::string(", ");
  fail(why + take_tls_errors());
}

void TlsFilter::start(ByteBuffer& down) {
  if (state_ == FilterState::Failed || SSL_is_server(ssl_)) return;
  pipe_ = {{}, &down};
  shake_hands();
  pipe_ = {};
}

void TlsFilter::receive(ByteView bytes, ByteBuffer& up, ByteBuffer& down) {
  if (state_ == FilterState::Failed || state_ == FilterState::Ended) return;
  pipe_ = {bytes, &down};
  if (state_ == FilterState::Handshaking) shake_hands();
  if (state_ == FilterState::Open) read(up);
  pipe_ = {};
}

void TlsFilter::shake_hands() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  if (result != 1) {
    if (SSL_get_error(ssl_, result) == SSL_ERROR_WANT_READ) return;
    return fail_by_openssl("TLS handshake: ");
  }
  std::string objection = welcome();
  if (objection.empty()) {
    state_ = FilterState::Open;
    return;
  }
  // The peer learns that it is not wanted, not why.
  SSL_shutdown(ssl_);
  fail(std::move(objection));
}

// Until OpenSSL wants more: what it holds no socket would report.
void TlsFilter::read(ByteBuffer& up) {
  ERR_clear_error();
  up.room(pipe_.in.size() + kRecordBytes);
  while (true) {
    const std::span<std::uint8_t> room = up.room(kRecordBytes);
    std::size_t got = 0;
    const int result = SSL_read_ex(ssl_, room.data(), room.size(), &got);
    if (result == 1) {
      up.grow(got);
      continue;
    }
    switch (SSL_get_error(ssl_, result)) {
      case SSL_ERROR_WANT_READ: return;
      case SSL_ERROR_ZERO_RETURN: state_ = FilterState::Ended; return;
      default: return fail_by_openssl("TLS: ");
    }
  }
}

// What a turn has to say leaves in full records: small parts are put together, large ones are
// encrypted where they lie.
void TlsFilter::send(std::span<const iovec> parts, ByteBuffer& down) {
  if (state_ != FilterState::Open) return;
  std::size_t total = 0;
  for (const iovec& part : parts) total += part.iov_len;
  down.room(total + (total / kRecordBytes + parts.size() + 1) * kRecordOverhead);
  pipe_ = {{}, &down};
  ERR_clear_error();
  std::uint8_t stage[kRecordBytes];
  std::size_t staged = 0;
  for (std::size_t i = 0; i < parts.size() && state_ == FilterState::Open; ++i) {
    const auto* bytes = static_cast<const std::uint8_t*>(parts[i].iov_base);
    std::size_t size = parts[i].iov_len;
    while (size > 0 && state_ == FilterState::Open) {
      const bool last = i + 1 == parts.size();
      if (staged == 0 && (size >= kRecordBytes || last)) {
        const std::size_t whole = std::min(size, kRecordBytes);
        write(bytes, whole);
        bytes += whole;
        size -= whole;
        continue;
      }
      const std::size_t taken = std::min(size, kRecordBytes - staged);
      std::memcpy(stage + staged, bytes, taken);
      staged += taken;
      bytes += taken;
      size -= taken;
      if (staged < kRecordBytes) continue;
      write(stage, staged);
      staged = 0;
    }
  }
  if (staged > 0 && state_ == FilterState::Open) write(stage, staged);
  pipe_ = {};
}

void TlsFilter::write(const std::uint8_t* bytes, std::size_t size) {
  std::size_t written = 0;
  if (SSL_write_ex(ssl_, bytes, size, &written) != 1) fail_by_openssl("TLS: ");
}

void TlsFilter::end(ByteBuffer& down) {
  if (state_ != FilterState::Open && state_ != FilterState::Ended) return;
  pipe_ = {{}, &down};
  ERR_clear_error();
  SSL_shutdown(ssl_);
  pipe_ = {};
}

void TlsFilter::tell(ConnectionFacts& facts) const {
  facts.tls_version = text_or_empty(SSL_get_version(ssl_));
  facts.tls_cipher = text_or_empty(SSL_get_cipher_name(ssl_));
  facts.tls_server_name = text_or_empty(SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name));
  const unsigned char* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_, &protocol, &size);
  if (size > 0) facts.tls_protocol.assign(reinterpret_cast<const char*>(protocol), size);
  facts.tls_resumed = SSL_session_reused(ssl_) == 1;
}

std::size_t TlsFilter::memory() const {
  return sizeof *this + kIdleBytes;
}

// --- The server's side

TlsServerFilter::TlsServerFilter(std::shared_ptr<TlsServer> server)
    : TlsServerFilter(server, server->current()) {}

TlsServerFilter::TlsServerFilter(std::shared_ptr<TlsServer> server,
                                 std::shared_ptr<const TlsContexts> contexts)
    : TlsFilter(SSL_new(contexts->first())),
      server_(std::move(server)),
      contexts_(std::move(contexts)) {
  if (ssl() == nullptr) return;
  SSL_set_accept_state(ssl());
  guest_.contexts = contexts_.get();
  SSL_set_app_data(ssl(), &guest_);
}

std::string TlsServerFilter::welcome() {
  if (!guest_.psk_identity.empty()) {
    principal_ = guest_.psk_identity;
    return {};
  }
  const X509* certificate = SSL_get0_peer_certificate(ssl());
  if (certificate == nullptr) return {};
  Result<std::string> name = contexts_->admit(*certificate);
  if (!name) return name.error().detail;
  principal_ = std::move(*name);
  return {};
}

void TlsServerFilter::tell(ConnectionFacts& facts) const {
  TlsFilter::tell(facts);
  facts.principal = principal_;
  if (const X509* certificate = SSL_get0_peer_certificate(ssl())) {
    facts.certificate_subject = certificate_subject(*certificate);
    facts.certificate_fingerprint = certificate_fingerprint(*certificate);
  }
}

std::string_view TlsServerFilter::objection() {
  const std::shared_ptr<const TlsContexts> now = server_->current();
  if (state() != FilterState::Open || now == contexts_ || !now->judges_live() ||
      now->trusts_like(*contexts_))
    return {};
  objection_ = now->judge_again(SSL_get0_peer_certificate(ssl()), SSL_get_peer_cert_chain(ssl()),
                                guest_.psk_identity);
  return objection_;
}

}  // namespace twinmq::net
