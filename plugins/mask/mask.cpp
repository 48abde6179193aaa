// Pseudonyms in the place of names: the same name becomes the same pseudonym, and nobody without
// the key tells which.

#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <twinmq/plugin.hpp>

using twinmq::plugin::Arguments;
using twinmq::plugin::Value;
using twinmq::plugin::View;

namespace {

constexpr std::size_t kKeyMin = 16;

class Pseudonyms {
 public:
  Pseudonyms(std::string key, std::size_t digits) : key_(std::move(key)), digits_(digits) {
    if (key_.size() < kKeyMin) throw std::invalid_argument("a key has at least 16 characters");
    if (digits_ < 8 || digits_ > 64) throw std::invalid_argument("digits: 8 to 64");
  }

  /// The first hexadecimal digits of HMAC-SHA-256.
  std::string of(std::string_view text) const {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    if (HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
             reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest,
             &size) == nullptr)
      throw std::runtime_error("OpenSSL cannot compute HMAC-SHA-256");
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string made;
    for (unsigned int i = 0; i < size && made.size() < digits_; ++i) {
      made += kDigits[digest[i] >> 4];
      if (made.size() < digits_) made += kDigits[digest[i] & 15];
    }
    return made;
  }

 private:
  std::string key_;
  std::size_t digits_;
};

/// A number as a text that is the same for the same number.
std::string text_of(View value) {
  if (value.is_text()) return std::string(value.text());
  if (value.kind() == TWINMQ_INTEGER) return std::to_string(value.integer());
  throw std::invalid_argument("a pseudonym is of a text or a whole number");
}

using Path = std::vector<std::string>;

Path path_of(std::string_view text) {
  Path path;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t dot = std::min(text.find('.', begin), text.size());
    path.emplace_back(text.substr(begin, dot - begin));
    begin = dot + 1;
  }
  return path;
}

/// The document with what lies at the paths replaced; in arrays each element's.
Value masked(View from, const std::vector<Path>& paths, std::size_t depth,
             const Pseudonyms& pseudonyms) {
  if (from.is_array()) {
    Value::Array items;
    for (std::size_t i = 0; i < from.size(); ++i)
      items.push_back(masked(from[i], paths, depth, pseudonyms));
    return items;
  }
  if (!from.is_object()) return Value(from);
  Value::Object members;
  for (std::size_t i = 0; i < from.size(); ++i) {
    const auto [key, value] = from.member(i);
    std::vector<Path> below;
    bool here = false;
    for (const Path& path : paths) {
      if (path[depth] != key) continue;
      here = here || path.size() == depth + 1;
      if (path.size() > depth + 1) below.push_back(path);
    }
    if (here && (value.is_text() || value.kind() == TWINMQ_INTEGER))
      members.emplace_back(std::string(key), pseudonyms.of(text_of(value)));
    else if (here)
      members.emplace_back(std::string(key), nullptr);  // rather nothing than what must not be seen
    else
      members.emplace_back(std::string(key), below.empty()
                                                 ? Value(value)
                                                 : masked(value, below, depth + 1, pseudonyms));
  }
  return members;
}

std::string key_of(View options) {
  if (options["key"]) return std::string(options["key"].text());
  const std::string path(options["key_file"].text_or(""));
  std::string key;
  if (path.empty() || !std::getline(std::ifstream(path), key))
    throw std::invalid_argument("options: key, or key_file with the key in its first line");
  return key;
}

}  // namespace

TWINMQ_PLUGIN(host) {
  const Pseudonyms pseudonyms(key_of(host.options()),
                              static_cast<std::size_t>(host.options()["digits"].integer_or(16)));

  host.function(
      "pseudonym",
      [pseudonyms](Arguments arguments) -> Value { return pseudonyms.of(text_of(arguments[0])); },
      twinmq::plugin::kFast);

  host.function(
      "mask_fields",
      [pseudonyms](Arguments arguments) -> Value {
        std::vector<Path> paths;
        for (std::size_t i = 1; i < arguments.size(); ++i)
          paths.push_back(path_of(arguments[i].text()));
        return masked(arguments[0], paths, 0, pseudonyms);
      },
      twinmq::plugin::kFast);
}
