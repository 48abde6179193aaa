#pragma once
// The mirror of ByteWriter. Read everything, ask once: beyond the end every field is zero or empty,
// and ok() tells.

#include <concepts>
#include <cstdint>
#include <string_view>

namespace twinmq::base {

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  template <std::unsigned_integral T>
  T number() {
    const std::string_view field = take(sizeof(T));
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < field.size(); ++i)
      value |= std::uint64_t{static_cast<unsigned char>(field[i])} << (8 * i);
    return static_cast<T>(value);
  }
  bool flag() {
    const auto value = number<std::uint8_t>();
    ok_ = ok_ && value <= 1;
    return value == 1;
  }
  std::int64_t signed_number() { return static_cast<std::int64_t>(number<std::uint64_t>()); }
  /// A view into the bytes given to the constructor.
  std::string_view text() {
    const auto size = number<std::uint32_t>();
    return take(size);
  }
  /// Everything that was not read yet.
  std::string_view rest() { return take(bytes_.size()); }
  /// The caller found a value that cannot be.
  void reject() { ok_ = false; }

  bool ok() const { return ok_; }
  /// Everything was read, and nothing is left.
  bool finished() const { return ok_ && bytes_.empty(); }

 private:
  std::string_view take(std::size_t size) {
    if (size > bytes_.size()) {
      ok_ = false;
      bytes_ = {};
      return {};
    }
    const std::string_view field = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return field;
  }

  std::string_view bytes_;
  bool ok_ = true;
};

}  // namespace twinmq::base
