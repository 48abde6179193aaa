#pragma once
// Line-oriented files a person writes: reading them whole, and telling every mistake in them at
// once.

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include <twinmq/result.hpp>

namespace twinmq::access {

/// Password and ACL files beyond this are refused.
inline constexpr std::size_t kFileBytesMax = 256U * 1024 * 1024;

/// The file's bytes. Blocks; not for shard threads. Errors: NotFound, PermissionDenied,
/// LimitReached, Internal.
Result<std::string> read_file(const std::string& path);

/// Calls `visit` for each line that is neither blank nor a comment ('#' first), without its line
/// end and the white space behind it. Lines count from 1. A byte order mark in front is skipped.
void for_each_line(std::string_view text,
                   const std::function<void(std::size_t line, std::string_view text)>& visit);

/// A piece of input for an error message: short, in quotes, printable.
std::string quoted(std::string_view input);

/// Mistakes in one file, gathered over all its lines.
class Complaints {
 public:
  explicit Complaints(std::string_view name) : name_(name) {}

  /// `column` counts bytes from 1.
  void add(std::size_t line, std::size_t column, std::string_view what);
  bool empty() const { return count_ == 0; }
  /// InvalidConfig; one "file:line:column: what" per mistake, the first kShown of them.
  Error error() const;

 private:
  static constexpr std::size_t kShown = 20;

  std::string name_;
  std::string shown_;
  std::size_t count_ = 0;
};

}  // namespace twinmq::access
