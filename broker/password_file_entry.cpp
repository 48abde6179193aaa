#include "password_file_entry.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <utility>

#include <fmt/format.h>

namespace twinmq {
namespace {

Error fault(std::string_view what, const std::string& path) {
  return {ErrorCode::Internal, fmt::format("{} {}: {}", what, path, std::strerror(errno))};
}

/// The file's mode and owner are the old one's, so that a broker under another user can still read
/// it.
Result<void> write_like(const std::string& path, const std::string& text, const struct stat* old) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0) return fault("cannot create", path);
  bool written = true;
  if (old != nullptr) {
    written = fchmod(descriptor, old->st_mode & 07777) == 0;
    // Only root can give a file away; for others it is theirs already.
    if (fchown(descriptor, old->st_uid, old->st_gid) != 0 && geteuid() == 0) written = false;
  }
  for (std::size_t at = 0; written && at < text.size();) {
    const ssize_t count = write(descriptor, text.data() + at, text.size() - at);
    written = count > 0;
    if (written) at += static_cast<std::size_t>(count);
  }
  written = written && fsync(descriptor) == 0;
  const int reason = errno;
  close(descriptor);
  errno = reason;
  if (!written) return fault("cannot write", path);
  return {};
}

}  // namespace

std::optional<std::string> with_entry(std::string_view text, std::string_view user,
                                      const std::optional<std::string>& hash) {
  const std::string prefix = fmt::format("{}:", user);
  std::string changed;
  bool found = false;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (!line.starts_with(prefix)) {
      changed += fmt::format("{}\n", line);
    } else {
      if (hash && !found) changed += fmt::format("{}{}\n", prefix, *hash);
      found = true;
    }
  }
  if (!hash && !found) return std::nullopt;
  if (hash && !found) changed += fmt::format("{}{}\n", prefix, *hash);
  return changed;
}

Result<void> check_user_name(std::string_view user) {
  const auto wrong = [](std::string_view why) {
    return Error{ErrorCode::InvalidArgument, std::string(why)};
  };
  if (user.empty()) return wrong("the user name is empty");
  if (user.size() > 65535) return wrong("the user name is longer than 65535 bytes");
  if (user.find(':') != std::string_view::npos) return wrong("a user name cannot contain ':'");
  if (user.front() == '#')
    return wrong("a user name cannot begin with '#', which begins a comment");
  for (const char c : user) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
      return wrong("a user name has no control characters");
  }
  return {};
}

static Result<void> change_file(
    const std::string& path, const std::function<std::optional<std::string>(std::string)>& change) {
  // Through a symbolic link the file it leads to is replaced, not the link.
  std::error_code unresolved;
  const std::filesystem::path resolved = std::filesystem::canonical(path, unresolved);
  const std::string target = unresolved ? path : resolved.string();

  struct stat old {};
  const bool exists = stat(target.c_str(), &old) == 0;
  if (!exists && errno != ENOENT) return fault("cannot read", target);
  if (exists && !S_ISREG(old.st_mode)) {
    return Error{ErrorCode::InvalidArgument, fmt::format("{} is not a regular file", target)};
  }
  std::string text;
  if (exists) {
    std::ifstream file(target, std::ios::binary);
    if (!file) return fault("cannot read", target);
    text.assign(std::istreambuf_iterator<char>(file), {});
  }
  const auto changed = change(std::move(text));
  if (!changed) return Error{ErrorCode::NotFound, fmt::format("{} has no such entry", path)};

  const std::string fresh = fmt::format("{}.new.{}", target, getpid());
  if (auto written = write_like(fresh, *changed, exists ? &old : nullptr); !written) {
    unlink(fresh.c_str());
    return written.error();
  }
  if (rename(fresh.c_str(), target.c_str()) != 0) {
    const Error error = fault("cannot replace", target);
    unlink(fresh.c_str());
    return error;
  }
  return {};
}

Result<void> update_password_file(const std::string& path, std::string_view user,
                                  const std::optional<std::string>& hash,
                                  const std::string& first_line) {
  Result<void> changed = change_file(path, [&](std::string text) {
    if (text.empty() && hash && !first_line.empty()) text = first_line + "\n";
    return with_entry(text, user, hash);
  });
  if (!changed && changed.error().code == ErrorCode::NotFound)
    return Error{ErrorCode::NotFound, fmt::format("{} has no user {}", path, user)};
  return changed;
}

Result<void> add_line(const std::string& path, const std::string& line) {
  return change_file(path, [&](std::string text) -> std::optional<std::string> {
    if (!text.empty() && !text.ends_with('\n')) text += '\n';
    return text + line + "\n";
  });
}

}  // namespace twinmq
