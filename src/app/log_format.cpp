#include "app/log_format.hpp"

#include <chrono>
#include <ctime>
#include <optional>

#include <fmt/format.h>

#include "base/escape.hpp"

namespace twinmq::app {
namespace {

std::string timestamp(WallTime now) {
  const auto milliseconds = now.time_since_epoch().count();
  const auto seconds = static_cast<std::time_t>(milliseconds / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     milliseconds % 1000);
}

/// The end of a quoted text that begins at 0, behind the closing quote; npos: it has none.
std::size_t quote_end(std::string_view text) {
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      return i + 1;
    }
  }
  return std::string_view::npos;
}

bool json_bare(std::string_view text) {
  if (text == "true" || text == "false") return true;
  const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  return !digits.empty() && digits.size() <= 15 && (digits.size() == 1 || digits[0] != '0') &&
         digits.find_first_not_of("0123456789") == std::string_view::npos;
}

/// `,"key":value` for every pair; empty: the detail is not made of pairs.
std::optional<std::string> json_members(std::string_view detail) {
  std::string members;
  while (!detail.empty()) {
    const auto equals = detail.find('=');
    if (equals == std::string_view::npos || equals == 0) return std::nullopt;
    const std::string_view key = detail.substr(0, equals);
    if (key.find_first_of(" \"") != std::string_view::npos) return std::nullopt;
    detail.remove_prefix(equals + 1);
    const auto end =
        detail.starts_with('"') ? quote_end(detail) : std::min(detail.find(' '), detail.size());
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view value = detail.substr(0, end);
    const bool as_it_is = json_bare(value) || value.starts_with('"');
    members += fmt::format(",{}:{}", quoted(key), as_it_is ? std::string(value) : quoted(value));
    detail.remove_prefix(end);
    if (detail.empty()) break;
    if (detail.front() != ' ') return std::nullopt;
    detail.remove_prefix(1);
  }
  return members;
}

}  // namespace

std::string log_text(const LogLine& line, WallTime now) {
  return fmt::format("{} {} {}{}{}", timestamp(now), log_level_word(line.level), line.event,
                     line.detail.empty() ? "" : " ", line.detail);
}

std::string log_json(const LogLine& line, WallTime now) {
  const auto members = json_members(line.detail);
  return fmt::format(R"({{"time":"{}","level":"{}","event":{}{}}})", timestamp(now),
                     log_level_word(line.level), quoted(line.event),
                     members ? *members : fmt::format(R"(,"detail":{})", quoted(line.detail)));
}

std::string_view log_level_word(LogLevel level) {
  switch (level) {
    case LogLevel::Debug: return "debug";
    case LogLevel::Info: return "info";
    case LogLevel::Warning: return "warning";
    case LogLevel::Error: return "error";
  }
  return "?";
}

}  // namespace twinmq::app
