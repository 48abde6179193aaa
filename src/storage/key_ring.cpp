#include "storage/key_ring.hpp"

#include <unistd.h>

#include <memory>
#include <sstream>
#include <vector>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "storage/data_directory.hpp"

namespace twinmq::storage {

namespace {

constexpr std::string_view kHead = "twinmq-keys 1";
constexpr std::size_t kNonce = 12;
constexpr std::size_t kTag = 16;

using Context = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool from_hex(std::string_view text, unsigned char* to, std::size_t size) {
  if (text.size() != 2 * size) return false;
  for (std::size_t i = 0; i < size; ++i) {
    const int high = digit(text[2 * i]);
    const int low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    to[i] = static_cast<unsigned char>(high << 4 | low);
  }
  return true;
}

std::string to_hex(const unsigned char* bytes, std::size_t size) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < size; ++i) {
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

// What binds a wrapped key to its number.
std::string label(std::uint32_t id) {
  return "twinmq data key " + std::to_string(id);
}

using Sealed = std::array<unsigned char, kNonce + sizeof(CipherKey) + kTag>;

bool seal(const CipherKey& owner, std::uint32_t id, const CipherKey& key, Sealed& sealed) {
  const Context context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  unsigned char* const nonce = sealed.data();
  unsigned char* const body = nonce + kNonce;
  const std::string name = label(id);
  int size = 0;
  return context && random_bytes(nonce, kNonce) &&
         EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, owner.data(), nonce) == 1 &&
         EVP_EncryptUpdate(context.get(), nullptr, &size,
                           reinterpret_cast<const unsigned char*>(name.data()),
                           static_cast<int>(name.size())) == 1 &&
         EVP_EncryptUpdate(context.get(), body, &size, key.data(), static_cast<int>(key.size())) ==
             1 &&
         EVP_EncryptFinal_ex(context.get(), body + size, &size) == 1 &&
         EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kTag, body + sizeof(CipherKey)) ==
             1;
}

bool unseal(const CipherKey& owner, std::uint32_t id, Sealed& sealed, CipherKey& key) {
  const Context context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  unsigned char* const nonce = sealed.data();
  unsigned char* const body = nonce + kNonce;
  const std::string name = label(id);
  int size = 0;
  return context &&
         EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, owner.data(), nonce) == 1 &&
         EVP_DecryptUpdate(context.get(), nullptr, &size,
                           reinterpret_cast<const unsigned char*>(name.data()),
                           static_cast<int>(name.size())) == 1 &&
         EVP_DecryptUpdate(context.get(), key.data(), &size, body, sizeof(CipherKey)) == 1 &&
         EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kTag, body + sizeof(CipherKey)) ==
             1 &&
         EVP_DecryptFinal_ex(context.get(), key.data() + size, &size) == 1;
}

Error no_chance() {
  return {ErrorCode::Internal, "the system gave no random bytes for a key"};
}

}  // namespace

// The kernel's: OpenSSL would keep a generator for each of RocksDB's threads, which never end.
bool random_bytes(unsigned char* to, std::size_t size) {
  constexpr std::size_t kAtOnce = 256;
  for (; size > kAtOnce; size -= kAtOnce, to += kAtOnce)
    if (::getentropy(to, kAtOnce) != 0) return false;
  return ::getentropy(to, size) == 0;
}

Result<CipherKey> parse_cipher_key(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  while (!text.empty() && kBlanks.find(text.front()) != std::string_view::npos)
    text.remove_prefix(1);
  while (!text.empty() && kBlanks.find(text.back()) != std::string_view::npos)
    text.remove_suffix(1);
  CipherKey key;
  if (from_hex(text, key.data(), key.size())) return key;
  return Error{ErrorCode::InvalidArgument,
               "found something else, allowed: 64 hexadecimal digits (make them with: openssl rand "
               "-hex 32)"};
}

Result<KeyRing> KeyRing::open(const std::string& file, const CipherKey& owner,
                              const CipherKey* previous) {
  const Result<std::string> text = read_file(file);
  if (!text && text.error().code != ErrorCode::NotFound) return text.error();
  KeyRing ring;
  if (text) {
    Result<KeyRing> opened = unwrap(file, *text, owner);
    if (opened || previous == nullptr) return opened;
    opened = unwrap(file, *text, *previous);
    if (!opened) return opened;
    ring = std::move(*opened);
  }
  if (const Result<void> added = ring.add_key(); !added) return added.error();
  const Result<std::string> wrapped = ring.wrap(owner);
  if (!wrapped) return wrapped.error();
  if (const Result<void> written = replace_file(file, *wrapped); !written) return written.error();
  return ring;
}

const CipherKey* KeyRing::find(std::uint32_t id) const {
  const auto found = keys_.find(id);
  return found == keys_.end() ? nullptr : &found->second;
}

Result<KeyRing> KeyRing::unwrap(const std::string& file, const std::string& text,
                                const CipherKey& owner) {
  const Error damaged{
      ErrorCode::Corrupt,
      file + " is damaged; without it nothing can be decrypted: restore it, or a backup"};
  std::istringstream lines(text);
  std::string line;
  if (!std::getline(lines, line) || line != kHead) return damaged;
  KeyRing ring;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::uint32_t id = 0;
    std::string hex;
    Sealed sealed;
    if (!(words >> id >> hex) || !from_hex(hex, sealed.data(), sealed.size())) return damaged;
    if (!unseal(owner, id, sealed, ring.keys_[id])) {
      return Error{ErrorCode::PermissionDenied,
                   "storage.encryption_key does not open " + file +
                       "; give the key it was encrypted with, or that one as "
                       "storage.encryption_previous_key to change keys"};
    }
  }
  if (ring.keys_.empty()) return damaged;
  return ring;
}

Result<std::string> KeyRing::wrap(const CipherKey& owner) const {
  std::string text = std::string(kHead) + "\n";
  for (const auto& [id, key] : keys_) {
    Sealed sealed;
    if (!seal(owner, id, key, sealed)) return no_chance();
    text += std::to_string(id) + " " + to_hex(sealed.data(), sealed.size()) + "\n";
  }
  return text;
}

Result<void> KeyRing::add_key() {
  CipherKey key;
  if (!random_bytes(key.data(), key.size())) return no_chance();
  keys_.emplace(keys_.empty() ? 1 : keys_.rbegin()->first + 1, key);
  return {};
}

}  // namespace twinmq::storage
