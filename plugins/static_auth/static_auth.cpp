// Users and passwords from the configuration. Whom it does not know it leaves to the broker.

#include <map>
#include <string>
#include <string_view>

#include <twinmq/plugin.hpp>

using namespace twinmq::plugin;

namespace {

/// Takes as long for every password of that length.
bool same(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned char difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

}  // namespace

TWINMQ_PLUGIN(host) {
  std::map<std::string, std::string, std::less<>> passwords;
  const View users = host.options()["users"];
  for (std::size_t i = 0; i < users.size(); ++i) {
    const auto [name, password] = users.member(i);
    passwords.emplace(name, password.text());
  }
  const bool exclusive = host.options()["exclusive"].boolean_or(false);

  host.authenticator("static_auth", [passwords, exclusive](const Credentials& credentials) {
    const auto known =
        credentials.username ? passwords.find(*credentials.username) : passwords.end();
    if (known == passwords.end()) return exclusive ? Admission::deny() : Admission::pass();
    return credentials.password && same(*credentials.password, known->second) ? Admission::allow()
                                                                              : Admission::deny();
  });
}
