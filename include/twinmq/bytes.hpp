#pragma once
// Borrowed bytes. A ByteView never owns: whoever hands one out says how long it lives.

#include <cstdint>
#include <span>
#include <string_view>

namespace twinmq {

using ByteView = std::span<const std::uint8_t>;

inline ByteView bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

inline std::string_view text_of(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace twinmq
