#pragma once
// How far a store was synced, noted outside of it: a log that is cut short looks like one that
// never was longer.

#include <cstdint>
#include <string>

namespace twinmq::storage {

/// The file SYNCED: the number of the last change that a sync made safe, in decimal, and a line
/// end. It is not synced itself: after a power cut it may tell of less than is there, never of
/// more. Used by one thread at a time.
class SyncedMark {
 public:
  /// Without `writable` nothing is made or changed. What cannot be opened or read says 0.
  SyncedMark(const std::string& path, bool writable);
  SyncedMark(const SyncedMark&) = delete;
  SyncedMark& operator=(const SyncedMark&) = delete;
  ~SyncedMark();

  /// 0: nothing is known.
  std::uint64_t change() const { return change_; }
  /// One write without waiting for the disk; a disk that takes none is no error here.
  void set(std::uint64_t change);

 private:
  int file_;
  bool writable_;
  std::uint64_t change_ = 0;
};

}  // namespace twinmq::storage
