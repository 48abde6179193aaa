#pragma once
// The sizes of the store on disk.

#include <cstdint>

#include <twinmq/config.hpp>

namespace twinmq::storage {

struct StorageSizes {
  std::uint64_t cache_bytes = 0;
  std::uint64_t write_buffer_bytes = 0;
  std::uint64_t log_bytes_max = 0;
  std::uint64_t free_bytes_min = 0;
};

/// What the Config says, or else its profile.
StorageSizes storage_sizes(const StorageConfig& config);

}  // namespace twinmq::storage
