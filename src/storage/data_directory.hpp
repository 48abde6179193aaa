#pragma once
// The directory of everything a broker keeps: who may use it, and which form its content has.
//
//   lock      held by the process that uses the directory; its text is that process's id
//   FORMAT    one line: the number of the form in which everything is kept
//   SYNCED    one line: how many changes a sync has made safe
//   store/    RocksDB

#include <string>

#include <twinmq/result.hpp>

namespace twinmq::storage {

/// A directory held for one store, until destruction. Held against every other process, and against
/// every other broker in this one.
class DataDirectory {
 public:
  /// Makes the directory if it is not there, and takes hold of it. Blocks for the disk only.
  static Result<DataDirectory> claim(const std::string& path);

  DataDirectory(DataDirectory&& other) noexcept;
  DataDirectory& operator=(DataDirectory&& other) = delete;
  ~DataDirectory();

  const std::string& path() const { return path_; }
  std::string store_path() const { return path_ + "/store"; }

  /// The form of what lies there; 0: nothing lies there yet. Refuses what is beyond `newest`.
  Result<unsigned> format(unsigned newest) const;
  /// Notes that everything there now has this form.
  Result<void> set_format(unsigned format) const;

 private:
  DataDirectory(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}

  std::string path_;
  int lock_ = -1;
};

/// Writes the file in one step: a crash leaves the old one or the new one. Synced, and so is its
/// directory.
Result<void> replace_file(const std::string& path, const std::string& text);
/// The whole file; NotFound if there is none.
Result<std::string> read_file(const std::string& path);

}  // namespace twinmq::storage
