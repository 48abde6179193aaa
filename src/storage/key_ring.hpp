#pragma once
// The keys of encrypted data. Files are encrypted with data keys, which lie in the file KEYS beside
// them, each wrapped (AES-256-GCM) by the owner's key. So another owner's key needs no file to be
// rewritten, and a wrong one is known at once.

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include <twinmq/result.hpp>

namespace twinmq::storage {

using CipherKey = std::array<unsigned char, 32>;

/// From 64 hexadecimal digits; blanks around them are ignored.
Result<CipherKey> parse_cipher_key(std::string_view text);

class KeyRing {
 public:
  /// Reads the file, or makes it with a first data key. If only `previous` opens it, it is wrapped
  /// anew by `owner`, and what is written from now on gets a new data key. `previous` may be null.
  static Result<KeyRing> open(const std::string& file, const CipherKey& owner,
                              const CipherKey* previous);

  /// The data key that new files get.
  std::uint32_t current() const { return keys_.rbegin()->first; }
  /// Null: there is no such key.
  const CipherKey* find(std::uint32_t id) const;

 private:
  static Result<KeyRing> unwrap(const std::string& file, const std::string& text,
                                const CipherKey& owner);
  Result<std::string> wrap(const CipherKey& owner) const;
  Result<void> add_key();

  std::map<std::uint32_t, CipherKey> keys_;
};

/// From the operating system; false: it gave none.
bool random_bytes(unsigned char* to, std::size_t size);

}  // namespace twinmq::storage
