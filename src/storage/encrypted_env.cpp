#include "storage/encrypted_env.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>

#include <openssl/evp.h>
#include <rocksdb/env_encryption.h>

namespace twinmq::storage {

namespace {

constexpr std::size_t kPrefix = 4096;
constexpr char kMagic[] = "TMQAES1\n";
constexpr std::size_t kMagicSize = 8;
constexpr std::size_t kCounterAt = 16;
constexpr std::size_t kBlock = 16;
constexpr std::size_t kPieceMax = 1 << 30;  // OpenSSL counts in int

using Counter = std::array<unsigned char, kBlock>;

class Stream final : public rocksdb::BlockAccessCipherStream {
 public:
  Stream(const CipherKey& key, const Counter& first) : key_(key), first_(first) {}

  std::size_t BlockSize() override { return kBlock; }
  rocksdb::Status Encrypt(std::uint64_t offset, char* data, std::size_t size) override {
    return apply(offset, data, size);
  }
  rocksdb::Status Decrypt(std::uint64_t offset, char* data, std::size_t size) override {
    return apply(offset, data, size);
  }

 protected:
  void AllocateScratch(std::string&) override {}
  rocksdb::Status EncryptBlock(std::uint64_t block, char* data, char*) override {
    return apply(block * kBlock, data, kBlock);
  }
  rocksdb::Status DecryptBlock(std::uint64_t block, char* data, char*) override {
    return apply(block * kBlock, data, kBlock);
  }

 private:
  // Several threads read a file at the same time: each call has a context of its own.
  rocksdb::Status apply(std::uint64_t offset, char* data, std::size_t size) const {
    const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(
        EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
    const Counter counter = counter_of(offset / kBlock);
    std::array<unsigned char, kBlock> skipped{};
    int done = 0;
    bool fine = context && EVP_EncryptInit_ex(context.get(), EVP_aes_256_ctr(), nullptr,
                                              key_.data(), counter.data()) == 1;
    fine = fine && EVP_EncryptUpdate(context.get(), skipped.data(), &done, skipped.data(),
                                     static_cast<int>(offset % kBlock)) == 1;
    auto* bytes = reinterpret_cast<unsigned char*>(data);
    while (fine && size > 0) {
      const std::size_t piece = std::min(size, kPieceMax);
      fine = EVP_EncryptUpdate(context.get(), bytes, &done, bytes, static_cast<int>(piece)) == 1;
      bytes += piece;
      size -= piece;
    }
    return fine ? rocksdb::Status::OK() : rocksdb::Status::IOError("encryption failed");
  }

  Counter counter_of(std::uint64_t block) const {
    Counter counter = first_;
    std::uint64_t carry = block;
    for (std::size_t i = kBlock; i-- > 0 && carry > 0;) {
      const std::uint64_t sum = std::uint64_t{counter[i]} + (carry & 0xFF);
      counter[i] = static_cast<unsigned char>(sum);
      carry = (carry >> 8) + (sum >> 8);
    }
    return counter;
  }

  const CipherKey key_;
  const Counter first_;
};

class Provider final : public rocksdb::EncryptionProvider {
 public:
  explicit Provider(std::shared_ptr<const KeyRing> keys) : keys_(std::move(keys)) {}

  const char* Name() const override { return "twinmq.aes"; }
  std::size_t GetPrefixLength() const override { return kPrefix; }

  rocksdb::Status CreateNewPrefix(const std::string&, char* prefix,
                                  std::size_t size) const override {
    if (size < kPrefix) return rocksdb::Status::InvalidArgument("a prefix is too short");
    std::memset(prefix, 0, size);
    std::memcpy(prefix, kMagic, kMagicSize);
    const std::uint32_t id = keys_->current();
    for (unsigned i = 0; i < 4; ++i) prefix[kMagicSize + i] = static_cast<char>(id >> (8 * i));
    if (!random_bytes(reinterpret_cast<unsigned char*>(prefix) + kCounterAt, kBlock))
      return rocksdb::Status::IOError("the system gave no random bytes");
    return rocksdb::Status::OK();
  }

  rocksdb::Status AddCipher(const std::string&, const char*, std::size_t, bool) override {
    return rocksdb::Status::NotSupported("keys come from the key ring");
  }

  rocksdb::Status CreateCipherStream(
      const std::string& name, const rocksdb::EnvOptions&, rocksdb::Slice& prefix,
      std::unique_ptr<rocksdb::BlockAccessCipherStream>* result) override {
    Counter first{};
    // A power cut can leave a file whose beginning was never written: it has no content, which
    // RocksDB must find out by itself, as it does without encryption.
    const bool blank =
        prefix.size() < kPrefix ||
        std::all_of(prefix.data(), prefix.data() + kPrefix, [](char c) { return c == 0; });
    if (blank) {
      *result = std::make_unique<Stream>(CipherKey{}, first);
      return rocksdb::Status::OK();
    }
    if (std::memcmp(prefix.data(), kMagic, kMagicSize) != 0)
      return rocksdb::Status::Corruption(name, "is not encrypted");
    std::uint32_t id = 0;
    for (unsigned i = 0; i < 4; ++i)
      id |= std::uint32_t{static_cast<unsigned char>(prefix[kMagicSize + i])} << (8 * i);
    const CipherKey* const key = keys_->find(id);
    if (key == nullptr) return rocksdb::Status::Corruption(name, "names a key that is not there");
    std::memcpy(first.data(), prefix.data() + kCounterAt, kBlock);
    *result = std::make_unique<Stream>(*key, first);
    return rocksdb::Status::OK();
  }

 private:
  const std::shared_ptr<const KeyRing> keys_;
};

}  // namespace

std::unique_ptr<rocksdb::Env> encrypted_env(rocksdb::Env& base,
                                            std::shared_ptr<const KeyRing> keys) {
  return std::unique_ptr<rocksdb::Env>(
      rocksdb::NewEncryptedEnv(&base, std::make_shared<Provider>(std::move(keys))));
}

}  // namespace twinmq::storage
