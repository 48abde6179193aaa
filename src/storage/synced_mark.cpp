#include "storage/synced_mark.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>

#include <fmt/format.h>

namespace twinmq::storage {

SyncedMark::SyncedMark(const std::string& path, bool writable)
    : file_(open(path.c_str(), (writable ? O_RDWR | O_CREAT : O_RDONLY) | O_CLOEXEC, 0600)),
      writable_(writable) {
  if (file_ < 0) return;
  char text[32] = {};
  const ssize_t size = pread(file_, text, sizeof text, 0);
  if (size <= 0) return;
  std::uint64_t change = 0;
  const char* const end = text + size;
  const auto read = std::from_chars(text, end, change);
  if (read.ec == std::errc() && read.ptr != end && *read.ptr == '\n') change_ = change;
}

SyncedMark::~SyncedMark() {
  if (file_ >= 0) close(file_);
}

void SyncedMark::set(std::uint64_t change) {
  if (!writable_ || change == change_) return;
  change_ = change;
  if (file_ < 0) return;
  // Always as long as the longest number, so that no older digit stays behind.
  char text[24];
  const auto end = fmt::format_to_n(text, sizeof text, "{:020}\n", change).out;
  static_cast<void>(!pwrite(file_, text, static_cast<std::size_t>(end - text), 0));
}

}  // namespace twinmq::storage
