#pragma once
// Who may connect by a token: a file of hashed tokens, each with its user and its end.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <twinmq/result.hpp>

namespace twinmq::access {

/// Lines "user:sha256$hash$end": the hash in 64 hexadecimal digits, the end as seconds since 1970
/// or "never"; blank lines, comments starting with '#'. A user may have several tokens. Tokens are
/// long and random, so that one plain hash is enough. Immutable after load; a reload is a new
/// object.
class TokenFile {
 public:
  /// Seconds since 1970.
  using Clock = std::function<std::int64_t()>;

  static Result<std::unique_ptr<TokenFile>> load(const std::string& path);
  static Result<std::unique_ptr<TokenFile>> parse(std::string_view text, std::string_view name,
                                                  Clock clock);
  ~TokenFile();

  /// The user whose token this is, while it lasts.
  std::optional<std::string> user_of(std::string_view token) const;

 private:
  class Table;
  TokenFile(std::unique_ptr<const Table> table, Clock clock);

  std::unique_ptr<const Table> table_;
  Clock clock_;
};

/// A new token; empty: the system has no random bytes to give.
std::string make_token();
/// What stands behind "user:" for it; `end` as seconds since 1970, 0: never.
std::string token_entry(std::string_view token, std::int64_t end);

}  // namespace twinmq::access
