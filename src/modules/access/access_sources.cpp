#include "modules/access/access_sources.hpp"

#include <utility>

namespace twinmq::access {
namespace {

AuthenticationResult refusal(ReasonCode code) {
  AuthenticationResult result;
  result.code = code;
  return result;
}

}  // namespace

AccessSources::AccessSources(std::unique_ptr<PasswordFile> passwords,
                             std::unique_ptr<ScramFile> scram, std::unique_ptr<TokenFile> tokens)
    : passwords_(std::move(passwords)), scram_(std::move(scram)), tokens_(std::move(tokens)) {}

std::optional<AuthenticationResult> AccessSources::decide(const Credentials& credentials) {
  if (!credentials.authentication_method.empty()) return std::nullopt;
  const bool named = credentials.has_username && credentials.transport_principal.empty();
  if (tokens_ && credentials.has_password && credentials.transport_principal.empty()) {
    const std::optional<std::string> user = tokens_->user_of(credentials.password);
    if (user && (!named || credentials.username == *user)) {
      AuthenticationResult result = refusal(ReasonCode::Success);
      result.principal = *user;
      return result;
    }
    // A password alone can be nothing but a token.
    if (!named) return refusal(ReasonCode::BadUserNameOrPassword);
  }
  if (!named) return AnonymousOnly().decide(credentials);
  if (passwords_) return std::nullopt;
  return refusal(ReasonCode::BadUserNameOrPassword);
}

std::unique_ptr<Authentication> AccessSources::start(std::string_view method) {
  if (!method.empty()) return scram_ ? scram_->start(method) : nullptr;
  return passwords_ ? passwords_->start(method) : AnonymousOnly().start(method);
}

}  // namespace twinmq::access
