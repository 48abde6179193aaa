#include "sql/time_pattern.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "sql/lexer.hpp"

namespace twinmq::sql {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};
constexpr std::array<std::string_view, 7> kDays = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                   "Friday", "Saturday", "Sunday"};
constexpr std::int64_t kMillisecondsMax = 253'402'300'799'999;  // the last of 9999
constexpr std::int64_t kMillisecondsMin = -62'135'596'800'000;  // the first of year 1
constexpr std::size_t kPatternMax = 512;

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}

// A pattern in pieces: one letter repeated, or plain text.
struct Piece {
  char letter = 0;
  std::size_t count = 0;
  std::string text;
};

bool next_piece(std::string_view& pattern, Piece& piece) {
  piece = {};
  const char c = pattern.front();
  if (is_letter(c)) {
    piece.letter = c;
    piece.count = std::min(pattern.find_first_not_of(c), pattern.size());
    pattern.remove_prefix(piece.count);
    return true;
  }
  if (c != '\'') {
    piece.text = std::string(1, c);
    pattern.remove_prefix(1);
    return true;
  }
  pattern.remove_prefix(1);
  if (pattern.starts_with('\'')) {
    piece.text = "'";
    pattern.remove_prefix(1);
    return true;
  }
  for (;;) {
    const std::size_t close = pattern.find('\'');
    if (close == std::string_view::npos) return false;
    piece.text += pattern.substr(0, close);
    pattern.remove_prefix(close + 1);
    if (!pattern.starts_with('\'')) return true;
    piece.text += '\'';
    pattern.remove_prefix(1);
  }
}

void append_number(std::string& to, std::int64_t number, std::size_t width) {
  const std::string digits = std::to_string(std::abs(number));
  if (number < 0) to += '-';
  if (digits.size() < width) to.append(std::min<std::size_t>(width - digits.size(), 100), '0');
  to += digits;
}

void append_offset(std::string& to, std::int32_t seconds, bool colon) {
  to += seconds < 0 ? '-' : '+';
  const int minutes = std::abs(seconds) / 60;
  append_number(to, minutes / 60, 2);
  if (colon) to += ':';
  append_number(to, minutes % 60, 2);
}

struct Moment {
  Civil date;
  std::int64_t days = 0;
  int hour = 0, minute = 0, second = 0, millisecond = 0;

  int weekday() const { return static_cast<int>(((days + 3) % 7 + 7) % 7); }  // 0: Monday
  int day_of_year() const { return static_cast<int>(days - days_of({date.year, 1, 1})) + 1; }

  // ISO 8601: the week belongs to the year of its Thursday.
  std::pair<std::int64_t, int> week() const {
    const std::int64_t thursday = days - weekday() + 3;
    const std::int64_t year = civil_of(thursday).year;
    return {year, static_cast<int>((thursday - days_of({year, 1, 1})) / 7) + 1};
  }
};

Moment moment_of(std::int64_t milliseconds) {
  Moment moment;
  moment.days = floor_divide(milliseconds, 86'400'000);
  std::int64_t left = milliseconds - moment.days * 86'400'000;
  moment.date = civil_of(moment.days);
  moment.millisecond = static_cast<int>(left % 1000);
  left /= 1000;
  moment.second = static_cast<int>(left % 60);
  moment.minute = static_cast<int>(left / 60 % 60);
  moment.hour = static_cast<int>(left / 3600);
  return moment;
}

void append_year(std::string& to, std::int64_t year, std::size_t count) {
  if (count == 2)
    append_number(to, year % 100, 2);
  else
    append_number(to, year, count);
}

void append_name(std::string& to, std::string_view name, bool whole) {
  to += whole ? name : name.substr(0, 3);
}

bool append_field(std::string& to, const Piece& piece, const Moment& moment, const TimeZone& zone,
                  const TimeZone::Period& period) {
  const std::size_t count = piece.count;
  switch (piece.letter) {
    case 'G': to += "AD"; return true;
    case 'C': append_number(to, moment.date.year / 100, count); return true;
    case 'y':
    case 'Y':
    case 'u': append_year(to, moment.date.year, count); return true;
    case 'x': append_year(to, moment.week().first, count); return true;
    case 'w': append_number(to, moment.week().second, count); return true;
    case 'e': append_number(to, moment.weekday() + 1, count); return true;
    case 'E':
      append_name(to, kDays[static_cast<std::size_t>(moment.weekday())], count >= 4);
      return true;
    case 'D': append_number(to, moment.day_of_year(), count); return true;
    case 'M':
    case 'L':
      if (count >= 3)
        append_name(to, kMonths[static_cast<std::size_t>(moment.date.month - 1)], count >= 4);
      else
        append_number(to, moment.date.month, count);
      return true;
    case 'd': append_number(to, moment.date.day, count); return true;
    case 'a': to += moment.hour < 12 ? "AM" : "PM"; return true;
    case 'K': append_number(to, moment.hour % 12, count); return true;
    case 'h': append_number(to, moment.hour % 12 == 0 ? 12 : moment.hour % 12, count); return true;
    case 'H': append_number(to, moment.hour, count); return true;
    case 'k': append_number(to, moment.hour == 0 ? 24 : moment.hour, count); return true;
    case 'm': append_number(to, moment.minute, count); return true;
    case 's': append_number(to, moment.second, count); return true;
    case 'S': {
      std::string digits;
      append_number(digits, moment.millisecond, 3);
      digits.resize(std::min<std::size_t>(count, 9), '0');
      to += digits;
      return true;
    }
    case 'z': to += period.short_name; return true;
    case 'V': to += zone.name(); return true;
    case 'Z':
      if (count >= 3)
        to += zone.name();
      else
        append_offset(to, period.offset, count == 2);
      return true;
    case 'X':
      if (period.offset == 0)
        to += 'Z';
      else
        append_offset(to, period.offset, count >= 3);
      return true;
    default: return false;
  }
}

