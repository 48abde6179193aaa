#include "storage/data_directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

namespace twinmq::storage {

namespace {

Error failed(const std::string& what, const std::string& path, int code) {
  const bool refused = code == EACCES || code == EPERM || code == EROFS;
  return {refused ? ErrorCode::PermissionDenied : ErrorCode::StorageFailed,
          path + " cannot be " + what + ": " + std::strerror(code)};
}

Result<void> write_whole(int file, const std::string& path, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed("written", path, errno);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (fsync(file) != 0) return failed("synced", path, errno);
  return {};
}

Result<void> sync_directory(const std::string& path) {
  const int directory = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return failed("opened", path, errno);
  const int done = fsync(directory);
  const int code = errno;
  close(directory);
  if (done != 0) return failed("synced", path, code);
  return {};
}

Error in_use(const std::string& path, int lock) {
  char holder[32] = {};
  const ssize_t size = pread(lock, holder, sizeof holder - 1, 0);
  const std::string process = size > 0 ? " (process " + std::string(holder) + ")" : std::string();
  return {ErrorCode::Unavailable, "the data directory " + path + " is in use by another broker" +
                                      process +
                                      "; stop that one, or give this one a data_dir of its own"};
}

}  // namespace

Result<DataDirectory> DataDirectory::claim(const std::string& path) {
  std::error_code code;
  const bool created = std::filesystem::create_directories(path, code);
  if (code) return failed("created", "the data directory " + path, code.value());
  if (created) std::filesystem::permissions(path, std::filesystem::perms::owner_all, code);
  const std::string name = path + "/lock";
  const int lock = open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) return failed("opened", name, errno);
  DataDirectory held(path, lock);
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return in_use(path, lock);
    return failed("locked", name, errno);
  }
  // Only a courtesy to whoever is refused: a full disk must not keep the broker from starting.
  const std::string own = std::to_string(getpid());
  if (ftruncate(lock, 0) == 0) static_cast<void>(!pwrite(lock, own.data(), own.size(), 0));
  return held;
}

DataDirectory::DataDirectory(DataDirectory&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

DataDirectory::~DataDirectory() {
  if (lock_ >= 0) close(lock_);
}

Result<unsigned> DataDirectory::format(unsigned newest) const {
  const std::string name = path_ + "/FORMAT";
  Result<std::string> text = read_file(name);
  if (!text) {
    if (text.error().code == ErrorCode::NotFound) return 0u;
    return text.error();
  }
  unsigned format = 0;
  const char* const end = text->data() + text->size();
  const auto read = std::from_chars(text->data(), end, format);
  if (read.ec != std::errc() || format == 0 || (read.ptr != end && *read.ptr != '\n'))
    return Error{ErrorCode::Corrupt, name + " does not hold a format number"};
  if (format > newest) {
    return Error{ErrorCode::Unavailable,
                 "the data directory " + path_ + " has format " + std::to_string(format) +
                     ", this version reads up to " + std::to_string(newest) +
                     "; start the newer version again, or restore a backup that this one made"};
  }
  return format;
}

Result<void> DataDirectory::set_format(unsigned format) const {
  return replace_file(path_ + "/FORMAT", std::to_string(format) + "\n");
}

Result<void> replace_file(const std::string& path, const std::string& text) {
  const std::string fresh = path + ".new";
  const int file = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return failed("written", fresh, errno);
  Result<void> written = write_whole(file, fresh, text);
  close(file);
  if (!written) return written;
  if (rename(fresh.c_str(), path.c_str()) != 0) return failed("replaced", path, errno);
  return sync_directory(std::filesystem::path(path).parent_path().string());
}

Result<std::string> read_file(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0 && errno == ENOENT) return Error{ErrorCode::NotFound, path + " does not exist"};
  if (file < 0) return failed("read", path, errno);
  std::string text;
  char block[4096];
  ssize_t size = 0;
  while ((size = read(file, block, sizeof block)) != 0) {
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) break;
    text.append(block, static_cast<std::size_t>(size));
  }
  const int code = errno;
  close(file);
  if (size < 0) return failed("read", path, code);
  return text;
}

}  // namespace twinmq::storage
