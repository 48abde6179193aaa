#pragma once
// One pass over text that finds out everything MQTT asks of it: 16 bytes at a time while it is
// ASCII, sequence by sequence where it is not. Runs for every PUBLISH.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace twinmq::mqtt {

struct TextFacts {
  bool well_formed = true;  ///< RFC 3629: shortest form, no surrogates, nothing above U+10FFFF
  bool has_nul = false;
  bool has_wildcard = false;  ///< only looked for in topics
  std::uint32_t slashes = 0;  ///< only counted in topics
};

/// Up to 16 bytes of text, bytes beyond its size being 0. Bit i of a mask stands for byte i.
class TextBlock {
 public:
  static constexpr std::size_t kBytes = 16;

  /// `size` of 16 or more reads 16 bytes; less reads exactly `size` bytes.
  TextBlock(const char* text, std::size_t size) {
    if (size >= kBytes) {
      std::memcpy(bytes_, text, kBytes);
      mask_ = 0xFFFF;
    } else {
      load_short(text, size);
      mask_ = (1U << size) - 1;
    }
  }

  std::uint32_t not_ascii() const {
#if defined(__SSE2__)
    return static_cast<std::uint32_t>(_mm_movemask_epi8(vector())) & mask_;
#else
    std::uint32_t found = 0;
    for (unsigned i = 0; i < kBytes; ++i) found |= static_cast<std::uint32_t>(byte(i) >> 7U) << i;
    return found & mask_;
#endif
  }

  std::uint32_t equal(char wanted) const {
#if defined(__SSE2__)
    const __m128i hits = _mm_cmpeq_epi8(vector(), _mm_set1_epi8(wanted));
    return static_cast<std::uint32_t>(_mm_movemask_epi8(hits)) & mask_;
#else
    std::uint32_t found = 0;
    for (unsigned i = 0; i < kBytes; ++i) {
      found |= static_cast<std::uint32_t>(byte(i) == static_cast<std::uint8_t>(wanted)) << i;
    }
    return found & mask_;
#endif
  }

 private:
  // Two overlapping loads instead of a copy of unknown length. Little endian only; elsewhere a
  // plain copy.
  void load_short(const char* text, std::size_t size) {
    if constexpr (std::endian::native != std::endian::little) {
      if (size != 0) std::memcpy(bytes_, text, size);
    } else if (size >= 8) {
      bytes_[0] = load<std::uint64_t>(text);
      if (size > 8) bytes_[1] = load<std::uint64_t>(text + size - 8) >> (8 * (kBytes - size));
    } else if (size >= 4) {
      bytes_[0] = load<std::uint32_t>(text) | std::uint64_t{load<std::uint32_t>(text + size - 4)}
                                                  << (8 * (size - 4));
    } else if (size > 0) {
      bytes_[0] = std::uint64_t{load<std::uint8_t>(text)} |
                  std::uint64_t{load<std::uint8_t>(text + size / 2)} << (8 * (size / 2)) |
                  std::uint64_t{load<std::uint8_t>(text + size - 1)} << (8 * (size - 1));
    }
  }

  template <typename Word>
  static Word load(const char* from) {
    Word word;
    std::memcpy(&word, from, sizeof word);
    return word;
  }

#if defined(__SSE2__)
  __m128i vector() const {
    return _mm_set_epi64x(static_cast<long long>(bytes_[1]), static_cast<long long>(bytes_[0]));
  }
#else
  std::uint8_t byte(unsigned i) const {
    return reinterpret_cast<const std::uint8_t*>(bytes_)[i];
  }
#endif

  std::uint64_t bytes_[2] = {0, 0};
  std::uint32_t mask_;
};

/// Size of the UTF-8 sequence of two to four bytes at the front of `text`; 0 if there is none.
inline std::size_t multibyte_size(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const auto continues = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const std::uint8_t lead = byte(0);
  if (lead < 0xC2) return 0;  // a continuation, or the overlong C0 and C1
  if (lead < 0xE0) return text.size() >= 2 && continues(1) ? 2 : 0;
  if (lead < 0xF0) {
    if (text.size() < 3 || !continues(1) || !continues(2)) return 0;
    if (lead == 0xE0 && byte(1) < 0xA0) return 0;   // overlong
    if (lead == 0xED && byte(1) >= 0xA0) return 0;  // surrogates
    return 3;
  }
  if (lead > 0xF4 || text.size() < 4 || !continues(1) || !continues(2) || !continues(3)) return 0;
  if (lead == 0xF0 && byte(1) < 0x90) return 0;   // overlong
  if (lead == 0xF4 && byte(1) >= 0x90) return 0;  // above U+10FFFF
  return 4;
}

/// Stops at the first sequence that is not UTF-8; what was counted until then is then of no use.
template <bool kTopic>
TextFacts scan_text(std::string_view text) {
  TextFacts facts;
  std::uint32_t nul = 0;
  std::uint32_t wildcards = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    const TextBlock block(text.data() + at, text.size() - at);
    const std::uint32_t foreign = block.not_ascii();
    // Only what stands in front of the first foreign byte belongs to this round.
    const std::uint32_t mine = foreign == 0 ? 0xFFFFU : (foreign & (0U - foreign)) - 1;
    nul |= block.equal('\0') & mine;
    if constexpr (kTopic) {
      wildcards |= (block.equal('+') | block.equal('#')) & mine;
      facts.slashes += static_cast<std::uint32_t>(std::popcount(block.equal('/') & mine));
    }
    if (foreign == 0) {
      at += TextBlock::kBytes;
      continue;
    }
    at += static_cast<std::size_t>(std::countr_zero(foreign));
    while (at < text.size() && static_cast<std::uint8_t>(text[at]) >= 0x80) {
      const std::size_t size = multibyte_size(text.substr(at));
      if (size == 0) {
        facts.well_formed = false;
        return facts;
      }
      at += size;
    }
  }
  facts.has_nul = nul != 0;
  facts.has_wildcard = wildcards != 0;
  return facts;
}

}  // namespace twinmq::mqtt
