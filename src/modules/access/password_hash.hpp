#pragma once
// Password hashes as Mosquitto writes them: "$6$salt$hash", SHA-512 of password and salt, and
// "$7$iterations$salt$hash", PBKDF2 with HMAC-SHA-512; salt and the 64 bytes of hash in base64.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <twinmq/result.hpp>

namespace twinmq::access {

/// Iterations of new hashes. mosquitto_passwd's 101 cost a thief of the file under 0.1 ms per
/// guess; 10,000 cost some milliseconds, and one core still verifies hundreds of clients a second.
inline constexpr std::uint32_t kIterations = 10'000;

/// One hash with more would occupy the hashing thread for many seconds.
inline constexpr std::uint32_t kIterationsMax = 10'000'000;

inline constexpr std::size_t kDigestBytes = 64;

struct PasswordHash {
  std::uint32_t iterations = 0;  ///< 0: the plain SHA-512 form ($6$)
  std::string salt;              ///< raw bytes
  std::array<std::uint8_t, kDigestBytes> digest{};
};

/// What is wrong with an entry, and where (bytes from 0). Never quotes the entry.
struct HashFault {
  std::size_t at = 0;
  std::string what;
};

Result<PasswordHash, HashFault> parse_password_hash(std::string_view entry);

/// Compares in a time that does not depend on the digest. Takes as long as `hash.iterations` say:
/// not for shard threads.
bool verify_password(const PasswordHash& hash, std::string_view password);

/// The same for an entry as written; false when it does not parse.
bool verify_password(std::string_view entry, std::string_view password);

/// What a password that was verified once is recognised by, in memory alone: clients that come back
/// after a restart of their network are not hashed again at full cost.
class PasswordMark {
 public:
  /// Empty while nothing is marked; wrong passwords still cost a whole hash.
  bool is(std::string_view password) const;
  void set(std::string_view password);

 private:
  bool set_ = false;
  std::array<std::uint8_t, 32> digest_{};  ///< keyed by a secret of this process
};

/// A new entry ($7$, kIterations, 12 random bytes of salt as mosquitto_passwd uses). Empty when the
/// system has no random bytes to give.
std::string hash_password(std::string_view password);

}  // namespace twinmq::access
