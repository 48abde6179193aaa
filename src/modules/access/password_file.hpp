#pragma once
// Who may connect, by user name and password: Mosquitto's password_file, read as it is.

#include <memory>
#include <string>
#include <string_view>

#include <twinmq/access.hpp>
#include <twinmq/result.hpp>

#include "modules/access/hash_worker.hpp"

namespace twinmq::access {

/// Lines "user:hash" (forms: password_hash.hpp), blank lines, comments starting with '#'. A user
/// name given twice is a mistake. Immutable after load; a reload is a new object.
///
/// The principal of an accepted client is its user name. A client without user name is accepted,
/// with an empty principal, if its listener allows anonymous clients. Wrong passwords and unknown
/// users cost the same and get BadUserNameOrPassword; when too many passwords wait to be hashed,
/// ServerBusy.
class PasswordFile final : public Authenticator {
 public:
  /// Reads and checks the whole file. Blocks; not for shard threads. `worker` may serve several
  /// files, so that a reload refuses no client that waits; empty: one of its own. Errors: those of
  /// reading the file, or InvalidConfig with every mistake as "file:line:column: what".
  static Result<std::unique_ptr<PasswordFile>> load(const std::string& path,
                                                    std::shared_ptr<HashWorker> worker = nullptr);

  /// The same from memory; `name` stands for the file in errors.
  static Result<std::unique_ptr<PasswordFile>> parse(std::string_view text, std::string_view name,
                                                     std::shared_ptr<HashWorker> worker = nullptr);

  ~PasswordFile() override;

  /// The conversation does not need this object any more, only its table; if the worker is gone, it
  /// answers ServerBusy. Answers come on the hashing thread, and ending the conversation waits for
  /// an answer being given there: the receiver must hand over and return.
  std::unique_ptr<Authentication> start(std::string_view method) override;

  class Table;

 private:
  PasswordFile(std::shared_ptr<const Table> table, std::shared_ptr<HashWorker> worker);

  std::shared_ptr<const Table> table_;
  std::shared_ptr<HashWorker> worker_;
};

/// In force when no password file is configured. Where the listener allows anonymous clients
/// everybody is accepted, with an empty principal: a user name that nothing proves gives no rights.
/// Elsewhere nobody is (NotAuthorized).
class AnonymousOnly final : public Authenticator {
 public:
  std::optional<AuthenticationResult> decide(const Credentials& credentials) override;
  std::unique_ptr<Authentication> start(std::string_view method) override;
};

}  // namespace twinmq::access
