#pragma once
// A fast hash for strings. Not cryptographic: tables that hold what strangers chose take a random
// seed.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace twinmq::base {

namespace hash_detail {

__extension__ using Wide = unsigned __int128;

inline std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

inline std::uint64_t load8(const char* from) {
  std::uint64_t value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

inline std::uint64_t load4(const char* from) {
  std::uint32_t value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

}  // namespace hash_detail

/// The same text and seed give the same value on every run of the same machine; do not store it.
/// Every bit of the result is usable.
inline std::uint64_t mix_hash(std::string_view text, std::uint64_t seed) {
  using hash_detail::fold, hash_detail::load4, hash_detail::load8;
  constexpr std::uint64_t k1 = 0x9e3779b97f4a7c15, k2 = 0xd6e8feb86659fd93, k3 = 0xa0761d6478bd642f;
  const char* at = text.data();
  std::size_t left = text.size();
  std::uint64_t state = seed ^ fold(seed ^ k1, left ^ k2);
  while (left > 16) {
    state = fold(load8(at) ^ k2, load8(at + 8) ^ state);
    at += 16;
    left -= 16;
  }
  // The last 1..16 bytes as two words that overlap rather than branch on every length.
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  if (left >= 8) {
    a = load8(at);
    b = load8(at + left - 8);
  } else if (left >= 4) {
    a = load4(at);
    b = load4(at + left - 4);
  } else if (left > 0) {
    a = (std::uint64_t{static_cast<unsigned char>(at[0])} << 16) |
        (std::uint64_t{static_cast<unsigned char>(at[left / 2])} << 8) |
        static_cast<unsigned char>(at[left - 1]);
  }
  return fold(k3 ^ text.size(), fold(a ^ k2, b ^ state));
}

/// Hashes text keys of a table with the table's own seed; also accepts std::string_view for
/// look-ups.
struct SeededTextHash {
  using is_transparent = void;
  std::uint64_t seed = 0;
  std::size_t operator()(std::string_view text) const { return mix_hash(text, seed); }
};

}  // namespace twinmq::base
