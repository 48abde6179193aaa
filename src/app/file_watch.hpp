#pragma once
// Notices that files changed, were replaced, or came to stand behind another link, on a thread of
// its own.

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <twinmq/result.hpp>
#include <twinmq/time.hpp>

#include "net/descriptor.hpp"

namespace twinmq::app {

/// Which files stand under these names now; equal as long as none of them was changed or replaced.
std::string state_of_files(const std::vector<std::string>& files);

class FileWatch {
 public:
  struct Hooks {
    /// Some file is another one than before; not sooner than writers had a moment to finish.
    std::function<void()> changed;
    /// Once at the start and then every hour.
    std::function<void()> hourly;
    /// If it is there, asked before each `changed`: which files are watched from then on.
    std::function<std::vector<std::string>()> files = nullptr;
  };

  /// `known` is state_of_files() from before they were read, so that no change since then is
  /// missed. The hooks are called on the thread of the watch.
  static Result<std::unique_ptr<FileWatch>> start(std::vector<std::string> files, std::string known,
                                                  Hooks hooks);
  /// Waits for a hook that is being called.
  ~FileWatch();
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

 private:
  FileWatch(std::vector<std::string> files, std::string known, Hooks hooks);
  void serve();
  void watch_folders();
  /// False: the watch is to end.
  bool wait(Milliseconds patience, bool& event);

  std::vector<std::string> files_;
  std::string known_;
  const Hooks hooks_;
  net::Descriptor inotify_;
  net::Descriptor end_;
  std::thread thread_;
};

}  // namespace twinmq::app
