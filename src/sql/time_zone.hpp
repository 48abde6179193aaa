#pragma once
// Time zones, from the system's TZif files (RFC 8536) that a World hands out.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace twinmq::sql {

class World;

class TimeZone {
 public:
  struct Period {
    std::int64_t begin = 0;   ///< seconds since 1970, UTC
    std::int32_t offset = 0;  ///< seconds east of Greenwich
    std::string short_name;   ///< CET
  };

  /// UTC, Z, GMT, +02:00, UTC+2, abbreviations such as PST, or a name that the world knows
  /// (Europe/Berlin). nullptr: none of these.
  static std::unique_ptr<TimeZone> find(std::string_view name, World* world);

  /// Reads a TZif file; nullptr: it is none. After its last change of time the last one stays.
  static std::unique_ptr<TimeZone> read(std::string_view name, std::string_view file);

  const std::string& name() const { return name_; }
  const Period& at(std::int64_t utc_seconds) const;

  /// The moment of a local time; of two the earlier.
  std::int64_t to_utc(std::int64_t local_seconds) const;

 private:
  std::string name_;
  std::vector<Period> periods_;  // never empty; the first reaches back for ever
};

/// +02:00, -0530, +02, Z. Nothing: it is none. Seconds.
std::optional<std::int32_t> read_offset(std::string_view text);

}  // namespace twinmq::sql
