#include "sql/time_zone.hpp"

#include <algorithm>
#include <utility>

#include "sql/world.hpp"

namespace twinmq::sql {
namespace {

constexpr std::size_t kPeriodsMax = 5000;
constexpr std::size_t kNameMax = 64;

constexpr std::pair<std::string_view, int> kAbbreviations[] = {
    {"EST", -5}, {"EDT", -4}, {"CST", -6}, {"CDT", -5},  {"MST", -7}, {"MDT", -6}, {"PST", -8},
    {"PDT", -7}, {"CET", 1},  {"CEST", 2}, {"EET", 2},   {"EEST", 3}, {"WET", 0},  {"WEST", 1},
    {"BST", 1},  {"MSK", 3},  {"JST", 9},  {"AKST", -9}, {"HST", -10}};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::int64_t big_endian(std::string_view bytes) {
  std::uint64_t number = 0;
  for (const char byte : bytes) number = number << 8 | static_cast<unsigned char>(byte);
  if (bytes.size() == 4) return static_cast<std::int32_t>(static_cast<std::uint32_t>(number));
  return static_cast<std::int64_t>(number);
}

struct Counts {
  std::size_t utc = 0, standard = 0, leaps = 0, times = 0, types = 0, characters = 0;

  std::size_t size(std::size_t time_bytes) const {
    return times * time_bytes + times + types * 6 + characters + leaps * (time_bytes + 4) +
           standard + utc;
  }
};

constexpr std::size_t kHeaderBytes = 44;

std::optional<Counts> read_header(std::string_view file) {
  if (file.size() < kHeaderBytes || !file.starts_with("TZif")) return std::nullopt;
  Counts counts;
  std::size_t at = 20;
  for (std::size_t* count : {&counts.utc, &counts.standard, &counts.leaps, &counts.times,
                             &counts.types, &counts.characters}) {
    const std::int64_t number = big_endian(file.substr(at, 4));
    if (number < 0 || number > static_cast<std::int64_t>(kPeriodsMax)) return std::nullopt;
    *count = static_cast<std::size_t>(number);
    at += 4;
  }
  return counts;
}

std::string offset_name(std::int32_t offset) {
  if (offset == 0) return "UTC";
  const int minutes = std::abs(offset) / 60;
  std::string name(offset < 0 ? "-" : "+");
  const auto two = [&](int number) {
    name += static_cast<char>('0' + number / 10);
    name += static_cast<char>('0' + number % 10);
  };
  two(minutes / 60);
  name += ':';
  two(minutes % 60);
  return name;
}

}  // namespace

std::optional<std::int32_t> read_offset(std::string_view text) {
  if (text == "Z") return 0;
  if (text.size() < 2 || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  const bool west = text[0] == '-';
  text.remove_prefix(1);
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ':' && i > 0 && i + 1 < text.size()) continue;
    if (!is_digit(text[i])) return std::nullopt;
    digits += text[i];
  }
  if (digits.size() == 1) digits.insert(0, "0");
  if (digits.size() == 3) digits.insert(0, "0");
  if (digits.size() != 2 && digits.size() != 4 && digits.size() != 6) return std::nullopt;
  digits.resize(6, '0');
  const auto pair = [&](std::size_t at) {
    return (digits[at] - '0') * 10 + (digits[at + 1] - '0');
  };
  const int hours = pair(0);
  if (hours > 18 || pair(2) > 59 || pair(4) > 59) return std::nullopt;
  const std::int32_t seconds = hours * 3600 + pair(2) * 60 + pair(4);
  return west ? -seconds : seconds;
}

std::unique_ptr<TimeZone> TimeZone::find(std::string_view name, World* world) {
  const auto fixed = [&](std::int32_t offset, std::string shown) {
    auto zone = std::make_unique<TimeZone>();
    zone->name_ = std::string(name);
    zone->periods_.push_back({0, offset, std::move(shown)});
    return zone;
  };
  for (const std::string_view utc :
       {"UTC", "GMT", "Z", "UT", "Etc/UTC", "Etc/GMT", "Etc/UCT", "Zulu"})
    if (name == utc) return fixed(0, name == "GMT" ? "GMT" : "UTC");
  std::string_view offset = name;
  if (offset.starts_with("UTC") || offset.starts_with("GMT")) offset.remove_prefix(3);
  if (const auto seconds = read_offset(offset)) return fixed(*seconds, offset_name(*seconds));
  // A name that leaves the folder of zones is no zone.
  const bool safe = !name.empty() && name.size() <= kNameMax && name.front() != '/' &&
                    name.find("..") == std::string_view::npos &&
                    name.find('\0') == std::string_view::npos;
  if (safe && world != nullptr) {
    if (const auto file = world->zone_file(name))
      if (auto zone = read(name, *file)) return zone;
  }
  for (const auto& [abbreviation, hours] : kAbbreviations)
    if (name == abbreviation) return fixed(hours * 3600, std::string(abbreviation));
  return nullptr;
}

std::unique_ptr<TimeZone> TimeZone::read(std::string_view name, std::string_view file) {
  auto counts = read_header(file);
  if (!counts) return nullptr;
  std::size_t time_bytes = 4;
  if (file[4] >= '2') {
    const std::size_t first = kHeaderBytes + counts->size(4);
    if (first >= file.size()) return nullptr;
    file.remove_prefix(first);
    counts = read_header(file);
    if (!counts) return nullptr;
    time_bytes = 8;
  }
  file.remove_prefix(kHeaderBytes);
  if (file.size() < counts->size(time_bytes) || counts->types == 0) return nullptr;
  const std::string_view times = file.substr(0, counts->times * time_bytes);
  const std::string_view indexes = file.substr(times.size(), counts->times);
  const std::string_view types = file.substr(times.size() + indexes.size(), counts->types * 6);
  const std::string_view names =
      file.substr(times.size() + indexes.size() + types.size(), counts->characters);
  auto zone = std::make_unique<TimeZone>();
  zone->name_ = std::string(name);
  const auto add = [&](std::int64_t begin, std::size_t type) {
    if (type >= counts->types) return false;
    const std::string_view record = types.substr(type * 6, 6);
    const auto at = static_cast<std::size_t>(static_cast<unsigned char>(record[5]));
    if (at >= names.size()) return false;
    const std::int64_t offset = big_endian(record.substr(0, 4));
    if (offset < -93'600 || offset > 93'600) return false;
    zone->periods_.push_back({begin, static_cast<std::int32_t>(offset),
                              std::string(names.substr(at, names.find('\0', at) - at))});
    return true;
  };
  if (!add(INT64_MIN, 0)) return nullptr;
  for (std::size_t i = 0; i < counts->times; ++i)
    if (!add(big_endian(times.substr(i * time_bytes, time_bytes)),
             static_cast<unsigned char>(indexes[i])))
      return nullptr;
  return zone;
}

const TimeZone::Period& TimeZone::at(std::int64_t utc_seconds) const {
  const auto after =
      std::upper_bound(periods_.begin() + 1, periods_.end(), utc_seconds,
                       [](std::int64_t time, const Period& period) { return time < period.begin; });
  return *(after - 1);
}

std::int64_t TimeZone::to_utc(std::int64_t local_seconds) const {
  const std::int64_t guess = local_seconds - at(local_seconds).offset;
  const std::int64_t second = local_seconds - at(guess).offset;
  const std::int64_t earlier = local_seconds - at(guess - 86'400).offset;
  if (at(earlier).offset == local_seconds - earlier) return earlier;
  return second;
}

}  // namespace twinmq::sql
