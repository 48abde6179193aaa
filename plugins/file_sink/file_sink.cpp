// Results of rules as lines of files: a sink behind a durable queue, so that every line is written
// at least once.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

#include <twinmq/plugin.hpp>

using namespace twinmq::plugin;

namespace {

/// Whether links put the file's folder elsewhere. The file itself is never a link that is followed.
bool leads_out(const std::string& directory, const std::string& path) {
  namespace fs = std::filesystem;
  fs::path top = fs::weakly_canonical(directory);
  if (!top.has_filename()) top = top.parent_path();  // a '/' at the end
  const fs::path folder = fs::weakly_canonical(fs::path(path).parent_path());
  return std::mismatch(top.begin(), top.end(), folder.begin(), folder.end()).first != top.end();
}

/// Appends to one file, which others may move away between two batches.
class FileSink final : public Sink {
 public:
  FileSink(std::string directory, std::string path, bool with_id, bool sync)
      : directory_(std::move(directory)), path_(std::move(path)), with_id_(with_id), sync_(sync) {}

  Delivery deliver(std::span<const Entry> batch) override {
    std::string lines;
    for (const Entry& entry : batch) {
      if (with_id_) lines.append(entry.id).push_back(' ');
      const std::size_t begin = lines.size();
      lines.append(entry.payload);
      std::replace(lines.begin() + static_cast<std::ptrdiff_t>(begin), lines.end(), '\n', ' ');
      lines.push_back('\n');
    }
    if (leads_out(directory_, path_))
      throw std::runtime_error(path_ + " leads by a link out of " + directory_);
    const File file(path_);
    file.write(lines);
    if (sync_) file.sync();
    return Delivery::Delivered;
  }

 private:
  /// What goes wrong throws: the broker tries again later.
  class File {
   public:
    explicit File(const std::string& path)
        : fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640)) {
      if (fd_ < 0) fail("cannot open " + path);
    }
    ~File() { ::close(fd_); }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    void write(std::string_view text) const {
      while (!text.empty()) {
        const ssize_t written = ::write(fd_, text.data(), text.size());
        if (written < 0 && errno != EINTR) fail("cannot write");
        if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
      }
    }
    void sync() const {
      if (::fdatasync(fd_) != 0) fail("cannot sync");
    }

   private:
    [[noreturn]] static void fail(const std::string& what) {
      throw std::system_error(errno, std::generic_category(), what);
    }
    int fd_;
  };

  const std::string directory_;
  const std::string path_;
  const bool with_id_;
  const bool sync_;
};

/// The path, if it lies below the directory that the administrator named.
std::string below(const std::string& directory, std::string_view path) {
  namespace fs = std::filesystem;
  const fs::path full = (fs::path(directory) / path).lexically_normal();
  const fs::path rest = full.lexically_relative(fs::path(directory).lexically_normal());
  if (path.empty() || rest.empty() || *rest.begin() == ".." || *rest.begin() == ".")
    throw std::invalid_argument(std::string(path) + " does not lie below " + directory);
  if (leads_out(directory, full.string()) || fs::is_symlink(fs::symlink_status(full)))
    throw std::invalid_argument(std::string(path) + " leads by a link out of " + directory);
  return full.string();
}

}  // namespace

TWINMQ_PLUGIN(host) {
  const std::string directory(host.options()["directory"].text());
  host.action("file_sink", [directory](View options) {
    return std::make_unique<FileSink>(directory, below(directory, options["path"].text()),
                                      options["id"].boolean_or(false),
                                      options["sync"].boolean_or(true));
  });
}
