#pragma once
// A sink that appends lines to a file, and begins a new one when it is large or old enough.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <twinmq/result.hpp>
#include <twinmq/sink.hpp>

namespace twinmq::sinks {

struct FileSinkOptions {
  std::string path;
  std::uint64_t rotate_bytes = 100ULL * 1024 * 1024;  ///< 0: never by size
  std::uint32_t rotate_seconds = 0;                   ///< 0: never by time
  std::uint32_t files_max = 10;      ///< of those kept; beyond, the oldest is removed; 0: none ever
  std::vector<std::string> columns;  ///< of a CSV file; none: lines as they come
  std::vector<std::string> directories;  ///< below which the file must really lie; none: anywhere
  std::function<WallTime()> wall;        ///< by which files grow old; null: the machine's clock
};

/// Whether a file with that path is below one of the directories, by its name and by where links
/// really lead. The error says why not.
Result<void> check_file_place(const std::string& path, const std::vector<std::string>& directories);

/// Each payload becomes a line; it must not contain line breaks, as JSON written by rules does not.
/// With columns each payload is a JSON object and its line CSV; what is no object is refused, and
/// every file begins with the names of the columns. A batch is on stable storage before it counts
/// as delivered. A full file PATH is renamed to PATH.YYYYMMDD-HHMMSS.N, and only files of such
/// names are ever removed. The path's last part is never a link that is followed.
class FileSink final : public Sink {
 public:
  static Result<std::unique_ptr<Sink>> open(FileSinkOptions options);
  ~FileSink() override;
  SinkVerdict deliver(std::span<const SinkEntry> batch) override;

 private:
  explicit FileSink(FileSinkOptions options);
  void close();
  Result<void> reopen();
  Result<void> open_folder();
  bool begins_with_header() const;
  void rotate(WallTime now);
  void keep_under_another_name(WallTime now);
  void remove_oldest() const;

  FileSinkOptions options_;
  std::string name_;    ///< of the file, in its folder
  std::string header_;  ///< a line; empty: none
  int folder_ = -1;
  int file_ = -1;
  std::uint64_t size_ = 0;
  WallTime begun_{};
};

}  // namespace twinmq::sinks
