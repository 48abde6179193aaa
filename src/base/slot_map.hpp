#pragma once
// Objects under keys that notice when their object is gone, at addresses that never change.

#include <algorithm>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace twinmq::base {

/// Names one object of a SlotMap. Two objects of a map never have equal keys, also not one after
/// the other in the same place (until a place was reused two thousand million times). The default
/// key names nothing.
struct SlotKey {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;

  explicit operator bool() const { return generation != 0; }
  std::uint64_t value() const { return (std::uint64_t{generation} << 32) | index; }
  static SlotKey from_value(std::uint64_t value) {
    return {static_cast<std::uint32_t>(value), static_cast<std::uint32_t>(value >> 32)};
  }
  bool operator==(const SlotKey&) const = default;
  auto operator<=>(const SlotKey&) const = default;
};

/// Owned by one thread. Insertion, look-up and removal cost O(1); beyond the object itself an entry
/// costs at most 8 bytes. Memory of removed objects is reused by later ones and returned with the
/// map.
template <typename T>
class SlotMap {
 public:
  SlotMap() = default;
  SlotMap(const SlotMap&) = delete;
  SlotMap& operator=(const SlotMap&) = delete;
  ~SlotMap() { clear(); }

  /// Makes a T from the arguments. The address of the object stays the same until it is erased.
  template <typename... Arguments>
  SlotKey insert(Arguments&&... arguments) {
    const std::uint32_t index = take_free();
    Slot& slot = slot_at(index);
    ::new (static_cast<void*>(slot.room)) T(std::forward<Arguments>(arguments)...);
    ++slot.generation;
    ++size_;
    return {index, slot.generation};
  }

  /// The object, or null when the key names none or one that is gone.
  T* get(SlotKey key) {
    if ((key.generation & 1) == 0 || key.index >= slots_) return nullptr;
    Slot& slot = slot_at(key.index);
    return slot.generation == key.generation ? slot.object() : nullptr;
  }
  const T* get(SlotKey key) const { return const_cast<SlotMap*>(this)->get(key); }

  /// Destroys the object; false when there is none. While its destructor runs, its key is already
  /// invalid.
  bool erase(SlotKey key) {
    T* object = get(key);
    if (!object) return false;
    Slot& slot = slot_at(key.index);
    ++slot.generation;
    --size_;
    object->~T();
    put_free(slot, key.index);
    return true;
  }

  void clear() {
    for_each([this](SlotKey key, T&) { erase(key); });
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  /// Calls visit(key, object) for each, in no promised order. The visitor may erase any object,
  /// itself included, and insert; whether it meets what it inserted is not promised.
  template <typename Visit>
  void for_each(Visit visit) {
    for (std::uint32_t index = 0; index < slots_; ++index) {
      Slot& slot = slot_at(index);
      if (slot.generation & 1) visit(SlotKey{index, slot.generation}, *slot.object());
    }
  }
  template <typename Visit>
  void for_each(Visit visit) const {
    const_cast<SlotMap*>(this)->for_each([&](SlotKey key, const T& object) { visit(key, object); });
  }

 private:
  // The generation is odd while an object lives in the slot; otherwise the room holds the next free
  // index.
  struct Slot {
    alignas(T) alignas(std::uint32_t) std::byte room[std::max(sizeof(T), sizeof(std::uint32_t))];
    std::uint32_t generation;
    T* object() { return std::launder(reinterpret_cast<T*>(room)); }
  };
  static constexpr std::uint32_t kPerChunk = static_cast<std::uint32_t>(
      std::bit_floor(std::clamp<std::size_t>(16384 / sizeof(Slot), 8, 1024)));
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  Slot& slot_at(std::uint32_t index) { return chunks_[index / kPerChunk][index % kPerChunk]; }

  std::uint32_t take_free() {
    if (free_ == kNone) {
      if (slots_ % kPerChunk == 0)
        chunks_.push_back(std::make_unique_for_overwrite<Slot[]>(kPerChunk));
      slot_at(slots_).generation = 0;
      return slots_++;
    }
    const std::uint32_t index = free_;
    free_ = *std::launder(reinterpret_cast<std::uint32_t*>(slot_at(index).room));
    return index;
  }

  void put_free(Slot& slot, std::uint32_t index) {
    ::new (static_cast<void*>(slot.room)) std::uint32_t(free_);
    free_ = index;
  }

  std::vector<std::unique_ptr<Slot[]>> chunks_;
  std::size_t size_ = 0;
  std::uint32_t slots_ = 0;  // places ever used; those above have no generation yet
  std::uint32_t free_ = kNone;
};

}  // namespace twinmq::base

template <>
struct std::hash<twinmq::base::SlotKey> {
  std::size_t operator()(const twinmq::base::SlotKey& key) const noexcept {
    return static_cast<std::size_t>(key.value() * 0x9e3779b97f4a7c15);
  }
};