// --- Reading

struct Fields {
  Civil date;
  std::optional<int> day_of_year, hour_of_half;
  std::optional<bool> afternoon;
  int hour = 0, minute = 0, second = 0;
  std::int64_t nanosecond = 0;
  std::optional<std::int32_t> offset;
  const TimeZone* zone = nullptr;
};

class TimeReader {
 public:
  TimeReader(std::string_view text, std::string_view pattern,
             const std::function<const TimeZone*(std::string_view)>& zones)
      : text_(text), pattern_(pattern), zones_(zones) {}

  std::optional<std::int64_t> read() {
    Piece piece;
    while (!pattern_.empty()) {
      if (!next_piece(pattern_, piece)) return std::nullopt;
      if (piece.letter == 0) {
        // Brackets mark what may be absent; here what they hold must be there.
        if (piece.text == "[" || piece.text == "]") continue;
        if (!text_.starts_with(piece.text)) return std::nullopt;
        text_.remove_prefix(piece.text.size());
      } else if (!field(piece)) {
        return std::nullopt;
      }
    }
    if (!text_.empty()) return std::nullopt;
    return milliseconds();
  }

 private:
  std::optional<std::int64_t> milliseconds() const {
    Fields fields = fields_;
    if (fields.hour_of_half)
      fields.hour = *fields.hour_of_half % 12 + (fields.afternoon.value_or(false) ? 12 : 0);
    if (fields.date.month < 1 || fields.date.month > 12 || fields.date.day < 1) return std::nullopt;
    const Civil next{fields.date.month == 12 ? fields.date.year + 1 : fields.date.year,
                     fields.date.month % 12 + 1, 1};
    if (fields.date.day > days_of(next) - days_of({fields.date.year, fields.date.month, 1}))
      return std::nullopt;
    if (fields.hour > 23 || fields.minute > 59 || fields.second > 59) return std::nullopt;
    const std::int64_t days = fields.day_of_year
                                  ? days_of({fields.date.year, 1, 1}) + *fields.day_of_year - 1
                                  : days_of(fields.date);
    const std::int64_t local =
        days * 86'400 + fields.hour * 3600 + fields.minute * 60 + fields.second;
    const std::int64_t utc = fields.offset ? local - *fields.offset
                             : fields.zone ? fields.zone->to_utc(local)
                                           : local;
    return utc * 1000 + fields.nanosecond / 1'000'000;
  }

  bool number(std::int64_t& value, std::size_t least, std::size_t most) {
    std::size_t count = 0;
    value = 0;
    while (count < most && count < text_.size() && is_digit(text_[count]))
      value = value * 10 + (text_[count++] - '0');
    if (count < least || count == 0) return false;
    text_.remove_prefix(count);
    return true;
  }

  bool small(int& value, std::size_t count) {
    std::int64_t number_read = 0;
    // Numbers that touch take exactly their width.
    if (!number(number_read, count == 1 ? 1 : count, count == 1 ? (touching() ? 1 : 2) : count))
      return false;
    value = static_cast<int>(number_read);
    return true;
  }

  bool touching() const { return !pattern_.empty() && is_letter(pattern_.front()); }

  template <std::size_t kCount>
  bool name(const std::array<std::string_view, kCount>& names, bool whole, int& index) {
    for (std::size_t i = 0; i < kCount; ++i) {
      const std::string_view wanted = whole ? names[i] : names[i].substr(0, 3);
      if (text_.size() < wanted.size() || !same_word(text_.substr(0, wanted.size()), wanted))
        continue;
      text_.remove_prefix(wanted.size());
      index = static_cast<int>(i);
      return true;
    }
    return false;
  }

  bool zone() {
    std::size_t size = 0;
    while (size < text_.size() &&
           (is_letter(text_[size]) || is_digit(text_[size]) ||
            std::string_view("/_+-:").find(text_[size]) != std::string_view::npos))
      ++size;
    fields_.zone = size == 0 ? nullptr : zones_(text_.substr(0, size));
    if (fields_.zone == nullptr) return false;
    text_.remove_prefix(size);
    return true;
  }

