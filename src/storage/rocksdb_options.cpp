#include "storage/rocksdb_options.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/table_properties_collectors.h>
#include <rocksdb/write_buffer_manager.h>

#include "storage/storage_sizes.hpp"

namespace twinmq::storage {

namespace {

constexpr std::uint64_t kMiB = 1024 * 1024;

class RunPrefix final : public rocksdb::SliceTransform {
 public:
  explicit RunPrefix(std::size_t (*prefix)(std::string_view)) : prefix_(prefix) {}
  const char* Name() const override { return "twinmq.run"; }
  rocksdb::Slice Transform(const rocksdb::Slice& key) const override {
    return {key.data(), prefix_({key.data(), key.size()})};
  }
  bool InDomain(const rocksdb::Slice& key) const override {
    return prefix_({key.data(), key.size()}) != 0;
  }

 private:
  std::size_t (*prefix_)(std::string_view);
};

class Lines final : public rocksdb::Logger {
 public:
  explicit Lines(std::function<void(const std::string&)> warn)
      : Logger(rocksdb::InfoLogLevel::WARN_LEVEL), warn_(std::move(warn)) {}
  void Logv(const char* format, va_list arguments) override {
    Logv(rocksdb::InfoLogLevel::WARN_LEVEL, format, arguments);
  }
  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (level < GetInfoLogLevel() || level == rocksdb::InfoLogLevel::HEADER_LEVEL) return;
    std::array<char, 1024> line{};
    const int size = std::vsnprintf(line.data(), line.size(), format, arguments);
    if (size <= 0) return;
    std::string text(line.data(), std::min(static_cast<std::size_t>(size), line.size() - 1));
    while (!text.empty() && text.back() == '\n') text.pop_back();
    warn_(text);
  }

 private:
  std::function<void(const std::string&)> warn_;
};

void tune_for_gateway(rocksdb::Options& options) {
  options.max_open_files = 64;
  options.table_cache_numshardbits = 0;
  options.target_file_size_base = 2 * kMiB;
  options.max_bytes_for_level_base = 8 * kMiB;
  options.compaction_readahead_size = 256 * 1024;
  options.writable_file_max_buffer_size = 64 * 1024;
  options.arena_block_size = 64 * 1024;
  options.manifest_preallocation_size = 64 * 1024;
  options.max_manifest_file_size = kMiB;
  options.max_background_jobs = 2;
}

void tune_for_server(rocksdb::Options& options) {
  options.max_open_files = 1024;
  options.max_bytes_for_level_base = 256 * kMiB;
  options.level_compaction_dynamic_level_bytes = true;
  options.bytes_per_sync = kMiB;
  options.max_background_jobs = 4;
}

rocksdb::CompressionType compression_of(StorageCompression compression) {
  switch (compression) {
    case StorageCompression::None: return rocksdb::kNoCompression;
    case StorageCompression::Lz4: return rocksdb::kLZ4Compression;
    case StorageCompression::Zstd: return rocksdb::kZSTD;
  }
  return rocksdb::kNoCompression;
}

}  // namespace

rocksdb::Options rocksdb_options(const StorageConfig& config,
                                 std::size_t (*run_prefix)(std::string_view key)) {
  const bool gateway = config.profile == StorageProfile::Gateway;
  const StorageSizes sizes = storage_sizes(config);
  rocksdb::Options options;
  options.create_if_missing = true;
  if (gateway) {
    tune_for_gateway(options);
  } else {
    tune_for_server(options);
  }
  // Two buffers: one is filled while the other is written.
  options.write_buffer_size = static_cast<std::size_t>(sizes.write_buffer_bytes / 2);
  options.max_write_buffer_number = gateway ? 2 : 3;
  options.max_total_wal_size = sizes.log_bytes_max;
  // One writer: what concurrent insertion needs would only cost.
  options.allow_concurrent_memtable_write = false;
  if (run_prefix != nullptr)
    options.memtable_insert_with_hint_prefix_extractor = std::make_shared<RunPrefix>(run_prefix);
  options.compression = compression_of(config.compression);
  // Deleted runs are a queue's everyday life: files full of them are compacted early.
  options.table_properties_collector_factories.push_back(
      rocksdb::NewCompactOnDeletionCollectorFactory(1000, 500));
  // So few files open quickly one after the other; several threads of RocksDB's would end the
  // process if the system gave it only some of them.
  options.max_file_opening_threads = 1;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.skip_stats_update_on_db_open = true;
  // With a sync after every write, nothing behind a damaged record of the log is the torn end that
  // a power cut leaves: it was acknowledged, and is kept. Otherwise the log is good up to the
  // damage.
  options.wal_recovery_mode = config.strict
                                  ? rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords
                              : config.durability.value_or(Durability::Fsync) == Durability::Fsync
                                  ? rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords
                                  : rocksdb::WALRecoveryMode::kPointInTimeRecovery;

  rocksdb::BlockBasedTableOptions table;
  rocksdb::LRUCacheOptions cache;
  cache.capacity = static_cast<std::size_t>(sizes.cache_bytes);
  cache.num_shard_bits = gateway ? 0 : -1;
  table.block_cache = rocksdb::NewLRUCache(cache);
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.format_version = 5;
  table.block_size = 8 * 1024;
  table.filter_policy.reset(gateway ? rocksdb::NewRibbonFilterPolicy(8)
                                    : rocksdb::NewBloomFilterPolicy(10));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  // Write buffers are accounted in the cache, which caps both.
  options.write_buffer_manager = std::make_shared<rocksdb::WriteBufferManager>(
      static_cast<std::size_t>(sizes.write_buffer_bytes), table.block_cache);
  return options;
}

std::shared_ptr<rocksdb::Logger> rocksdb_logger(std::function<void(const std::string& line)> warn) {
  return std::make_shared<Lines>(std::move(warn));
}

}  // namespace twinmq::storage
