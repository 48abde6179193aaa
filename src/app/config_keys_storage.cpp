// [storage].

#include "app/config_key_rows.hpp"

namespace twinmq::app {

namespace {

constexpr std::int64_t kWriteBufferBytesMin = 262'144;

}  // namespace

std::vector<ConfigKey> storage_keys() {
  using S = StorageConfig;
  constexpr auto storage = &Config::storage;
  return {
      with_example(
          key_of<storage, &S::durability>(
              "storage.durability",
              "What an acknowledgement promises: fsync (survives a power cut), os (survives the "
              "end of the process) or none (memory only, the data directory stays unused); not "
              "set: fsync with a data_dir, none without."),
          "\"fsync\""),
      key_of<storage, &S::fsync_filters>("storage.fsync_filters",
                                         "Topic filters: publishes to such topics are acknowledged "
                                         "as with durability fsync, whatever the "
                                         "listener's or the broker's is."),
      key_of<storage, &S::os_filters>("storage.os_filters",
                                      "Topic filters: publishes to such topics are acknowledged as "
                                      "with durability os, unless a stronger level "
                                      "is meant for them, too."),
      key_of<storage, &S::none_filters>("storage.none_filters",
                                        "Topic filters: QoS 1 publishes to such topics are "
                                        "acknowledged at once and stored a moment later, unless "
                                        "a stronger level is meant for them, too."),
      key_of<storage, &S::profile>(
          "storage.profile",
          "What the store is tuned for: gateway (a device with 256 MB and flash) or server."),
      with_example(number<storage, &S::cache_bytes>(
                       "storage.cache_bytes", kCacheBytesMin, kI64Max,
                       "Memory of the store, write buffers included, in bytes; not set: 4 MiB for "
                       "gateway, 256 MiB for server."),
                   "268435456"),
      with_example(number<storage, &S::write_buffer_bytes>(
                       "storage.write_buffer_bytes", kWriteBufferBytesMin, kI64Max,
                       "Memory for what is written and not yet in tables, in bytes; not set: 2 MiB "
                       "for gateway, 128 MiB for server. More means fewer writes in all."),
                   "134217728"),
      with_example(number<storage, &S::log_bytes_max>(
                       "storage.log_bytes_max", kWriteBufferBytesMin, kI64Max,
                       "Write-ahead log, in bytes; each MiB takes about 20 ms at start; not set: 8 "
                       "MiB for gateway, 128 MiB for server."),
                   "134217728"),
      key_of<storage, &S::compression>("storage.compression",
                                       "Compression of tables on disk; zstd takes less room and "
                                       "more time than lz4."),
      with_example(number<storage, &S::free_bytes_min>(
                       "storage.free_bytes_min", 0, kI64Max,
                       "Free bytes on the disk below which messages that would have to be stored "
                       "are refused (0x97) until there is room again; not set: 16 MiB for gateway, "
                       "256 MiB for server."),
                   "268435456"),
      number<storage, &S::bytes_max>("storage.bytes_max", 0, kI64Max,
                                     "Bytes the store may take on disk; beyond it messages are "
                                     "refused in the same way; 0: all that is free."),
      key_of<storage, &S::strict>(
          "storage.strict",
          "Whether damaged data refuse the start; false: what is damaged is set aside in "
          "quarantine/ under data_dir, the log says exactly what, and the rest is served."),
      key_of<storage, &S::encryption_key>(
          "storage.encryption_key",
          "Key of everything on disk (AES-256), 64 hexadecimal digits, made for instance by "
          "openssl "
          "rand -hex 32; best taken from elsewhere, as \"${file:PATH}\" or \"${env:NAME}\"; empty: "
          "nothing is encrypted. Set it before the first start."),
      key_of<storage, &S::encryption_previous_key>(
          "storage.encryption_previous_key",
          "The key so far, when encryption_key is a new one; needed for one start."),
  };
}

}  // namespace twinmq::app
