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

/// 16 bytes of text. A shorter piece is filled up with U+0001, which counts for nothing.
class TextBlock {
 public:
  static constexpr std::size_t kBytes = 16;

  /// `size` of 16 or more reads 16 bytes; less reads exactly `size` bytes.
  TextBlock(const char* text, std::size_t size) {
    if (size >= kBytes) {
      words_[0] = load<std::uint64_t>(text);
      words_[1] = load<std::uint64_t>(text + 8);
    } else if constexpr (std::endian::native == std::endian::little) {
      load_short(text, size);
    } else {
      std::memset(words_, 1, kBytes);
      if (size != 0) std::memcpy(words_, text, size);
    }
  }

  bool is_ascii() const { return ((words_[0] | words_[1]) & 0x8080'8080'8080'8080U) == 0; }

 private:
  friend class TopicMarks;
  static constexpr std::uint64_t kFill = 0x0101'0101'0101'0101U;

  // Two overlapping loads instead of a copy of unknown length.
  void load_short(const char* text, std::size_t size) {
    if (size >= 8) {
      words_[0] = load<std::uint64_t>(text);
      words_[1] = size == 8 ? kFill
                            : load<std::uint64_t>(text + size - 8) >> (8 * (kBytes - size)) |
                                  kFill << (8 * (size - 8));
      return;
    }
    words_[1] = kFill;
    words_[0] = kFill << (8 * size);
    if (size >= 4) {
      words_[0] |= load<std::uint32_t>(text) | std::uint64_t{load<std::uint32_t>(text + size - 4)}
                                                   << (8 * (size - 4));
    } else if (size > 0) {
      words_[0] |= std::uint64_t{load<std::uint8_t>(text)} |
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

  std::uint64_t words_[2];
};

/// Adds up what ASCII blocks hold of the characters that matter; asked once at the end.
class TopicMarks {
 public:
#if defined(__SSE2__)
  template <bool kTopic>
  void add(const TextBlock& block) {
    const __m128i bytes = _mm_set_epi64x(static_cast<long long>(block.words_[1]),
                                         static_cast<long long>(block.words_[0]));
    nuls_ = _mm_or_si128(nuls_, _mm_cmpeq_epi8(bytes, _mm_setzero_si128()));
    if constexpr (kTopic) {
      wildcards_ = _mm_or_si128(wildcards_, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('+')));
      wildcards_ = _mm_or_si128(wildcards_, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('#')));
      const __m128i ones =
          _mm_and_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('/')), _mm_set1_epi8(1));
      slashes_ = _mm_add_epi64(slashes_, _mm_sad_epu8(ones, _mm_setzero_si128()));
    }
  }

  bool nul() const {
    return _mm_movemask_epi8(nuls_) != 0;
  }
  bool wildcard() const {
    return _mm_movemask_epi8(wildcards_) != 0;
  }
  std::uint32_t slashes() const {
    return static_cast<std::uint32_t>(_mm_cvtsi128_si32(slashes_) +
                                      _mm_cvtsi128_si32(_mm_unpackhi_epi64(slashes_, slashes_)));
  }

 private:
  __m128i nuls_ = _mm_setzero_si128();
  __m128i wildcards_ = _mm_setzero_si128();
  __m128i slashes_ = _mm_setzero_si128();
#else
  template <bool kTopic>
  void add(const TextBlock& block) {
    char bytes[TextBlock::kBytes];
    std::memcpy(bytes, block.words_, sizeof bytes);
    for (const char c : bytes) {  // without a branch, for the compiler to make vectors of
      nuls_ |= static_cast<unsigned>(c == '\0');
      if constexpr (kTopic) {
        wildcards_ |= static_cast<unsigned>(c == '+') | static_cast<unsigned>(c == '#');
        slashes_ += static_cast<unsigned>(c == '/');
      }
    }
  }

  bool nul() const {
    return nuls_ != 0;
  }
  bool wildcard() const {
    return wildcards_ != 0;
  }
  std::uint32_t slashes() const {
    return slashes_;
  }

 private:
  unsigned nuls_ = 0;
  unsigned wildcards_ = 0;
  std::uint32_t slashes_ = 0;
#endif
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
  TopicMarks marks;
  std::size_t at = 0;
  while (at < text.size()) {
    const TextBlock block(text.data() + at, text.size() - at);
    const std::size_t block_end = at + TextBlock::kBytes;
    if (block.is_ascii()) {
      marks.add<kTopic>(block);
      at = block_end;
      continue;
    }
    while (at < block_end && at < text.size()) {
      const char c = text[at];
      const std::size_t size =
          static_cast<std::uint8_t>(c) < 0x80 ? 1 : multibyte_size(text.substr(at));
      if (size == 0) {
        facts.well_formed = false;
        return facts;
      }
      facts.has_nul |= c == '\0';
      if constexpr (kTopic) {
        facts.has_wildcard |= c == '+' || c == '#';
        facts.slashes += c == '/' ? 1 : 0;
      }
      at += size;
    }
  }
  facts.has_nul |= marks.nul();
  if constexpr (kTopic) {
    facts.has_wildcard |= marks.wildcard();
    facts.slashes += marks.slashes();
  }
  return facts;
}

}  // namespace twinmq::mqtt
