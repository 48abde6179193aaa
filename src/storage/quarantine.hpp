#pragma once
// What is done when a store's files are damaged: what does not verify is set aside, the rest is
// made a store again.

#include <functional>
#include <string>
#include <vector>

#include <rocksdb/options.h>
#include <rocksdb/status.h>

#include <twinmq/result.hpp>

namespace twinmq::storage {

/// One file that is not what it was.
struct Damage {
  std::string file;     ///< its name in the store's folder
  std::uint64_t bytes;  ///< its size, or what of it is lost
  std::string because;
  std::string kept_as;  ///< where it lies now; empty: nowhere
};

class Quarantine {
 public:
  /// Damaged files of the store in `store` go to numbered folders in `quarantine`.
  Quarantine(std::string store, std::string quarantine)
      : store_(std::move(store)), quarantine_(std::move(quarantine)) {}

  /// Whether the status tells of damaged or missing files, and not of a disk that is full, gone or
  /// read-only.
  static bool is_damage(const rocksdb::Status& status);

  /// Whether there are files of a store without the one that names them: opening would take it for
  /// a new store and delete them.
  bool headless() const;

  /// Keeps the logs' content beside the recovery that will delete them. Call forget_logs() or
  /// keep_logs() after it.
  void hold_logs();
  void forget_logs();
  /// Into the quarantine, each as one damage.
  std::vector<Damage> keep_logs(const std::string& because);

  /// Runs of zeros in logs where records should be; RocksDB takes them for the end.
  std::vector<Damage> zeros_in_logs() const;

  /// Sets aside every table that does not verify and rebuilds the list of tables from the rest. The
  /// store is closed.
  Result<std::vector<Damage>> mend(const rocksdb::Options& options);

  /// The whole store.
  Result<Damage> set_aside(const std::string& because);

 private:
  std::vector<std::string> files(std::string_view ending) const;
  std::string folder();
  Damage move(const std::string& file, const std::string& because);

  const std::string store_;
  const std::string quarantine_;
  std::string folder_;  ///< of this time; empty: none yet
};

}  // namespace twinmq::storage
