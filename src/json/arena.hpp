#pragma once
// Memory that is given back all at once: what a JSON document and the evaluations over it are made
// of.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace twinmq::json {

/// Hands out memory from blocks that it keeps. Belongs to one thread. After reset() everything
/// handed out is void, and the blocks serve again: a steady load allocates nothing.
class Arena {
 public:
  /// `limit`: bytes that may be handed out between two resets; a request beyond it is answered with
  /// nullptr and makes the arena exhausted until the next reset. `first_bytes`: size of the first
  /// block.
  explicit Arena(std::size_t limit = std::size_t{16} << 20,
                 std::size_t first_bytes = std::size_t{8} << 10)
      : limit_(limit), first_bytes_(first_bytes) {}

  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  template <typename T>
  T* array(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    if (count > limit_ / sizeof(T)) {
      exhausted_ = true;
      return nullptr;
    }
    return static_cast<T*>(allocate(count * sizeof(T), alignof(T)));
  }

  char* text(std::size_t bytes) { return static_cast<char*>(allocate(bytes, 1)); }

  /// A copy that lives as long as the arena's contents; empty when the budget is spent.
  std::string_view copy(std::string_view text) {
    char* to = this->text(text.size());
    if (to == nullptr) return {};
    if (!text.empty()) std::memcpy(to, text.data(), text.size());
    return {to, text.size()};
  }

  /// A copy of the first `used` bytes was enough: the rest of the newest text goes back.
  void give_back(char* end) {
    if (end >= begin_ && end <= next_) {
      used_ -= static_cast<std::size_t>(next_ - end);
      next_ = end;
    }
  }

  bool exhausted() const { return exhausted_; }
  std::size_t used() const { return used_; }
  std::size_t limit() const { return limit_; }
  void set_limit(std::size_t limit) { limit_ = limit; }

  /// Voids what was handed out. Blocks beyond `keep_bytes` go back to the system.
  void reset(std::size_t keep_bytes = std::size_t{1} << 20) {
    std::size_t kept = 0;
    std::size_t blocks = 0;
    while (blocks < blocks_.size() && kept + blocks_[blocks].size <= keep_bytes)
      kept += blocks_[blocks++].size;
    blocks_.resize(blocks);
    block_ = 0;
    used_ = 0;
    exhausted_ = false;
    begin_ = next_ = end_ = nullptr;
    if (!blocks_.empty()) open(0);
  }

 private:
  struct Block {
    std::unique_ptr<char[]> bytes;
    std::size_t size = 0;
  };

  void* allocate(std::size_t bytes, std::size_t alignment) {
    if (bytes > limit_ - (used_ < limit_ ? used_ : limit_)) {
      exhausted_ = true;
      return nullptr;
    }
    const auto at = reinterpret_cast<std::uintptr_t>(next_);
    const std::size_t padding = (alignment - at % alignment) % alignment;
    if (next_ == nullptr || static_cast<std::size_t>(end_ - next_) < bytes + padding) {
      grow(bytes + alignment);
      return allocate(bytes, alignment);
    }
    char* given = next_ + padding;
    next_ = given + bytes;
    used_ += bytes + padding;
    return given;
  }

  void open(std::size_t block) {
    block_ = block;
    begin_ = next_ = blocks_[block].bytes.get();
    end_ = begin_ + blocks_[block].size;
  }

  void grow(std::size_t bytes) {
    for (std::size_t i = next_ == nullptr ? 0 : block_ + 1; i < blocks_.size(); ++i)
      if (blocks_[i].size >= bytes) return open(i);
    std::size_t size = blocks_.empty() ? first_bytes_ : blocks_.back().size * 2;
    if (size < bytes) size = bytes;
    blocks_.push_back({std::make_unique_for_overwrite<char[]>(size), size});
    open(blocks_.size() - 1);
  }

  std::vector<Block> blocks_;
  std::size_t block_ = 0;
  std::size_t limit_;
  std::size_t used_ = 0;
  bool exhausted_ = false;
  char* begin_ = nullptr;
  char* next_ = nullptr;
  char* end_ = nullptr;
  std::size_t first_bytes_;
};

}  // namespace twinmq::json
