#pragma once
// SCRAM (RFC 5802, RFC 7677) as a server speaks it, without channel binding: keys, and one
// exchange.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <twinmq/result.hpp>

namespace twinmq::access {

enum class ScramHash : std::uint8_t { Sha256, Sha512 };

inline constexpr std::string_view kScramSha256 = "SCRAM-SHA-256";
inline constexpr std::string_view kScramSha512 = "SCRAM-SHA-512";

/// The hash of an authentication method; nothing: it is no SCRAM method.
std::optional<ScramHash> scram_hash_of(std::string_view method);
std::string_view scram_method_of(ScramHash hash);

/// What RFC 7677 asks for at least.
inline constexpr std::uint32_t kScramIterationsMin = 4096;
/// Of new entries: the client pays, for every connection.
inline constexpr std::uint32_t kScramIterations = 10'000;
inline constexpr std::uint32_t kScramIterationsMax = 10'000'000;

/// What is kept of a password. Whoever steals it cannot log in with it, only guess.
struct ScramKeys {
  ScramHash hash = ScramHash::Sha256;
  std::uint32_t iterations = kScramIterations;
  std::string salt;        ///< raw bytes
  std::string stored_key;  ///< raw bytes, as many as the hash has
  std::string server_key;
};

/// Takes as long as the iterations say; empty keys: the system's cryptography failed.
ScramKeys scram_keys(ScramHash hash, std::string_view password, std::string_view salt,
                     std::uint32_t iterations);

/// "SCRAM-SHA-256$10000:salt$stored key:server key", the last three in base64.
std::string scram_entry(const ScramKeys& keys);
/// What is wrong is a sentence that does not quote the entry.
Result<ScramKeys, std::string> parse_scram_entry(std::string_view entry);

/// The client's first message.
struct ScramFirst {
  std::string user;
  std::string_view gs2_header;  ///< "n,,": what the second message must repeat
  std::string_view bare;        ///< the message behind that header
  std::string_view nonce;
};

/// Nothing: malformed, or it asks for what is not offered (channel binding, extensions, to act for
/// somebody else). Views point into `message`.
std::optional<ScramFirst> parse_scram_first(std::string_view message);

/// The exchange with one client whose name is known, or pretended to be.
class ScramExchange {
 public:
  /// `nonce` is ours, printable and without comma. With `real` false every proof is wrong.
  ScramExchange(const ScramFirst& first, ScramKeys keys, std::string_view nonce, bool real);

  /// The server's first message.
  const std::string& challenge() const { return challenge_; }

  enum class Verdict : std::uint8_t { Proved, Wrong, Malformed };
  /// Judges the client's second message. Takes the same time for a wrong proof, whatever is wrong.
  Verdict judge(std::string_view message);
  /// The server's proof of its own knowledge, once the client's was right.
  const std::string& confirmation() const { return confirmation_; }

 private:
  ScramKeys keys_;
  std::string channel_;  ///< the expected c= attribute
  std::string nonce_;    ///< both halves
  std::string first_bare_;
  std::string challenge_;
  std::string confirmation_;
  bool real_;
};

/// Bytes that nobody can predict; empty: the system has none to give.
std::string random_bytes(std::size_t count);

/// HMAC of the hash; for keys and for salts of users that do not exist.
std::string scram_hmac(ScramHash hash, std::string_view key, std::string_view text);

}  // namespace twinmq::access
