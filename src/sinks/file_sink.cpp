#include "sinks/file_sink.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <utility>
#include <vector>

namespace twinmq::sinks {

namespace {

namespace fs = std::filesystem;

WallTime wall_now() {
  return std::chrono::time_point_cast<Milliseconds>(std::chrono::system_clock::now());
}

std::string reason() {
  return std::strerror(errno);
}

// The whole text, whatever the system takes at a time.
bool write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<Sink>> FileSink::open(FileSinkOptions options) {
  std::unique_ptr<FileSink> sink(new FileSink(std::move(options)));
  if (auto opened = sink->reopen(); !opened) return opened.error();
  return std::unique_ptr<Sink>(std::move(sink));
}

FileSink::~FileSink() {
  if (file_ >= 0) ::close(file_);
}

Result<void> FileSink::reopen() {
  if (file_ >= 0) ::close(file_);
  file_ = ::open(options_.path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  struct stat facts {};
  if (file_ < 0 || ::fstat(file_, &facts) != 0)
    return Error{ErrorCode::Internal, options_.path + ": " + reason()};
  size_ = static_cast<std::uint64_t>(facts.st_size);
  begun_ = wall_now();
  return {};
}

void FileSink::rotate(WallTime now) {
  const bool large = options_.rotate_bytes > 0 && size_ >= options_.rotate_bytes;
  const bool old = options_.rotate_seconds > 0 && now - begun_ >= Seconds(options_.rotate_seconds);
  if (size_ == 0 || (!large && !old)) return;
  const std::time_t moment = std::chrono::system_clock::to_time_t(now);
  std::tm parts{};
  ::gmtime_r(&moment, &parts);
  char stamp[32];
  std::strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &parts);
  std::string kept;
  for (int number = 0;; ++number) {
    kept = options_.path + "." + stamp + "." + std::to_string(number);
    if (!fs::exists(kept)) break;
  }
  std::error_code failed;
  fs::rename(options_.path, kept, failed);
  if (failed || !reopen() || options_.files_max == 0) return;
  std::vector<std::string> old_files;
  const fs::path path(options_.path);
  const std::string stem = path.filename().string() + ".";
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  for (const auto& each : fs::directory_iterator(folder, failed))
    if (each.path().filename().string().starts_with(stem)) old_files.push_back(each.path().string());
  std::sort(old_files.begin(), old_files.end());
  while (old_files.size() > options_.files_max) {
    fs::remove(old_files.front(), failed);
    old_files.erase(old_files.begin());
  }
}

SinkVerdict FileSink::deliver(std::span<const SinkEntry> batch) {
  rotate(wall_now());
  if (file_ < 0) {
    if (auto opened = reopen(); !opened) return {SinkVerdict::Kind::Retry, 0, opened.error().detail};
  }
  std::string text;
  for (const SinkEntry& entry : batch) {
    text += entry.payload;
    text += '\n';
  }
  if (!write_all(file_, text) || ::fdatasync(file_) != 0) {
    const std::string why = options_.path + ": " + reason();
    // Nothing of a batch that will be delivered again, not even half a line.
    if (::ftruncate(file_, static_cast<off_t>(size_)) != 0) {
      ::close(file_);
      file_ = -1;
    }
    return {SinkVerdict::Kind::Retry, 0, why};
  }
  size_ += text.size();
  return {SinkVerdict::Kind::Delivered, batch.size(), {}};
}

}  // namespace twinmq::sinks
