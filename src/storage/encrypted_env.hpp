#pragma once
// RocksDB's files encrypted: AES-256 in counter mode. Seen by storage alone.
//
// Each file begins with 4096 bytes in the clear: "TMQAES1\n", the data key's number (u32, little
// endian), 4 zero bytes, 16 random bytes, zeros. The random bytes are the first counter block, so
// no two files share a key stream; within a file every byte has its own place in it, since RocksDB
// only ever appends and never writes a file again. Counter mode hides; whether bytes were changed
// is found by RocksDB's checksums, which is no proof against somebody who changes them on purpose.

#include <memory>

#include <rocksdb/env.h>

#include "storage/key_ring.hpp"

namespace twinmq::storage {

std::unique_ptr<rocksdb::Env> encrypted_env(rocksdb::Env& base,
                                            std::shared_ptr<const KeyRing> keys);

}  // namespace twinmq::storage
