#include "modules/access/scram.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <array>
#include <charconv>
#include <utility>

#include "modules/access/base64.hpp"

namespace twinmq::access {
namespace {

constexpr std::size_t kSaltBytesMax = 256;
constexpr std::size_t kNonceBytesMax = 1024;
constexpr std::size_t kUserBytesMax = 65'535;

const unsigned char* raw(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

const EVP_MD* digest_of(ScramHash hash) {
  return hash == ScramHash::Sha256 ? EVP_sha256() : EVP_sha512();
}

std::size_t bytes_of_hash(ScramHash hash) {
  return hash == ScramHash::Sha256 ? 32 : 64;
}

std::string hashed(ScramHash hash, std::string_view text) {
  std::string out(bytes_of_hash(hash), '\0');
  const int done =
      EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(out.data()), nullptr,
                 digest_of(hash), nullptr);
  return done == 1 ? out : std::string();
}

/// Takes "x=value" off the front of a list of attributes; nothing: another one stands there.
std::optional<std::string_view> take(std::string_view& rest, char name) {
  if (rest.size() < 2 || rest[0] != name || rest[1] != '=') return std::nullopt;
  const std::size_t comma = rest.find(',');
  const std::string_view value =
      rest.substr(2, comma == std::string_view::npos ? comma : comma - 2);
  rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
  return value;
}

/// "=2C" is a comma and "=3D" an equals sign in names.
std::optional<std::string> decode_name(std::string_view name) {
  std::string decoded;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] != '=') {
      if (name[i] == '\0') return std::nullopt;
      decoded += name[i];
      continue;
    }
    const std::string_view code = name.substr(i + 1, 2);
    if (code != "2C" && code != "3D") return std::nullopt;
    decoded += code == "2C" ? ',' : '=';
    i += 2;
  }
  if (decoded.empty() || decoded.size() > kUserBytesMax) return std::nullopt;
  return decoded;
}

bool is_nonce(std::string_view text) {
  if (text.empty() || text.size() > kNonceBytesMax) return false;
  for (const char c : text) {
    if (c < 0x21 || c > 0x7E || c == ',') return false;
  }
  return true;
}

bool same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

std::optional<ScramHash> scram_hash_of(std::string_view method) {
  if (method == kScramSha256) return ScramHash::Sha256;
  if (method == kScramSha512) return ScramHash::Sha512;
  return std::nullopt;
}

std::string_view scram_method_of(ScramHash hash) {
  return hash == ScramHash::Sha256 ? kScramSha256 : kScramSha512;
}

std::string random_bytes(std::size_t count) {
  std::string out(count, '\0');
  const int done =
      RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(count));
  return done == 1 ? out : std::string();
}

std::string scram_hmac(ScramHash hash, std::string_view key, std::string_view text) {
  std::string out(bytes_of_hash(hash), '\0');
  unsigned size = 0;
  const auto* done = HMAC(digest_of(hash), key.data(), static_cast<int>(key.size()), raw(text),
                          text.size(), reinterpret_cast<unsigned char*>(out.data()), &size);
  return done != nullptr && size == out.size() ? out : std::string();
}

ScramKeys scram_keys(ScramHash hash, std::string_view password, std::string_view salt,
                     std::uint32_t iterations) {
  std::array<unsigned char, 64> salted{};
  const std::size_t size = bytes_of_hash(hash);
  const char* text = password.empty() ? "" : password.data();
  const int done = PKCS5_PBKDF2_HMAC(text, static_cast<int>(password.size()), raw(salt),
                                     static_cast<int>(salt.size()), static_cast<int>(iterations),
                                     digest_of(hash), static_cast<int>(size), salted.data());
  if (done != 1) return {};
  const std::string_view key(reinterpret_cast<const char*>(salted.data()), size);
  ScramKeys keys{hash, iterations, std::string(salt), {}, {}};
  std::string client_key = scram_hmac(hash, key, "Client Key");
  keys.stored_key = hashed(hash, client_key);
  keys.server_key = scram_hmac(hash, key, "Server Key");
  OPENSSL_cleanse(client_key.data(), client_key.size());
  OPENSSL_cleanse(salted.data(), salted.size());
  return keys;
}

std::string scram_entry(const ScramKeys& keys) {
  return std::string(scram_method_of(keys.hash)) + "$" + std::to_string(keys.iterations) + ":" +
         encode_base64(keys.salt) + "$" + encode_base64(keys.stored_key) + ":" +
         encode_base64(keys.server_key);
}

