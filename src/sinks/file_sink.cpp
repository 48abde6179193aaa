#include "sinks/file_sink.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "sinks/csv_line.hpp"

namespace twinmq::sinks {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kStampSize = 15;  ///< YYYYMMDD-HHMMSS

WallTime machine_wall() {
  return std::chrono::time_point_cast<Milliseconds>(std::chrono::system_clock::now());
}

std::string reason() {
  return errno == ELOOP ? "this is a link" : std::strerror(errno);
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

bool is_below(const fs::path& folder, const std::string& directory) {
  std::error_code fault;
  fs::path top = fs::weakly_canonical(directory, fault);
  if (fault) return false;
  if (!top.has_filename()) top = top.parent_path();  // a '/' at the end
  return std::mismatch(top.begin(), top.end(), folder.begin(), folder.end()).first == top.end();
}

bool is_below_any(const fs::path& folder, const std::vector<std::string>& directories) {
  return std::any_of(directories.begin(), directories.end(),
                     [&](const std::string& each) { return is_below(folder, each); });
}

bool below_by_name(const std::string& path, const std::string& directory) {
  const fs::path rest =
      fs::path(path).lexically_normal().lexically_relative(fs::path(directory).lexically_normal());
  return !rest.empty() && *rest.begin() != ".." && *rest.begin() != ".";
}

fs::path folder_of(const std::string& path) {
  const fs::path whole(path);
  return whole.has_parent_path() ? whole.parent_path() : fs::path(".");
}

std::string stamp_of(WallTime now) {
  const std::time_t moment = std::chrono::system_clock::to_time_t(now);
  std::tm parts{};
  ::gmtime_r(&moment, &parts);
  char stamp[32];
  std::strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &parts);
  return stamp;
}

// What a kept file's name has behind the file's own, for comparing: nothing: it is none of the
// kept.
std::optional<std::pair<std::string, unsigned long>> kept_as(std::string_view rest) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (rest.size() < kStampSize + 3 || rest.size() > kStampSize + 11 || rest[0] != '.' ||
      rest[kStampSize + 1] != '.')
    return std::nullopt;
  const std::string stamp(rest.substr(1, kStampSize));
  const std::string number(rest.substr(kStampSize + 2));
  for (std::size_t i = 0; i < kStampSize; ++i)
    if (i == 8 ? stamp[i] != '-' : !digit(stamp[i])) return std::nullopt;
  if (!std::all_of(number.begin(), number.end(), digit)) return std::nullopt;
  return std::pair(stamp, std::stoul(number));
}

// When the file was made; its last change where the file system does not know.
WallTime made_at(int file) {
  struct statx facts {};
  if (::statx(file, "", AT_EMPTY_PATH, STATX_BTIME | STATX_MTIME, &facts) != 0)
    return machine_wall();
  const auto& at = (facts.stx_mask & STATX_BTIME) != 0 ? facts.stx_btime : facts.stx_mtime;
  return WallTime(Milliseconds(at.tv_sec * 1000 + at.tv_nsec / 1'000'000));
}

}  // namespace

Result<void> check_file_place(const std::string& path,
                              const std::vector<std::string>& directories) {
  const auto wrong = [&](const std::string& what) {
    return Error{ErrorCode::InvalidConfig, "\"" + path + "\" " + what};
  };
  if (std::none_of(directories.begin(), directories.end(),
                   [&](const std::string& each) { return below_by_name(path, each); }))
    return wrong("is not below any of rules.file_directories");
  std::error_code fault;
  const fs::path folder = fs::weakly_canonical(folder_of(path), fault);
  if (fault) return wrong("cannot be looked at: " + fault.message());
  if (!is_below_any(folder, directories))
    return wrong("leads by a link out of rules.file_directories");
  if (fs::is_symlink(fs::symlink_status(path, fault))) return wrong("is a link");
  return {};
}

FileSink::FileSink(FileSinkOptions options)
    : options_(std::move(options)),
      name_(fs::path(options_.path).filename().string()),
      header_(options_.columns.empty() ? std::string() : csv_header(options_.columns) + "\n") {
  if (!options_.wall) options_.wall = machine_wall;
}

Result<std::unique_ptr<Sink>> FileSink::open(FileSinkOptions options) {
  std::unique_ptr<FileSink> sink(new FileSink(std::move(options)));
  if (auto opened = sink->reopen(); !opened) return opened.error();
  return std::unique_ptr<Sink>(std::move(sink));
}

FileSink::~FileSink() {
  close();
}

void FileSink::close() {
  for (int* each : {&file_, &folder_})
    if (*each >= 0) ::close(std::exchange(*each, -1));
}

