#pragma once
// A fast hash of short texts under a secret key, for tables whose keys come from clients: without
// the key nobody can choose texts that collide. Multiply-and-fold mixing of 64 x 64 bits, as in the
// wyhash family.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace twinmq::base {

/// Both halves of the 128-bit product, folded.
inline std::uint64_t fold_multiply(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = Wide{a} * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

class KeyedHash {
 public:
  explicit KeyedHash(std::uint64_t seed) {
    for (std::uint64_t* word : {&first_, &second_, &third_}) *word = next_secret(seed);
  }

  /// `tweak` gives independent functions under the same key.
  std::uint64_t operator()(std::string_view text, std::uint64_t tweak = 0) const {
    const char* at = text.data();
    const std::size_t size = text.size();
    std::uint64_t state = first_ ^ (tweak * 0x9E3779B97F4A7C15U);
    std::uint64_t a = 0;
    std::uint64_t b = 0;
    if (size > 16) {
      std::size_t left = size;
      for (; left > 16; left -= 16, at += 16) {
        state = fold_multiply(read8(at) ^ second_, read8(at + 8) ^ state);
      }
      a = read8(at + left - 16);
      b = read8(at + left - 8);
    } else if (size >= 8) {
      a = read8(at);
      b = read8(at + size - 8);
    } else if (size >= 4) {
      a = read4(at);
      b = read4(at + size - 4);
    } else if (size > 0) {
      a = static_cast<std::uint64_t>(static_cast<unsigned char>(at[0])) << 16 |
          static_cast<std::uint64_t>(static_cast<unsigned char>(at[size / 2])) << 8 |
          static_cast<unsigned char>(at[size - 1]);
    }
    return fold_multiply(second_ ^ size, fold_multiply(a ^ third_, b ^ state));
  }

  /// For numbers: pointers, pairs of identifiers.
  std::uint64_t operator()(std::uint64_t a, std::uint64_t b) const {
    return fold_multiply(second_, fold_multiply(a ^ third_, b ^ first_));
  }

  /// The bits a HashIndex works with.
  static std::uint32_t narrow(std::uint64_t hash) {
    return static_cast<std::uint32_t>(hash ^ (hash >> 32));
  }

 private:
  static std::uint64_t next_secret(std::uint64_t& state) {
    state += 0x9E3779B97F4A7C15U;
    std::uint64_t word = state;
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9U;
    word = (word ^ (word >> 27)) * 0x94D049BB133111EBU;
    return (word ^ (word >> 31)) | 1;
  }
  static std::uint64_t read8(const char* at) {
    std::uint64_t word;
    std::memcpy(&word, at, sizeof word);
    return word;
  }
  static std::uint64_t read4(const char* at) {
    std::uint32_t word;
    std::memcpy(&word, at, sizeof word);
    return word;
  }

  std::uint64_t first_;
  std::uint64_t second_;
  std::uint64_t third_;
};

}  // namespace twinmq::base
