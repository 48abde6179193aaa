#include "sql/digest.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <climits>
#include <cstdint>

namespace twinmq::sql {
namespace {

const EVP_MD* algorithm_of(std::string_view name) {
  if (name == "md5") return EVP_md5();
  if (name == "sha1") return EVP_sha1();
  if (name == "sha224") return EVP_sha224();
  if (name == "sha256") return EVP_sha256();
  if (name == "sha384") return EVP_sha384();
  if (name == "sha512") return EVP_sha512();
  return nullptr;
}

// RFC 1319: a permutation made from the digits of pi. OpenSSL no longer has this digest.
std::array<std::uint8_t, 256> make_md2_table() {
  constexpr char kHex[] =
      "292E43C9A2D87C013D3654A1ECF0061362A705F3C0C7738C98932BD9BC4C82CA1E9B573CFDD4E01667426F188A17"
      "E512BE4E"
      "C4D6DA9EDE49A0FBF58EBB2FEE7AA968799115B2073F94C210890B225F21807F5D9A5A903227353ECCE7BFF79703"
      "FF1930B3"
      "48A5B5D1D75E922AAC56AAC64FB838D296A47DB676FC6BE29C7404F1459D705964718720865BCF65E62DA8021B60"
      "25ADAEB0"
      "B9F61C46616934407E0F5547A323DD51AF3AC35CF9CEBAC5EA262C530D6E85288409D3DFCDF441814D526ADC37C8"
      "6CC1ABFA"
      "24E17B080CBDB14A7888958BE363E86DE9CBD5FE3B001D39F2EFB70E6658D0E4A67772F8EB754B0A314450B48FED"
      "1F1ADB99"
      "8D339F118314";
  std::array<std::uint8_t, 256> table{};
  const auto nibble = [](char c) { return c <= '9' ? c - '0' : c - 'A' + 10; };
  for (std::size_t i = 0; i < 256; ++i)
    table[i] = static_cast<std::uint8_t>(nibble(kHex[2 * i]) << 4 | nibble(kHex[2 * i + 1]));
  return table;
}

std::string md2(std::string_view text) {
  static const std::array<std::uint8_t, 256> kTable = make_md2_table();
  std::array<std::uint8_t, 16> checksum{};
  std::array<std::uint8_t, 48> state{};
  std::uint8_t last = 0;
  const auto block = [&](const std::uint8_t* bytes, bool sum) {
    for (std::size_t i = 0; sum && i < 16; ++i) {
      checksum[i] = static_cast<std::uint8_t>(checksum[i] ^ kTable[bytes[i] ^ last]);
      last = checksum[i];
    }
    for (std::size_t i = 0; i < 16; ++i) {
      state[16 + i] = bytes[i];
      state[32 + i] = static_cast<std::uint8_t>(bytes[i] ^ state[i]);
    }
    std::uint8_t t = 0;
    for (unsigned round = 0; round < 18; ++round) {
      for (std::uint8_t& byte : state) t = byte = static_cast<std::uint8_t>(byte ^ kTable[t]);
      t = static_cast<std::uint8_t>(t + round);
    }
  };
  std::string padded(text);
  const std::size_t padding = 16 - padded.size() % 16;
  padded.append(padding, static_cast<char>(padding));
  for (std::size_t at = 0; at < padded.size(); at += 16)
    block(reinterpret_cast<const std::uint8_t*>(padded.data()) + at, true);
  const std::array<std::uint8_t, 16> sum = checksum;
  block(sum.data(), false);
  return {reinterpret_cast<const char*>(state.data()), 16};
}

}  // namespace

std::optional<std::string> digest(std::string_view algorithm, std::string_view text) {
  if (algorithm == "md2") return md2(text);
  const EVP_MD* kind = algorithm_of(algorithm);
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  if (kind == nullptr ||
      EVP_Digest(text.data(), text.size(), bytes.data(), &size, kind, nullptr) != 1)
    return std::nullopt;
  return std::string(reinterpret_cast<const char*>(bytes.data()), size);
}

std::optional<std::string> keyed_digest(std::string_view algorithm, std::string_view key,
                                        std::string_view text) {
  const EVP_MD* kind = algorithm_of(algorithm);
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  if (kind == nullptr || key.size() > INT_MAX) return std::nullopt;
  if (HMAC(kind, key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), bytes.data(),
           &size) == nullptr)
    return std::nullopt;
  return std::string(reinterpret_cast<const char*>(bytes.data()), size);
}

}  // namespace twinmq::sql
