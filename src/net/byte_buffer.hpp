#pragma once
// Bytes in a row that grow at the end and are taken from the front.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <utility>

#include <twinmq/bytes.hpp>

namespace twinmq::net {

/// Holds no memory before it is first written to. What room() answers is not initialised.
class ByteBuffer {
 public:
  ByteBuffer() = default;
  ByteBuffer(ByteBuffer&& other) noexcept { swap(other); }
  ByteBuffer& operator=(ByteBuffer&& other) noexcept {
    swap(other);
    return *this;
  }

  bool empty() const { return begin_ == end_; }
  std::size_t size() const { return end_ - begin_; }
  std::size_t capacity() const { return capacity_; }
  ByteView view() const { return {bytes_.get() + begin_, size()}; }

  /// At least `n` bytes behind the last one, to be written and then kept by grow().
  std::span<std::uint8_t> room(std::size_t n) {
    if (capacity_ - end_ < n) make_room(n);
    return {bytes_.get() + end_, capacity_ - end_};
  }
  /// The first `n` bytes of the room belong to the buffer now.
  void grow(std::size_t n) { end_ += n; }

  void append(ByteView bytes) {
    if (bytes.empty()) return;
    std::memcpy(room(bytes.size()).data(), bytes.data(), bytes.size());
    grow(bytes.size());
  }
  /// Takes `n` bytes from the front.
  void consume(std::size_t n) {
    begin_ += n;
    if (begin_ == end_) clear();
  }
  /// Empty, but the memory stays.
  void clear() { begin_ = end_ = 0; }
  /// Empty, and without memory.
  void release() {
    bytes_.reset();
    begin_ = end_ = capacity_ = 0;
  }
  void swap(ByteBuffer& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(begin_, other.begin_);
    std::swap(end_, other.end_);
    std::swap(capacity_, other.capacity_);
  }

 private:
  void make_room(std::size_t n) {
    const std::size_t held = size();
    if (begin_ >= held && capacity_ - held >= n) {
      std::memcpy(bytes_.get(), bytes_.get() + begin_, held);
    } else {
      const std::size_t wanted = std::max({held + n, 2 * held, std::size_t{256}});
      auto larger = std::make_unique_for_overwrite<std::uint8_t[]>(wanted);
      if (held > 0) std::memcpy(larger.get(), bytes_.get() + begin_, held);
      bytes_ = std::move(larger);
      capacity_ = wanted;
    }
    begin_ = 0;
    end_ = held;
  }

  std::unique_ptr<std::uint8_t[]> bytes_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace twinmq::net