// A folder that is held cannot be exchanged for a link any more.
Result<void> FileSink::open_folder() {
  const fs::path folder = folder_of(options_.path);
  folder_ = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_ < 0) return Error{ErrorCode::Internal, options_.path + ": " + reason()};
  if (options_.directories.empty()) return {};
  std::error_code fault;
  const fs::path real = fs::read_symlink("/proc/self/fd/" + std::to_string(folder_), fault);
  if (!fault && is_below_any(real, options_.directories)) return {};
  return Error{ErrorCode::Internal, options_.path + ": leads out of rules.file_directories"};
}

Result<void> FileSink::reopen() {
  close();
  if (auto opened = open_folder(); !opened) {
    close();
    return opened;
  }
  // O_NONBLOCK: a pipe that nobody reads is an error, and nothing to wait for.
  file_ = ::openat(folder_, name_.c_str(),
                   O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
  struct stat facts {};
  if (file_ < 0 || ::fstat(file_, &facts) != 0) {
    const Error error{ErrorCode::Internal, options_.path + ": " + reason()};
    close();
    return error;
  }
  size_ = static_cast<std::uint64_t>(facts.st_size);
  begun_ = size_ == 0 ? options_.wall() : made_at(file_);
  return {};
}

bool FileSink::begins_with_header() const {
  if (header_.empty()) return true;
  const int file = ::openat(folder_, name_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (file < 0) return false;
  std::string begin(header_.size(), '\0');
  const ssize_t count = ::pread(file, begin.data(), begin.size(), 0);
  ::close(file);
  return count == static_cast<ssize_t>(begin.size()) && begin == header_;
}

void FileSink::rotate(WallTime now) {
  const bool large = options_.rotate_bytes > 0 && size_ >= options_.rotate_bytes;
  const bool old = options_.rotate_seconds > 0 && now - begun_ >= Seconds(options_.rotate_seconds);
  if (size_ > 0 && (large || old || !begins_with_header())) keep_under_another_name(now);
}

void FileSink::keep_under_another_name(WallTime now) {
  const std::string stamp = stamp_of(now);
  std::string kept;
  struct stat facts {};
  for (int number = 0;
       kept.empty() || ::fstatat(folder_, kept.c_str(), &facts, AT_SYMLINK_NOFOLLOW) == 0; ++number)
    kept = name_ + "." + stamp + "." + std::to_string(number);
  if (::renameat(folder_, name_.c_str(), folder_, kept.c_str()) != 0 || !reopen()) return;
  if (options_.files_max > 0) remove_oldest();
}

void FileSink::remove_oldest() const {
  std::vector<std::pair<std::pair<std::string, unsigned long>, std::string>> all;
  std::error_code failed;
  for (const auto& each : fs::directory_iterator(folder_of(options_.path), failed)) {
    const std::string name = each.path().filename().string();
    if (!name.starts_with(name_)) continue;
    if (auto kept = kept_as(std::string_view(name).substr(name_.size())))
      all.emplace_back(std::move(*kept), name);
  }
  std::sort(all.begin(), all.end());
  for (std::size_t i = 0; i + options_.files_max < all.size(); ++i)
    ::unlinkat(folder_, all[i].second.c_str(), 0);
}

SinkVerdict FileSink::deliver(std::span<const SinkEntry> batch) {
  if (file_ >= 0) rotate(options_.wall());
  if (file_ < 0) {
    if (auto opened = reopen(); !opened)
      return {SinkVerdict::Kind::Retry, 0, opened.error().detail};
  }
  std::string text = size_ == 0 ? header_ : std::string();
  SinkVerdict verdict{SinkVerdict::Kind::Delivered, 0, {}};
  for (const SinkEntry& entry : batch) {
    const auto line = options_.columns.empty() ? Result<std::string>(entry.payload)
                                               : csv_line(entry.payload, options_.columns);
    if (!line) {
      verdict.kind = SinkVerdict::Kind::Refused;
      verdict.why = line.error().detail;
      break;
    }
    text += *line + "\n";
    ++verdict.count;
  }
  if (verdict.count == 0) return verdict;
  if (!write_all(file_, text) || ::fdatasync(file_) != 0) {
    const std::string why = options_.path + ": " + reason();
    // Nothing of a batch that will be delivered again, not even half a line.
    if (::ftruncate(file_, static_cast<off_t>(size_)) != 0) close();
    return {SinkVerdict::Kind::Retry, 0, why};
  }
  size_ += text.size();
  return verdict;
}

}  // namespace twinmq::sinks
