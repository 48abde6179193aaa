#include "storage/storage_sizes.hpp"

namespace twinmq::storage {

StorageSizes storage_sizes(const StorageConfig& config) {
  constexpr std::uint64_t kMiB = 1024 * 1024;
  const bool gateway = config.profile == StorageProfile::Gateway;
  return {config.cache_bytes.value_or(gateway ? 4 * kMiB : 256 * kMiB),
          config.write_buffer_bytes.value_or(gateway ? 2 * kMiB : 128 * kMiB),
          config.log_bytes_max.value_or(gateway ? 8 * kMiB : 128 * kMiB),
          config.free_bytes_min.value_or(gateway ? 16 * kMiB : 256 * kMiB)};
}

}  // namespace twinmq::storage
