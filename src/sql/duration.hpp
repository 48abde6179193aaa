#pragma once
// Durations as statements and configurations write them.

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace twinmq::sql {

/// "500ms", "10s", "5m", "1h", "2d" in milliseconds, at most ten years. Nothing: it is no duration.
inline std::optional<std::int64_t> read_duration(std::string_view text) {
  constexpr std::int64_t kLongest = 3650LL * 86'400'000;
  constexpr std::pair<std::string_view, std::int64_t> kUnits[] = {
      {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  std::int64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc{} || number < 0) return std::nullopt;
  std::string_view unit = text.substr(static_cast<std::size_t>(read.ptr - text.data()));
  while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
  for (const auto& [name, factor] : kUnits)
    if (unit == name && number <= kLongest / factor) return number * factor;
  return std::nullopt;
}

}  // namespace twinmq::sql
