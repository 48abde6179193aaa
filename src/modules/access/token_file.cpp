#include "modules/access/token_file.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <limits>
#include <unordered_map>
#include <utility>

#include "modules/access/base64.hpp"
#include "modules/access/line_file.hpp"
#include "modules/access/scram.hpp"

namespace twinmq::access {
namespace {

constexpr std::size_t kTokenBytes = 32;
constexpr std::size_t kHashBytes = 32;
constexpr std::string_view kForm =
    "allowed: 'user:sha256$64 hexadecimal digits$end', the end as "
    "seconds since 1970 or 'never'";

using Hash = std::array<unsigned char, kHashBytes>;

std::optional<Hash> hash_of(std::string_view token) {
  Hash out;
  if (EVP_Digest(token.data(), token.size(), out.data(), nullptr, EVP_sha256(), nullptr) != 1)
    return std::nullopt;
  return out;
}

std::string hex(const Hash& hash) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : hash) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::optional<Hash> parse_hex(std::string_view text) {
  if (text.size() != 2 * kHashBytes) return std::nullopt;
  Hash out;
  for (std::size_t i = 0; i < kHashBytes; ++i) {
    const char* const at = text.data() + 2 * i;
    const auto [end, fault] = std::from_chars(at, at + 2, out[i], 16);
    if (fault != std::errc() || end != at + 2) return std::nullopt;
  }
  return out;
}

std::optional<std::int64_t> parse_end(std::string_view text) {
  if (text == "never") return std::numeric_limits<std::int64_t>::max();
  std::int64_t end = 0;
  const auto [stop, fault] = std::from_chars(text.data(), text.data() + text.size(), end);
  if (fault != std::errc() || stop != text.data() + text.size() || end < 0) return std::nullopt;
  return end;
}

std::int64_t wall_clock() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

class TokenFile::Table {
 public:
  struct Entry {
    Hash hash;
    std::string user;
    std::int64_t end;
  };

  bool add(Entry entry) {
    const std::uint64_t key = key_of(entry.hash);
    const auto [from, to] = entries_.equal_range(key);
    for (auto at = from; at != to; ++at) {
      if (at->second.hash == entry.hash) return false;
    }
    entries_.emplace(key, std::move(entry));
    return true;
  }

  const Entry* find(const Hash& hash) const {
    const auto [from, to] = entries_.equal_range(key_of(hash));
    for (auto at = from; at != to; ++at) {
      if (CRYPTO_memcmp(at->second.hash.data(), hash.data(), hash.size()) == 0) return &at->second;
    }
    return nullptr;
  }

 private:
  // Nobody can choose a token by its hash.
  static std::uint64_t key_of(const Hash& hash) {
    std::uint64_t key = 0;
    for (std::size_t i = 0; i < 8; ++i) key = (key << 8) | hash[i];
    return key;
  }

  std::unordered_multimap<std::uint64_t, Entry> entries_;
};

TokenFile::TokenFile(std::unique_ptr<const Table> table, Clock clock)
    : table_(std::move(table)), clock_(std::move(clock)) {}
TokenFile::~TokenFile() = default;

Result<std::unique_ptr<TokenFile>> TokenFile::load(const std::string& path) {
  Result<std::string> text = read_file(path);
  if (!text) return text.error();
  return parse(*text, path, wall_clock);
}

Result<std::unique_ptr<TokenFile>> TokenFile::parse(std::string_view text, std::string_view name,
                                                    Clock clock) {
  auto table = std::make_unique<Table>();
  Complaints complaints(name);
  for_each_line(text, [&](std::size_t number, std::string_view line) {
    const std::size_t colon = line.find(':');
    const std::string_view user = line.substr(0, colon);
    std::string_view entry = colon == std::string_view::npos ? "" : line.substr(colon + 1);
    if (user.empty() || !entry.starts_with("sha256$")) return complaints.add(number, 1, kForm);
    entry.remove_prefix(7);
    const std::size_t mark = entry.find('$');
    const auto hash = parse_hex(entry.substr(0, mark));
    const auto end =
        mark == std::string_view::npos ? std::nullopt : parse_end(entry.substr(mark + 1));
    if (!hash || !end) return complaints.add(number, colon + 2, kForm);
    if (!table->add({*hash, std::string(user), *end}))
      complaints.add(number, colon + 2, "this token is there already; each stands once");
  });
  if (!complaints.empty()) return complaints.error();
  return std::unique_ptr<TokenFile>(new TokenFile(std::move(table), std::move(clock)));
}

std::optional<std::string> TokenFile::user_of(std::string_view token) const {
  const std::optional<Hash> hash = hash_of(token);
  const Table::Entry* const entry = hash ? table_->find(*hash) : nullptr;
  if (entry == nullptr || entry->end <= clock_()) return std::nullopt;
  return entry->user;
}

std::string make_token() {
  std::string text = encode_base64(random_bytes(kTokenBytes));
  // Fit for a URL and a header.
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  while (text.ends_with('=')) text.pop_back();
  return text;
}

std::string token_entry(std::string_view token, std::int64_t end) {
  const std::optional<Hash> hash = hash_of(token);
  if (!hash) return {};
  return "sha256$" + hex(*hash) + "$" + (end == 0 ? "never" : std::to_string(end));
}

}  // namespace twinmq::access