Result<ScramKeys, std::string> parse_scram_entry(std::string_view entry) {
  const std::string form =
      "allowed: SCRAM-SHA-256$iterations:salt$stored key:server key, and SCRAM-SHA-512";
  const std::size_t first = entry.find('$');
  const std::size_t colon = entry.find(':', first == std::string_view::npos ? first : first + 1);
  const std::size_t second = entry.find('$', colon == std::string_view::npos ? colon : colon + 1);
  const std::size_t last = entry.find(':', second == std::string_view::npos ? second : second + 1);
  const std::optional<ScramHash> hash = scram_hash_of(entry.substr(0, first));
  if (!hash || last == std::string_view::npos) return "the entry has no known form; " + form;
  ScramKeys keys;
  keys.hash = *hash;
  const std::string_view number = entry.substr(first + 1, colon - first - 1);
  const auto [end, fault] =
      std::from_chars(number.data(), number.data() + number.size(), keys.iterations);
  if (fault != std::errc() || end != number.data() + number.size() ||
      keys.iterations < kScramIterationsMin || keys.iterations > kScramIterationsMax) {
    return "the iterations must be a number from " + std::to_string(kScramIterationsMin) + " to " +
           std::to_string(kScramIterationsMax);
  }
  auto salt = decode_base64(entry.substr(colon + 1, second - colon - 1));
  auto stored = decode_base64(entry.substr(second + 1, last - second - 1));
  auto server = decode_base64(entry.substr(last + 1));
  const std::size_t size = bytes_of_hash(*hash);
  if (!salt || salt->size() > kSaltBytesMax)
    return "the salt must be base64 of 1 to " + std::to_string(kSaltBytesMax) + " bytes";
  if (!stored || !server || stored->size() != size || server->size() != size)
    return "the keys must be base64 of " + std::to_string(size) + " bytes each";
  keys.salt = std::move(*salt);
  keys.stored_key = std::move(*stored);
  keys.server_key = std::move(*server);
  return keys;
}

std::optional<ScramFirst> parse_scram_first(std::string_view message) {
  ScramFirst first;
  std::string_view rest = message;
  // "y": the client could bind to its channel and believes that we cannot, which is true.
  if (!rest.starts_with("n,") && !rest.starts_with("y,")) return std::nullopt;
  rest.remove_prefix(2);
  std::optional<std::string> acting_for;
  if (rest.starts_with("a=")) {
    acting_for = decode_name(take(rest, 'a').value_or(std::string_view()));
    if (!acting_for) return std::nullopt;
  } else if (rest.starts_with(',')) {
    rest.remove_prefix(1);
  } else {
    return std::nullopt;
  }
  first.gs2_header = message.substr(0, message.size() - rest.size());
  first.bare = rest;
  const auto name = take(rest, 'n');
  const auto nonce = take(rest, 'r');
  if (!name || !nonce || !is_nonce(*nonce)) return std::nullopt;
  auto user = decode_name(*name);
  if (!user || (acting_for && *acting_for != *user)) return std::nullopt;
  first.user = std::move(*user);
  first.nonce = *nonce;
  return first;
}

ScramExchange::ScramExchange(const ScramFirst& first, ScramKeys keys, std::string_view nonce,
                             bool real)
    : keys_(std::move(keys)),
      channel_(encode_base64(first.gs2_header)),
      nonce_(std::string(first.nonce) + std::string(nonce)),
      first_bare_(first.bare),
      challenge_("r=" + nonce_ + ",s=" + encode_base64(keys_.salt) +
                 ",i=" + std::to_string(keys_.iterations)),
      real_(real) {}

ScramExchange::Verdict ScramExchange::judge(std::string_view message) {
  std::string_view rest = message;
  const auto channel = take(rest, 'c');
  const auto nonce = take(rest, 'r');
  const std::size_t at = message.rfind(",p=");
  if (!channel || !nonce || at == std::string_view::npos) return Verdict::Malformed;
  const auto proof = decode_base64(message.substr(at + 3));
  if (!proof || proof->size() != bytes_of_hash(keys_.hash)) return Verdict::Malformed;

  const std::string text =
      first_bare_ + "," + challenge_ + "," + std::string(message.substr(0, at));
  std::string client_key = scram_hmac(keys_.hash, keys_.stored_key, text);
  if (client_key.empty()) return Verdict::Wrong;
  for (std::size_t i = 0; i < client_key.size(); ++i)
    client_key[i] = static_cast<char>(client_key[i] ^ (*proof)[i]);
  const bool proved = same(hashed(keys_.hash, client_key), keys_.stored_key);
  const bool ours = same(*nonce, nonce_) && same(*channel, channel_);
  OPENSSL_cleanse(client_key.data(), client_key.size());
  if (!proved || !ours || !real_) return Verdict::Wrong;
  confirmation_ = "v=" + encode_base64(scram_hmac(keys_.hash, keys_.server_key, text));
  return Verdict::Proved;
}

}  // namespace twinmq::access
