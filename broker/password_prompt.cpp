#include "password_prompt.hpp"

#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <iostream>

#include <fmt/format.h>

namespace twinmq {
namespace {

/// While it lives the terminal shows nothing of what is typed, and Ctrl-C waits until it shows it
/// again.
class Silence {
 public:
  Silence() {
    sigset_t keys;
    sigemptyset(&keys);
    for (const int signal : {SIGINT, SIGTERM, SIGTSTP}) sigaddset(&keys, signal);
    pthread_sigmask(SIG_BLOCK, &keys, &mask_);
    termios silent{};
    if (tcgetattr(STDIN_FILENO, &before_) != 0) return;
    silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG);
    changed_ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
  }
  ~Silence() {
    if (changed_) tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  sigset_t mask_{};
  termios before_{};
  bool changed_ = false;
};

constexpr char kControlC = '\x03';

Result<std::string> typed(const char* prompt) {
  std::string line;
  bool read = false;
  {
    const Silence silence;
    fmt::print(stderr, "{}", prompt);
    read = static_cast<bool>(std::getline(std::cin, line));
  }
  fmt::print(stderr, "\n");
  if (!read || line.find(kControlC) != std::string::npos)
    return Error{ErrorCode::InvalidArgument, "no password given"};
  return line;
}

}  // namespace

Result<std::string> ask_password() {
  std::string password;
  if (isatty(STDIN_FILENO) == 0) {
    if (!std::getline(std::cin, password))
      return Error{ErrorCode::InvalidArgument, "no password on standard input"};
    if (password.ends_with('\r')) password.pop_back();
    return password;
  }
  auto first = typed("Password: ");
  if (!first) return first;
  auto second = typed("The same again: ");
  if (!second) return second;
  if (*first != *second)
    return Error{ErrorCode::InvalidArgument, "the two passwords differ; nothing was changed"};
  return first;
}

}  // namespace twinmq
