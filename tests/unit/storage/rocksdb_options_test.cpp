#include "storage/rocksdb_options.hpp"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include <rocksdb/env.h>

#include "storage/storage_sizes.hpp"

using namespace twinmq;
using namespace twinmq::storage;

TEST_CASE("a profile sets the sizes that the configuration leaves open") {
  StorageConfig config;
  const StorageSizes server = storage_sizes(config);
  config.profile = StorageProfile::Gateway;
  config.write_buffer_bytes = 1'000'000;
  const StorageSizes gateway = storage_sizes(config);
  CHECK(gateway.cache_bytes < server.cache_bytes);
  CHECK(gateway.log_bytes_max < server.log_bytes_max);
  CHECK(gateway.write_buffer_bytes == 1'000'000);
}

TEST_CASE("two write buffers share what may be buffered, and the log is bounded") {
  StorageConfig config;
  config.write_buffer_bytes = 64 << 20;
  config.log_bytes_max = 1 << 20;
  config.compression = StorageCompression::Zstd;
  const rocksdb::Options options = rocksdb_options(config, nullptr);
  CHECK(options.write_buffer_size == 32 << 20);
  CHECK(options.max_total_wal_size == 1 << 20);
  CHECK(options.compression == rocksdb::kZSTD);
}

TEST_CASE("warnings of RocksDB become lines, the rest is silent") {
  std::vector<std::string> lines;
  const auto logger = rocksdb_logger([&](const std::string& line) { lines.push_back(line); });
  rocksdb::Info(logger, "flushed");
  rocksdb::Warn(logger, "table %d is slow\n", 7);
  CHECK(lines == std::vector<std::string>{"table 7 is slow"});
}
