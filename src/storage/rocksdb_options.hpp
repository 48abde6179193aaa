#pragma once
// RocksDB's options for a profile. Seen by storage alone.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <rocksdb/options.h>

#include <twinmq/config.hpp>

namespace twinmq::storage {

rocksdb::Options rocksdb_options(const StorageConfig& config,
                                 std::size_t (*run_prefix)(std::string_view key));

/// RocksDB's own log as lines of ours: it writes no file of its own, which would wear flash and lie
/// beside encrypted data in the clear.
std::shared_ptr<rocksdb::Logger> rocksdb_logger(std::function<void(const std::string& line)> warn);

}  // namespace twinmq::storage
