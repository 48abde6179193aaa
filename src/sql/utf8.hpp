#pragma once
// Characters of texts that are known to be UTF-8, or nearly: a byte that begins none counts as one.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace twinmq::sql {

/// How many characters.
std::size_t character_count(std::string_view text);

/// Where the character of this number begins; the end for one beyond it.
std::size_t character_offset(std::string_view text, std::size_t index);

/// The character at the offset; the offset moves behind it.
std::uint32_t next_character(std::string_view text, std::size_t& offset);

void append_character(std::uint32_t point, std::string& to);

/// Latin, Greek and Cyrillic letters; others stay.
std::uint32_t upper_character(std::uint32_t point);
std::uint32_t lower_character(std::uint32_t point);

/// Whether the bytes are UTF-8.
bool is_utf8(std::string_view text);

}  // namespace twinmq::sql
