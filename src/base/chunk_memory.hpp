#pragma once
// Memory for tables that are read at random and grow chunk by chunk. A large one lies on large
// pages where the system gives them: a core remembers where a few thousand pages lie, and finding
// out for any other costs about as much as the read itself.

#include <cstddef>
#include <memory>
#include <vector>

namespace twinmq::base {

/// Chunks of one size, which stay where they are. Owned by one thread.
class ChunkMemory {
 public:
  /// Taken from the system at once, as one large page, by a table that has as much already.
  static constexpr std::size_t kRegionBytes = std::size_t{2} << 20;

  /// `chunk_bytes` divides kRegionBytes.
  explicit ChunkMemory(std::size_t chunk_bytes) : chunk_bytes_(chunk_bytes) {}

  /// Another chunk behind the others, aligned to 16, with anything in it.
  std::byte* add();
  /// Gives back all but the first `chunks`.
  void shrink_to(std::size_t chunks);

  std::byte* operator[](std::size_t chunk) const { return chunks_[chunk]; }
  std::size_t size() const { return chunks_.size(); }
  /// Bytes taken from the system, when the last chunk is used up to there.
  std::size_t footprint(std::size_t used_in_last) const;

 private:
  struct Unmap {
    void operator()(std::byte* region) const;
  };
  using Region = std::unique_ptr<std::byte, Unmap>;

  static Region new_region();
  std::size_t chunks_per_region() const { return kRegionBytes / chunk_bytes_; }

  std::size_t chunk_bytes_;
  std::vector<std::byte*> chunks_;
  std::vector<std::unique_ptr<std::byte[]>> single_;  ///< the first chunks, a region's worth
  std::vector<Region> regions_;                       ///< all others, side by side
};

}  // namespace twinmq::base
