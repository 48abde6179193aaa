#pragma once
// Little-endian fields, one behind the other: the form of what is written to the store.

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace twinmq::base {

class ByteWriter {
 public:
  template <std::unsigned_integral T>
  void number(T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i)
      bytes_.push_back(static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i)));
  }
  void flag(bool value) { bytes_.push_back(value ? '\1' : '\0'); }
  void signed_number(std::int64_t value) { number(static_cast<std::uint64_t>(value)); }
  /// Its length in four bytes, then the text.
  void text(std::string_view value) {
    number(static_cast<std::uint32_t>(value.size()));
    bytes_.append(value);
  }

  const std::string& bytes() const { return bytes_; }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

}  // namespace twinmq::base
