#pragma once
// The bytes that wait for one connection's socket: small packets copied one behind the other into
// chunks, large payloads lent by the messages they belong to.

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include <twinmq/message.hpp>

#include "base/assert.hpp"

namespace twinmq::base {

namespace out_buffer_detail {

/// One link of the chain. Own bytes lie behind the header; a lent piece holds its message and a
/// pointer there.
struct Chunk {
  Chunk* next;
  std::uint32_t begin;     // first byte not yet sent
  std::uint32_t end;       // behind the last byte written
  std::uint32_t capacity;  // of a lent piece: its length, so that it never has room
  std::uint32_t size_class;
  std::uint8_t* room() { return reinterpret_cast<std::uint8_t*>(this + 1); }
};

}  // namespace out_buffer_detail

/// Where one shard's chunks come from and go to: free lists of three sizes, last in first out, so
/// that the next packet is written into memory that is still in the cache. Owned by one thread;
/// outlives no buffer in use, but a chunk may be returned to another pool than it came from.
class ChunkPool {
 public:
  /// Keeps at most this many bytes of free chunks per size; what comes back beyond is returned to
  /// the system.
  explicit ChunkPool(std::size_t free_bytes_max = std::size_t{1} << 20)
      : free_bytes_max_(free_bytes_max) {}
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;
  ~ChunkPool();

  /// Bytes of free chunks kept for reuse.
  std::size_t free_bytes() const;

 private:
  friend class OutBuffer;
  using Chunk = out_buffer_detail::Chunk;
  static constexpr std::array<std::uint32_t, 4> kBytes{512, 4096, 32768, 64};
  static constexpr std::uint32_t kLent = 3;

  Chunk* take(std::uint32_t size_class);
  void give_back(Chunk* chunk);
  static void destroy(Chunk* chunk);

  std::array<Chunk*, kBytes.size()> free_{};
  std::array<std::size_t, kBytes.size()> free_counts_{};
  std::size_t free_bytes_max_;
};

/// Not thread-safe. Holds no memory while empty.
class OutBuffer {
 public:
  /// Most that reserve() can be asked for.
  static constexpr std::size_t kReserveMax = 32768 - sizeof(out_buffer_detail::Chunk);

  OutBuffer() = default;
  OutBuffer(OutBuffer&& other) noexcept
      : head_(std::exchange(other.head_, nullptr)),
        tail_(std::exchange(other.tail_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  OutBuffer& operator=(OutBuffer&& other) noexcept {
    std::swap(head_, other.head_);
    std::swap(tail_, other.tail_);
    std::swap(size_, other.size_);
    return *this;
  }
  /// What still waits is lost; its memory goes to the system. clear() gives it to the pool instead.
  ~OutBuffer() {
    if (head_) destroy_all();
  }

  bool empty() const { return size_ == 0; }
  /// Bytes waiting.
  std::size_t size() const { return size_; }

  /// `n` contiguous bytes behind all others, to be written and then commit()ted, at least 1 and at
  /// most kReserveMax. Nothing else may be called between the two.
  std::uint8_t* reserve(std::size_t n, ChunkPool& pool) {
    if (!tail_ || tail_->capacity - tail_->end < n) [[unlikely]]
      add_chunk(n, pool);
    return tail_->room() + tail_->end;
  }
  /// The first `used` of the reserved bytes are to be sent.
  void commit(std::size_t used) {
    tail_->end += static_cast<std::uint32_t>(used);
    size_ += used;
  }

  /// Copies the bytes, however many.
  void append(std::string_view bytes, ChunkPool& pool);

  /// Lends `part`, which lies inside the message, without copying it; the message lives until it is
  /// sent.
  void append_shared(const MessageRef& message, std::string_view part, ChunkPool& pool);

  /// Describes the bytes from the front in up to `n` pieces; answers how many. They stay valid
  /// until consume(), clear() or the end of this buffer; further bytes may be appended.
  std::size_t gather(iovec* out, std::size_t n) const;

  /// The first `bytes` bytes were sent.
  void consume(std::size_t bytes, ChunkPool& pool);

  /// Forgets everything that waits.
  void clear(ChunkPool& pool);

 private:
  using Chunk = out_buffer_detail::Chunk;

  void add_chunk(std::size_t room, ChunkPool& pool);
  void link(Chunk* chunk);
  void destroy_all();

  Chunk* head_ = nullptr;
  Chunk* tail_ = nullptr;
  std::size_t size_ = 0;
};
static_assert(sizeof(OutBuffer) <= 24);

}  // namespace twinmq::base
