#include "socket_activation.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>

namespace twinmq {
namespace {

constexpr int kFirst = 3;
constexpr int kMost = 1024;

int number_in(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return 0;
  const std::string_view digits(text);
  int number = 0;
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return fault == std::errc() && end == digits.data() + digits.size() ? number : 0;
}

/// systemd's word for a socket without a name of its own, and names of socket units.
std::string listener_name(std::string_view name) {
  return name == "unknown" ? std::string() : std::string(name);
}

}  // namespace

std::vector<ListeningSocket> inherited_sockets() {
  std::vector<ListeningSocket> sockets;
  if (number_in("LISTEN_PID") == getpid()) {
    const char* names = std::getenv("LISTEN_FDNAMES");
    std::string_view rest = names == nullptr ? "" : names;
    for (int i = 0; i < number_in("LISTEN_FDS") && i < kMost; ++i) {
      const std::string_view name = rest.substr(0, rest.find(':'));
      rest.remove_prefix(rest.size() == name.size() ? rest.size() : name.size() + 1);
      fcntl(kFirst + i, F_SETFD, FD_CLOEXEC);
      sockets.push_back({kFirst + i, listener_name(name)});
    }
  }
  for (const char* variable : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) unsetenv(variable);
  return sockets;
}

}  // namespace twinmq
