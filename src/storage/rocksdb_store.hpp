#pragma once
// The store on disk: RocksDB in one column family, so that one write-ahead log orders everything
// and what a torn log keeps is one moment of the past.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include <twinmq/config.hpp>
#include <twinmq/store.hpp>

#include "storage/data_directory.hpp"
#include "storage/synced_mark.hpp"

namespace rocksdb {
class DB;
class Env;
class Status;
}  // namespace rocksdb

namespace twinmq::storage {

struct Damage;

/// The form of everything in the store, and how what has an older one comes to it.
struct StoreForm {
  unsigned number = 1;
  /// The first leads from form 1 to 2, the next from 2 to 3, up to `number`. A step may be run
  /// again after a crash within it. Empty function: the newer form has the older one in it.
  std::vector<std::function<Result<void>(Store&)>> steps;
};

struct RocksDbParts {
  StorageConfig config;
  StoreForm form;
  /// How many bytes at the start of a key are common to a run of keys that mostly grow by ascending
  /// inserts (a session's queue); 0: the key is in no run. Makes such inserts cheap. Any thread.
  std::size_t (*run_prefix)(std::string_view key) = nullptr;
  /// What RocksDB warns of, and what was done about damage. Any thread; may be empty.
  std::function<void(LogLevel level, std::string_view event, const std::string& detail)> log;
  /// Opened to be looked at: nothing is written but the lock.
  bool read_only = false;
  /// In place of the operating system's file system, for tests; outlives the store.
  rocksdb::Env* env = nullptr;
};

class RocksDbStore final : public Store {
 public:
  /// Takes hold of the directory, makes or opens the store, and reads its log.
  static Result<std::unique_ptr<RocksDbStore>> open(const std::string& data_dir,
                                                    RocksDbParts parts);
  ~RocksDbStore() override;

  Result<void> commit(const Batch& batch, Durability durability) override;
  Result<void> scan(std::string_view from, std::string_view to, const Visitor& visit) override;
  Result<std::optional<std::string>> get(std::string_view key) override;
  Result<void> reopen() override;
  /// Reads every table and checks every checksum, and that nothing is missing that was synced.
  Result<void> verify();
  Durability durability_max() const override { return Durability::Fsync; }
  std::uint64_t room() const override;
  Result<void> back_up(const std::string& directory) override;
  std::vector<StoreFigure> figures() const override;

 private:
  struct Setup;

  RocksDbStore(DataDirectory directory, RocksDbParts parts);
  Result<void> open_keys();
  Result<void> open_database();
  Result<void> bring_up_to_date(unsigned format);
  Result<void> open_once(bool read_only);
  Result<void> check_log_first();
  std::uint64_t missing_changes() const;
  Result<void> mend(const std::string& because);
  Error refused(const std::string& because) const;
  std::uint64_t room_now() const;
  void report(const std::vector<Damage>& found) const;
  Error failed(std::string_view what, const rocksdb::Status& status);
  void close_database();

  const DataDirectory directory_;
  const RocksDbParts parts_;
  const std::unique_ptr<Setup> setup_;  ///< outlives the database
  mutable std::shared_mutex
      exchange_;                     ///< held shared while db_ is used, alone while it is replaced
  std::unique_ptr<rocksdb::DB> db_;  ///< null: the last reopen() failed
  SyncedMark synced_;
  std::uint64_t written_ = 0;  ///< since the last sync
  /// Something that was read does not verify; mended by the next reopen().
  std::atomic<bool> damaged_{false};
};

}  // namespace twinmq::storage
