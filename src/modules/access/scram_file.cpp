#include "modules/access/scram_file.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>
#include <utility>

#include "modules/access/base64.hpp"
#include "modules/access/line_file.hpp"
#include "modules/access/scram.hpp"

namespace twinmq::access {
namespace {

constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kNonceBytes = 18;

AuthenticationResult refusal(ReasonCode code) {
  AuthenticationResult result;
  result.code = code;
  return result;
}

}  // namespace

class ScramFile::Table {
 public:
  using Entries = std::array<std::optional<ScramKeys>, 2>;  // by hash

  /// What is wrong; empty: nothing.
  std::string add(std::string_view user, std::string_view entries) {
    Entries& mine = users_[std::string(user)];
    if (mine[0] || mine[1]) return "user " + quoted(user) + " is there already; each stands once";
    while (!entries.empty()) {
      const std::size_t blank = entries.find_first_of(" \t");
      Result<ScramKeys, std::string> keys = parse_scram_entry(entries.substr(0, blank));
      if (!keys) return keys.error();
      auto& place = mine[static_cast<std::size_t>(keys->hash)];
      if (place) return "the user has two entries for one hash";
      place = std::move(*keys);
      entries.remove_prefix(blank == std::string_view::npos ? entries.size() : blank);
      entries.remove_prefix(std::min(entries.find_first_not_of(" \t"), entries.size()));
    }
    return mine[0] || mine[1] ? std::string() : std::string("the user has no entry");
  }

  void set_decoy(std::string secret) { decoy_ = std::move(secret); }

  const ScramKeys* find(const std::string& user, ScramHash hash) const {
    const auto place = users_.find(user);
    if (place == users_.end()) return nullptr;
    const auto& keys = place->second[static_cast<std::size_t>(hash)];
    return keys ? &*keys : nullptr;
  }

  /// Keys for a name that has none: the same salt whenever it is asked for, like a real user's.
  ScramKeys pretend(const std::string& user, ScramHash hash) const {
    const std::string secret = scram_hmac(hash, decoy_, user);
    return {hash, kScramIterations, secret.substr(0, kSaltBytes), secret,
            scram_hmac(hash, secret, user)};
  }

 private:
  std::unordered_map<std::string, Entries> users_;
  std::string decoy_ = random_bytes(32);
};

namespace {

class ScramAuthentication final : public Authentication {
 public:
  ScramAuthentication(std::shared_ptr<const ScramFile::Table> table, ScramHash hash)
      : table_(std::move(table)), hash_(hash) {}

  void begin(const Credentials& credentials, Done done) override {
    const std::optional<ScramFirst> first = parse_scram_first(credentials.authentication_data);
    const std::string nonce = encode_base64(random_bytes(kNonceBytes));
    if (!first) return done(refusal(ReasonCode::ProtocolError));
    if (nonce.empty()) return done(refusal(ReasonCode::ServerUnavailable));
    user_ = first->user;
    const ScramKeys* const keys = table_->find(user_, hash_);
    exchange_.emplace(*first, keys ? *keys : table_->pretend(user_, hash_), nonce, keys != nullptr);
    AuthenticationResult result = refusal(ReasonCode::ContinueAuthentication);
    result.authentication_data = exchange_->challenge();
    done(std::move(result));
  }

  void proceed(std::string_view data, Done done) override {
    if (!exchange_) return done(refusal(ReasonCode::ProtocolError));
    std::optional<ScramExchange> exchange = std::exchange(exchange_, std::nullopt);
    switch (exchange->judge(data)) {
      case ScramExchange::Verdict::Malformed: return done(refusal(ReasonCode::ProtocolError));
      case ScramExchange::Verdict::Wrong: return done(refusal(ReasonCode::NotAuthorized));
      case ScramExchange::Verdict::Proved: break;
    }
    AuthenticationResult result = refusal(ReasonCode::Success);
    result.principal = user_;
    result.authentication_data = exchange->confirmation();
    done(std::move(result));
  }

 private:
  std::shared_ptr<const ScramFile::Table> table_;
  const ScramHash hash_;
  std::string user_;
  std::optional<ScramExchange> exchange_;
};

std::string decoy_of(std::string_view text) {
  const std::size_t at =
      text.starts_with(kDecoyPrefix) ? 0 : text.find("\n" + std::string(kDecoyPrefix));
  if (at == std::string_view::npos) return {};
  std::string_view line = text.substr(text.find(kDecoyPrefix, at) + kDecoyPrefix.size());
  line = line.substr(0, line.find_first_of("\r\n"));
  return decode_base64(line).value_or(std::string());
}

}  // namespace

ScramFile::ScramFile(std::shared_ptr<const Table> table) : table_(std::move(table)) {}
ScramFile::~ScramFile() = default;

Result<std::unique_ptr<ScramFile>> ScramFile::load(const std::string& path) {
  Result<std::string> text = read_file(path);
  if (!text) return text.error();
  return parse(*text, path);
}

Result<std::unique_ptr<ScramFile>> ScramFile::parse(std::string_view text, std::string_view name) {
  auto table = std::make_shared<Table>();
  Complaints complaints(name);
  for_each_line(text, [&](std::size_t number, std::string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0)
      return complaints.add(number, 1, "no user found; allowed: 'user:entry'");
    const std::string fault = table->add(line.substr(0, colon), line.substr(colon + 1));
    if (!fault.empty()) complaints.add(number, colon + 2, fault);
  });
  if (!complaints.empty()) return complaints.error();
  if (std::string decoy = decoy_of(text); !decoy.empty()) table->set_decoy(std::move(decoy));
  return std::unique_ptr<ScramFile>(new ScramFile(std::move(table)));
}

std::unique_ptr<Authentication> ScramFile::start(std::string_view method) {
  const std::optional<ScramHash> hash = scram_hash_of(method);
  if (!hash) return nullptr;
  return std::make_unique<ScramAuthentication>(table_, *hash);
}

std::string scram_entries(std::string_view password) {
  std::string entries;
  for (const ScramHash hash : {ScramHash::Sha256, ScramHash::Sha512}) {
    const std::string salt = random_bytes(kSaltBytes);
    if (salt.empty()) return {};
    const ScramKeys keys = scram_keys(hash, password, salt, kScramIterations);
    if (keys.stored_key.empty() || keys.server_key.empty()) return {};
    entries += (entries.empty() ? "" : " ") + scram_entry(keys);
  }
  return entries;
}

}  // namespace twinmq::access
