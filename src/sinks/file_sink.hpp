#pragma once
// A sink that appends lines to a file, and begins a new one when it is large or old enough.

#include <cstdint>
#include <memory>
#include <string>

#include <twinmq/result.hpp>
#include <twinmq/sink.hpp>

namespace twinmq::sinks {

struct FileSinkOptions {
  std::string path;
  std::uint64_t rotate_bytes = 100ULL * 1024 * 1024;  ///< 0: never by size
  std::uint32_t rotate_seconds = 0;                   ///< 0: never by time
  std::uint32_t files_max = 10;                       ///< beyond, the oldest is removed; 0: none ever
};

/// Each payload becomes a line; it must not contain line breaks, as JSON and CSV written by rules do not. A batch is
/// on stable storage before it counts as delivered. A full file PATH is renamed to PATH.YYYYMMDD-HHMMSS.N.
class FileSink final : public Sink {
 public:
  static Result<std::unique_ptr<Sink>> open(FileSinkOptions options);
  ~FileSink() override;
  SinkVerdict deliver(std::span<const SinkEntry> batch) override;

 private:
  explicit FileSink(FileSinkOptions options) : options_(std::move(options)) {}
  Result<void> reopen();
  void rotate(WallTime now);

  FileSinkOptions options_;
  int file_ = -1;
  std::uint64_t size_ = 0;
  WallTime begun_{};
};

}  // namespace twinmq::sinks
