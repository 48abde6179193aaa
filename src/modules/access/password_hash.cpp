#include "modules/access/password_hash.hpp"

#include <charconv>
#include <memory>
#include <optional>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "modules/access/base64.hpp"

namespace twinmq::access {
namespace {

constexpr std::size_t kSaltBytes = 12;
constexpr std::size_t kSaltBytesMax = 256;
constexpr std::string_view kForms = "allowed: $6$salt$hash and $7$iterations$salt$hash";

using Digest = std::array<std::uint8_t, kDigestBytes>;

std::optional<Digest> compute(std::uint32_t iterations, std::string_view salt,
                              std::string_view password) {
  Digest out{};
  if (iterations > 0) {
    const char* text = password.empty() ? "" : password.data();
    const int done = PKCS5_PBKDF2_HMAC(text, static_cast<int>(password.size()),
                                       reinterpret_cast<const unsigned char*>(salt.data()),
                                       static_cast<int>(salt.size()), static_cast<int>(iterations),
                                       EVP_sha512(), static_cast<int>(out.size()), out.data());
    if (done != 1) return std::nullopt;
    return out;
  }
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  if (!context || EVP_DigestInit_ex(context.get(), EVP_sha512(), nullptr) != 1 ||
      EVP_DigestUpdate(context.get(), password.data(), password.size()) != 1 ||
      EVP_DigestUpdate(context.get(), salt.data(), salt.size()) != 1 ||
      EVP_DigestFinal_ex(context.get(), out.data(), nullptr) != 1) {
    return std::nullopt;
  }
  return out;
}

// Splits an entry at '$' and remembers where each field began.
class Fields {
 public:
  explicit Fields(std::string_view rest, std::size_t at) : rest_(rest), next_(at) {}

  std::string_view next() {
    at_ = next_;
    const std::size_t end = rest_.find('$');
    const std::string_view field = rest_.substr(0, end);
    const std::size_t used = end == std::string_view::npos ? rest_.size() : end + 1;
    rest_.remove_prefix(used);
    next_ += used;
    return field;
  }
  std::size_t at() const { return at_; }
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  std::size_t next_;
  std::size_t at_ = 0;
};

}  // namespace

Result<PasswordHash, HashFault> parse_password_hash(std::string_view entry) {
  if (!entry.starts_with("$6$") && !entry.starts_with("$7$")) {
    return HashFault{0, "the password is not hashed in a known form; " + std::string(kForms)};
  }
  PasswordHash hash;
  Fields fields(entry.substr(3), 3);
  if (entry[1] == '7') {
    const std::string_view number = fields.next();
    const auto [end, failed] =
        std::from_chars(number.data(), number.data() + number.size(), hash.iterations);
    if (failed != std::errc{} || end != number.data() + number.size() || hash.iterations == 0 ||
        hash.iterations > kIterationsMax) {
      return HashFault{fields.at(), "the iterations must be a number from 1 to " +
                                        std::to_string(kIterationsMax)};
    }
  }
  std::optional<std::string> salt = decode_base64(fields.next());
  if (!salt || salt->empty() || salt->size() > kSaltBytesMax) {
    return HashFault{fields.at(),
                     "the salt must be base64 of 1 to " + std::to_string(kSaltBytesMax) + " bytes"};
  }
  hash.salt = std::move(*salt);
  const std::optional<std::string> digest = decode_base64(fields.next());
  if (!digest || digest->size() != kDigestBytes) {
    return HashFault{fields.at(),
                     "the hash must be base64 of " + std::to_string(kDigestBytes) + " bytes"};
  }
  std::copy(digest->begin(), digest->end(), hash.digest.begin());
  if (!fields.at_end()) {
    fields.next();
    return HashFault{fields.at(), "nothing may follow the hash; " + std::string(kForms)};
  }
  return hash;
}

bool verify_password(const PasswordHash& hash, std::string_view password) {
  std::optional<Digest> digest = compute(hash.iterations, hash.salt, password);
  if (!digest) return false;
  const bool same = CRYPTO_memcmp(digest->data(), hash.digest.data(), kDigestBytes) == 0;
  OPENSSL_cleanse(digest->data(), digest->size());
  return same;
}

bool verify_password(std::string_view entry, std::string_view password) {
  const Result<PasswordHash, HashFault> hash = parse_password_hash(entry);
  return hash && verify_password(*hash, password);
}

namespace {

using MarkDigest = std::array<std::uint8_t, 32>;

std::optional<MarkDigest> mark_of(std::string_view password) {
  static const std::optional<MarkDigest> secret = [] {
    MarkDigest bytes{};
    return RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1 ? std::optional(bytes)
                                                                         : std::nullopt;
  }();
  MarkDigest digest{};
  unsigned size = 0;
  if (!secret || !HMAC(EVP_sha256(), secret->data(), static_cast<int>(secret->size()),
                       reinterpret_cast<const unsigned char*>(password.data()), password.size(),
                       digest.data(), &size))
    return std::nullopt;
  return digest;
}

}  // namespace

bool PasswordMark::is(std::string_view password) const {
  if (!set_) return false;
  const auto digest = mark_of(password);
  return digest && CRYPTO_memcmp(digest->data(), digest_.data(), digest_.size()) == 0;
}

void PasswordMark::set(std::string_view password) {
  if (const auto digest = mark_of(password)) {
    digest_ = *digest;
    set_ = true;
  }
}

std::string hash_password(std::string_view password) {
  std::array<std::uint8_t, kSaltBytes> salt{};
  if (RAND_bytes(salt.data(), static_cast<int>(salt.size())) != 1) return {};
  const std::string_view salt_text(reinterpret_cast<const char*>(salt.data()), salt.size());
  const std::optional<Digest> digest = compute(kIterations, salt_text, password);
  if (!digest) return {};
  return "$7$" + std::to_string(kIterations) + "$" + encode_base64(salt_text) + "$" +
         encode_base64({reinterpret_cast<const char*>(digest->data()), digest->size()});
}

}  // namespace twinmq::access