  bool offset() {
    std::size_t size = 0;
    if (text_.starts_with('Z')) {
      size = 1;
    } else if (!text_.empty()) {
      size = 1;
      while (size < text_.size() && (is_digit(text_[size]) || text_[size] == ':')) ++size;
    }
    fields_.offset = read_offset(text_.substr(0, size));
    if (!fields_.offset) return false;
    text_.remove_prefix(size);
    return true;
  }

  bool fraction(std::size_t count) {
    count = std::min<std::size_t>(count, 9);
    std::int64_t value = 0;
    if (!number(value, count, count)) return false;
    for (std::size_t i = count; i < 9; ++i) value *= 10;
    fields_.nanosecond = value;
    return true;
  }

  bool year(std::size_t count) {
    std::int64_t value = 0;
    if (count == 2) {
      if (!number(value, 2, 2)) return false;
      fields_.date.year = 2000 + value;
      return true;
    }
    if (!number(value, count > 4 ? 4 : count, 4)) return false;
    fields_.date.year = value;
    return true;
  }

  bool field(const Piece& piece);

  std::string_view text_;
  std::string_view pattern_;
  const std::function<const TimeZone*(std::string_view)>& zones_;
  Fields fields_;
};

bool TimeReader::field(const Piece& piece) {
  const std::size_t count = piece.count;
  int value = 0;
  switch (piece.letter) {
    case 'y':
    case 'Y':
    case 'u': return year(count);
    case 'G': return name(std::array<std::string_view, 1>{"AD"}, true, value);
    case 'M':
    case 'L':
      if (count < 3) return small(fields_.date.month, count);
      if (!name(kMonths, count >= 4, value)) return false;
      fields_.date.month = value + 1;
      return true;
    case 'd': return small(fields_.date.day, count);
    case 'D':
      if (!small(value, count == 1 ? 3 : count) || value < 1 || value > 366) return false;
      fields_.day_of_year = value;
      return true;
    case 'E': return name(kDays, count >= 4, value);
    case 'a':
      if (!name(std::array<std::string_view, 2>{"AM", "PM"}, true, value)) return false;
      fields_.afternoon = value == 1;
      return true;
    case 'H': return small(fields_.hour, count);
    case 'k':
      if (!small(value, count)) return false;
      fields_.hour = value % 24;
      return true;
    case 'h':
    case 'K':
      if (!small(value, count) || value > 12) return false;
      fields_.hour_of_half = value;
      return true;
    case 'm': return small(fields_.minute, count);
    case 's': return small(fields_.second, count);
    case 'S': return fraction(count);
    case 'z':
    case 'v':
    case 'V': return zone();
    case 'Z':
    case 'X':
    case 'x': return offset();
    default: return false;
  }
}

}  // namespace

// By Howard Hinnant's algorithms for the Gregorian calendar.
std::int64_t days_of(const Civil& date) {
  const std::int64_t year = date.month <= 2 ? date.year - 1 : date.year;
  const std::int64_t era = floor_divide(year, 400);
  const std::int64_t of_era = year - era * 400;
  const std::int64_t of_year =
      (153 * (date.month + (date.month > 2 ? -3 : 9)) + 2) / 5 + date.day - 1;
  return era * 146'097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719'468;
}

Civil civil_of(std::int64_t days) {
  days += 719'468;
  const std::int64_t era = floor_divide(days, 146'097);
  const std::int64_t of_era = days - era * 146'097;
  const std::int64_t year = (of_era - of_era / 1460 + of_era / 36'524 - of_era / 146'096) / 365;
  const std::int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
  const std::int64_t month = (5 * of_year + 2) / 153;
  Civil date;
  date.day = static_cast<int>(of_year - (153 * month + 2) / 5 + 1);
  date.month = static_cast<int>(month < 10 ? month + 3 : month - 9);
  date.year = year + era * 400 + (date.month <= 2 ? 1 : 0);
  return date;
}

std::optional<std::string> format_time(std::string_view pattern, std::int64_t milliseconds,
                                       const TimeZone& zone) {
  if (pattern.size() > kPatternMax || milliseconds > kMillisecondsMax ||
      milliseconds < kMillisecondsMin)
    return std::nullopt;
  const TimeZone::Period& period = zone.at(floor_divide(milliseconds, 1000));
  const Moment moment = moment_of(milliseconds + std::int64_t{period.offset} * 1000);
  std::string text;
  Piece piece;
  while (!pattern.empty()) {
    if (!next_piece(pattern, piece)) return std::nullopt;
    if (piece.letter == 0)
      text += piece.text;
    else if (!append_field(text, piece, moment, zone, period))
      return std::nullopt;
  }
  return text;
}

std::optional<std::int64_t> read_time(
    std::string_view text, std::string_view pattern,
    const std::function<const TimeZone*(std::string_view)>& zones) {
  if (pattern.size() > kPatternMax || text.size() > kPatternMax) return std::nullopt;
  return TimeReader(text, pattern, zones).read();
}

}  // namespace twinmq::sql
