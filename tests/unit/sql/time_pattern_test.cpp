#include "sql/time_pattern.hpp"

#include <catch2/catch.hpp>

#include "sql/time_zone.hpp"
#include "sql_world.hpp"

namespace twinmq::sql {

TEST_CASE("times are written in every zone the system knows", "[sql]") {
  const auto [expression, expected] = GENERATE(table<std::string, std::string>({
      {"parse_time('yyyy-MM-dd HH:mm:ss Z', 1700000000000, 'Europe/Berlin')",
       "2023-11-14 23:13:20 +0100"},
      {"parse_time('z', 1690000000000, 'Europe/Berlin')", "CEST"},
      {"parse_time('EEEE, d MMM yy h:mm a', 1700000000000, 'America/New_York')",
       "Tuesday, 14 Nov 23 5:13 PM"},
      {"parse_time('xxxx-ww-e D', 1704067200000)", "2024-01-1 1"},
      {"parse_time(\"yyyy 'o''clock' SSS\", 5)", "1970 o'clock 005"},
      {"parse_time('HH:mm', 0, '+05:30')", "05:30"},
      {"parse_time('yyyy-MM-dd', -86400000)", "1969-12-31"},
  }));
  INFO(expression);
  CHECK(value_of(expression) == "\"" + expected + "\"");
  CHECK(value_of("parse_time('yyyy', 0, 'No/Where')") == "undefined");
  CHECK(value_of("parse_time('b', 0)") == "undefined");
  CHECK(value_of("parse_time(\"'\", 0)") == "undefined");
  CHECK(value_of("parse_time('yyyy', 9E300)") == "undefined");
  CHECK(value_of("parse_time('yyyy', 0, '../../../etc/passwd')") == "undefined");
}

TEST_CASE("times are read by patterns", "[sql]") {
  const auto [expression, expected] = GENERATE(table<std::string, std::string>({
      {"time_to_epoch('2023-11-14T22:13:20Z', \"yyyy-MM-dd'T'HH:mm:ssXXX\")", "1700000000000"},
      {"time_to_epoch('2023-11-14 23:13:20 Europe/Berlin', 'yyyy-MM-dd HH:mm:ss VV')",
       "1700000000000"},
      {"time_to_epoch('14 Nov 2023 10:13 PM', 'd MMM yyyy h:mm a')", "1699999980000"},
      {"time_to_epoch('20231114221320', 'yyyyMMddHHmmss')", "1700000000000"},
      {"time_to_epoch('2020-04-03 09:45 UTC+02:00', 'yyyy-MM-dd HH:mm VV')", "1585899900000"},
      {"time_to_epoch('2023-02-29', 'yyyy-MM-dd')", "undefined"},
      {"time_to_epoch('2023-02-28x', 'yyyy-MM-dd')", "undefined"},
      {"time_to_epoch('25:00', 'HH:mm')", "undefined"},
  }));
  INFO(expression);
  CHECK(value_of(expression) == expected);
}

TEST_CASE("days and dates turn into each other over two thousand years", "[sql]") {
  for (std::int64_t day = -700'000; day < 100'000; day += 37) CHECK(days_of(civil_of(day)) == day);
}

TEST_CASE("a file that is no zone is refused", "[sql]") {
  CHECK(TimeZone::read("x", "TZif") == nullptr);
  CHECK(TimeZone::read("x", "TZif2" + std::string(39, '\xFF')) == nullptr);
  CHECK(read_offset("+02:30").value() == 9000);
  CHECK_FALSE(read_offset("+99"));
}

}  // namespace twinmq::sql
