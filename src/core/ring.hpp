#pragma once
// A queue in one growing array, for things in the thousands. Empty, it owns no memory.

#include <cstddef>
#include <memory>
#include <utility>

#include "base/assert.hpp"

namespace twinmq::core {

template <typename T>
class Ring {
 public:
  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }

  T& operator[](std::size_t i) { return items_[(first_ + i) & (capacity_ - 1)]; }
  const T& operator[](std::size_t i) const { return items_[(first_ + i) & (capacity_ - 1)]; }
  T& front() { return (*this)[0]; }
  T& back() { return (*this)[size_ - 1]; }

  T& push_back(T item) {
    if (size_ == capacity_) resize(capacity_ == 0 ? kCapacityMin : capacity_ * 2);
    T& place = (*this)[size_++];
    place = std::move(item);
    return place;
  }

  void pop_front() {
    TWINMQ_ASSERT(size_ > 0);
    items_[first_] = T{};
    first_ = static_cast<std::uint32_t>((first_ + 1) & (capacity_ - 1));
    // What a burst took is given back once it has drained.
    if (--size_ == 0 && capacity_ > kCapacityKept) clear();
  }

  void pop_back() {
    TWINMQ_ASSERT(size_ > 0);
    back() = T{};
    if (--size_ == 0 && capacity_ > kCapacityKept) clear();
  }

  /// Gives back what most of the capacity takes, if little of it is used.
  void shrink() {
    if (size_ == 0) return clear();
    std::uint32_t capacity = kCapacityMin;
    while (capacity < size_) capacity *= 2;
    if (capacity_ > kCapacityKept && capacity < capacity_ / 2) resize(capacity);
  }

  void clear() {
    items_.reset();
    first_ = capacity_ = size_ = 0;
  }

 private:
  static constexpr std::uint32_t kCapacityMin = 4;
  static constexpr std::uint32_t kCapacityKept = 1024;

  void resize(std::uint32_t capacity) {
    auto items = std::make_unique<T[]>(capacity);
    for (std::uint32_t i = 0; i < size_; ++i) items[i] = std::move((*this)[i]);
    items_ = std::move(items);
    first_ = 0;
    capacity_ = capacity;
  }

  std::unique_ptr<T[]> items_;
  std::uint32_t first_ = 0;
  std::uint32_t capacity_ = 0;
  std::uint32_t size_ = 0;
};

}  // namespace twinmq::core
