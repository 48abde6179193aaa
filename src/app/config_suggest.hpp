#pragma once
// Which name a misspelt one was meant to be.

#include <cstddef>
#include <string>
#include <string_view>

namespace twinmq::app {

/// Insertions, deletions, replacements and swaps of neighbours that lead from one text to the
/// other.
std::size_t edit_distance(std::string_view from, std::string_view to);

/// The key that the unknown name most likely means: misspelt, or in the wrong section; empty: none
/// is near.
std::string nearest_config_key(std::string_view name);

/// The same for a section.
std::string nearest_config_section(std::string_view name);

}  // namespace twinmq::app
