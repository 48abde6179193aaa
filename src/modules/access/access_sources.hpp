#pragma once
// Several sources of identities behind one door.

#include <memory>
#include <optional>
#include <string_view>

#include <twinmq/access.hpp>

#include "modules/access/password_file.hpp"
#include "modules/access/scram_file.hpp"
#include "modules/access/token_file.hpp"

namespace twinmq::access {

/// Asks in this order: whom the transport vouches for needs no more; SCRAM by its methods; a
/// password that is a token (with its user's name, or without any); the password file; a client
/// without user name is anonymous. What is absent is null; with nothing at all nobody has a name.
class AccessSources final : public Authenticator {
 public:
  AccessSources(std::unique_ptr<PasswordFile> passwords, std::unique_ptr<ScramFile> scram,
                std::unique_ptr<TokenFile> tokens);

  std::optional<AuthenticationResult> decide(const Credentials& credentials) override;
  std::unique_ptr<Authentication> start(std::string_view method) override;

 private:
  std::unique_ptr<PasswordFile> passwords_;
  std::unique_ptr<ScramFile> scram_;
  std::unique_ptr<TokenFile> tokens_;
};

}  // namespace twinmq::access
