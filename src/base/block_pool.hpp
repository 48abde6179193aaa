#pragma once
// Small pieces of memory named by 32-bit handles instead of pointers. Blocks that were released are
// handed out again by size class; they are never joined or cut, so a handle that was a block once
// stays the start of one.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/chunk_memory.hpp"

namespace twinmq::base {

class BlockPool {
 public:
  using Handle = std::uint32_t;
  static constexpr Handle kNone = 0;  ///< never the handle of a block
  static constexpr std::size_t kBlockBytesMax = 200'000;

  /// At least `bytes` bytes, aligned to 8, with what the last user left in them. At most 32 GiB
  /// altogether.
  Handle allocate(std::size_t bytes);

  /// `bytes` as given to allocate(). The first four bytes of a released block are the pool's.
  void release(Handle handle, std::size_t bytes);

  void* at(Handle handle) const {
    return chunks_[handle >> kUnitBits] + std::size_t{handle & (kChunkUnits - 1)} * kUnit;
  }

  /// Whether the handle may be one of this pool at all.
  bool covers(Handle handle) const {
    return handle != kNone && (handle >> kUnitBits) < chunks_.size();
  }

  std::size_t blocks() const { return blocks_; }
  /// Bytes taken from the system and touched.
  std::size_t footprint() const;

 private:
  static constexpr std::size_t kUnit = 8;
  static constexpr unsigned kUnitBits = 15;
  static constexpr std::uint32_t kChunkUnits = 1U << kUnitBits;
  static constexpr std::uint32_t kFineUnits = 64;  ///< up to here every size has a class of its own

  static std::uint32_t round_up(std::size_t bytes);
  static std::size_t class_of(std::uint32_t units);

  ChunkMemory chunks_{kChunkUnits * kUnit};
  std::uint32_t next_unit_ = kChunkUnits;  ///< in the last chunk
  std::size_t blocks_ = 0;
  std::array<Handle, 160> free_{};  ///< by size class; the link to the next lies in the block
};

}  // namespace twinmq::base
