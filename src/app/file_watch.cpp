#include "app/file_watch.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "base/start_thread.hpp"
#include "net/event_loop.hpp"

namespace twinmq::app {
namespace {

/// Quiet for so long, writers are taken to have finished.
constexpr Milliseconds kSettleDelay{200};
constexpr Milliseconds kHour{3'600'000};
constexpr std::uint32_t kEvents =
    IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB;
constexpr int kLinksMax = 8;

Instant steady_now() {
  return std::chrono::time_point_cast<Milliseconds>(std::chrono::steady_clock::now());
}

}  // namespace

std::string state_of_files(const std::vector<std::string>& files) {
  std::string all;
  for (const std::string& file : files) {
    struct stat found {};
    if (::stat(file.c_str(), &found) != 0) {
      all += "none;";
      continue;
    }
    for (const auto number :
         {static_cast<std::int64_t>(found.st_dev), static_cast<std::int64_t>(found.st_ino),
          static_cast<std::int64_t>(found.st_size), static_cast<std::int64_t>(found.st_mtim.tv_sec),
          static_cast<std::int64_t>(found.st_mtim.tv_nsec)}) {
      all += std::to_string(number) + ',';
    }
    all += ';';
  }
  return all;
}

FileWatch::FileWatch(std::vector<std::string> files, std::string known, Hooks hooks)
    : files_(std::move(files)),
      known_(std::move(known)),
      hooks_(std::move(hooks)),
      inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)),
      end_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

Result<std::unique_ptr<FileWatch>> FileWatch::start(std::vector<std::string> files,
                                                    std::string known, Hooks hooks) {
  std::unique_ptr<FileWatch> watch(
      new FileWatch(std::move(files), std::move(known), std::move(hooks)));
  if (!watch->inotify_ || !watch->end_)
    return net::system_error(ErrorCode::Internal, "cannot watch files", errno);
  auto thread = base::start_thread([self = watch.get()] { self->serve(); });
  if (!thread) return thread.error();
  watch->thread_ = std::move(*thread);
  return watch;
}

FileWatch::~FileWatch() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(end_.get(), &one, sizeof one);
  if (thread_.joinable()) thread_.join();
}

// The folders of the files, and of what links on the way lead to: a file is often replaced by a new
// one of its name, and sometimes by turning a link.
void FileWatch::watch_folders() {
  std::set<std::string> folders;
  std::error_code ignored;
  for (const std::string& file : files_) {
    std::filesystem::path path = std::filesystem::absolute(file, ignored);
    for (int i = 0; i < kLinksMax; ++i) {
      folders.insert(path.parent_path().string());
      for (auto folder = path.parent_path(); folder.has_relative_path();
           folder = folder.parent_path()) {
        if (std::filesystem::is_symlink(folder, ignored))
          folders.insert(folder.parent_path().string());
      }
      if (!std::filesystem::is_symlink(path, ignored)) break;
      const std::filesystem::path target = std::filesystem::read_symlink(path, ignored);
      path = target.is_absolute() ? target : path.parent_path() / target;
    }
  }
  for (const std::string& folder : folders)
    ::inotify_add_watch(inotify_.get(), folder.c_str(), kEvents);
}

bool FileWatch::wait(Milliseconds patience, bool& event) {
  pollfd wanted[2] = {{inotify_.get(), POLLIN, 0}, {end_.get(), POLLIN, 0}};
  ::poll(wanted, 2, static_cast<int>(patience.count()));
  event = (wanted[0].revents & POLLIN) != 0;
  if (event) {
    alignas(inotify_event) char room[4096];
    while (::read(inotify_.get(), room, sizeof room) > 0) {
    }
  }
  return (wanted[1].revents & POLLIN) == 0;
}

void FileWatch::serve() {
  Instant next_hour = steady_now();
  while (true) {
    watch_folders();
    std::string now = state_of_files(files_);
    if (now != known_) {
      known_ = std::move(now);
      if (hooks_.files) {
        files_ = hooks_.files();
        known_ = state_of_files(files_);
        watch_folders();
      }
      hooks_.changed();
    }
    bool event = false;
    while (!event) {
      if (steady_now() >= next_hour) {
        next_hour = steady_now() + kHour;
        hooks_.hourly();
      }
      if (!wait(std::max(Milliseconds(0), next_hour - steady_now()), event)) return;
    }
    // Writing without an event, as into a file that is still open, shows in its size.
    for (std::string before; event || before != state_of_files(files_);) {
      before = state_of_files(files_);
      if (!wait(kSettleDelay, event)) return;
    }
  }
}

}  // namespace twinmq::app
