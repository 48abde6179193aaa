#pragma once
// Access files for the daemon, and the client's side of SCRAM (RFC 5802), written from the RFCs:
// nothing of src/ is used, so that a mistake there cannot hide behind itself.

#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <unistd.h>

namespace twinmq::testing {

/// A file that lives as long as the case and that only its owner may read.
class FileOfCase {
 public:
  explicit FileOfCase(std::string_view content) {
    const int fd = mkstemp(path_.data());
    const bool whole = fd >= 0 && write(fd, content.data(), content.size()) ==
                                      static_cast<ssize_t>(content.size());
    if (fd >= 0) close(fd);
    if (!whole) throw std::runtime_error("cannot write " + path_);
  }
  ~FileOfCase() { unlink(path_.c_str()); }
  FileOfCase(const FileOfCase&) = delete;
  FileOfCase& operator=(const FileOfCase&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/twinmq-conformance-XXXXXX";
};

inline std::string base64(std::string_view bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

inline std::string from_base64(std::string_view text) {
  std::string out(text.size(), '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  if (size < 0) throw std::runtime_error("no base64: " + std::string(text));
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  out.resize(static_cast<std::size_t>(size) - padding);
  return out;
}

/// One of the two hashes.
struct Scram {
  std::string method;  ///< SCRAM-SHA-256 or SCRAM-SHA-512

  const EVP_MD* hash() const { return method == "SCRAM-SHA-256" ? EVP_sha256() : EVP_sha512(); }
  std::size_t size() const { return static_cast<std::size_t>(EVP_MD_get_size(hash())); }

  std::string digest(std::string_view text) const {
    std::string out(size(), '\0');
    EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(out.data()), nullptr,
               hash(), nullptr);
    return out;
  }
  std::string hmac(std::string_view key, std::string_view text) const {
    std::string out(size(), '\0');
    HMAC(hash(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         reinterpret_cast<unsigned char*>(out.data()), nullptr);
    return out;
  }
  std::string salted(std::string_view password, std::string_view salt, int iterations) const {
    std::string out(size(), '\0');
    PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()),
                      reinterpret_cast<const unsigned char*>(salt.data()),
                      static_cast<int>(salt.size()), iterations, hash(),
                      static_cast<int>(out.size()), reinterpret_cast<unsigned char*>(out.data()));
    return out;
  }
  /// What access.scram_file keeps of a password.
  std::string entry(std::string_view password) const {
    const std::string salt = "sixteen bytes ..";
    const std::string secret = salted(password, salt, 4096);
    return method + "$4096:" + base64(salt) + "$" + base64(digest(hmac(secret, "Client Key"))) +
           ":" + base64(hmac(secret, "Server Key"));
  }
};

/// One exchange, seen from the client.
class ScramLogin {
 public:
  ScramLogin(Scram scram, const std::string& user, std::string password)
      : scram_(std::move(scram)),
        password_(std::move(password)),
        bare_("n=" + user + ",r=chosen-by-the-client") {}

  std::string first() const { return "n,," + bare_; }

  /// The answer to the server's challenge.
  std::string last(const std::string& challenge) {
    const std::string nonce = part(challenge, "r=");
    const std::string secret = scram_.salted(password_, from_base64(part(challenge, "s=")),
                                             std::stoi(part(challenge, "i=")));
    const std::string without_proof = "c=biws,r=" + nonce;
    const std::string all = bare_ + "," + challenge + "," + without_proof;
    const std::string client_key = scram_.hmac(secret, "Client Key");
    std::string proof = scram_.hmac(scram_.digest(client_key), all);
    for (std::size_t i = 0; i < proof.size(); ++i)
      proof[i] = static_cast<char>(proof[i] ^ client_key[i]);
    confirmation_ = "v=" + base64(scram_.hmac(scram_.hmac(secret, "Server Key"), all));
    return without_proof + ",p=" + base64(proof);
  }

  /// By which the server shows that it knows the keys, too.
  const std::string& confirmation() const { return confirmation_; }

 private:
  static std::string part(const std::string& message, const std::string& name) {
    const std::size_t at = message.starts_with(name) ? 0 : message.find("," + name) + 1;
    if (message.compare(at, name.size(), name) != 0)
      throw std::runtime_error("no " + name + " in " + message);
    const std::size_t from = at + name.size();
    return message.substr(from, message.find(',', from) - from);
  }

  Scram scram_;
  std::string password_;
  std::string bare_;
  std::string confirmation_;
};

/// A line of access.password_file, as Mosquitto 1.x wrote it.
inline std::string password_line(std::string_view user, std::string_view password) {
  const std::string salt = "twelve bytes";
  const std::string mixed = std::string(password) + salt;
  return std::string(user) + ":$6$" + base64(salt) + "$" +
         base64(Scram{"SCRAM-SHA-512"}.digest(mixed)) + "\n";
}

}  // namespace twinmq::testing
