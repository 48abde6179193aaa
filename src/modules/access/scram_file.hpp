#pragma once
// Who may connect by SCRAM: a file of users and keys.

#include <memory>
#include <string>
#include <string_view>

#include <twinmq/access.hpp>
#include <twinmq/result.hpp>

namespace twinmq::access {

/// Lines "user:entry" or "user:entry entry", each entry for another hash (form: scram.hpp); blank
/// lines, comments starting with '#'. A comment "#decoy:base64" is the secret from which users that
/// do not exist get salts that stay the same. Immutable after load; a reload is a new object.
///
/// The methods SCRAM-SHA-256 and SCRAM-SHA-512. The principal of an accepted client is the name it
/// proved. An unknown user, one without an entry for the method, and a wrong password cannot be
/// told apart. Answers come at once: what is costly about SCRAM is the client's work.
class ScramFile final : public Authenticator {
 public:
  /// Reads and checks the whole file. Blocks; not for shard threads. Errors: those of reading the
  /// file, or InvalidConfig with every mistake as "file:line:column: what".
  static Result<std::unique_ptr<ScramFile>> load(const std::string& path);
  /// The same from memory; `name` stands for the file in errors.
  static Result<std::unique_ptr<ScramFile>> parse(std::string_view text, std::string_view name);
  ~ScramFile() override;

  /// The conversation does not need this object any more, only its table.
  std::unique_ptr<Authentication> start(std::string_view method) override;

  class Table;

 private:
  explicit ScramFile(std::shared_ptr<const Table> table);

  std::shared_ptr<const Table> table_;
};

/// How the line of the decoy begins.
inline constexpr std::string_view kDecoyPrefix = "#decoy:";

/// The entries of a user with this password, for both hashes; empty: the system has no random
/// bytes.
std::string scram_entries(std::string_view password);

}  // namespace twinmq::access
