#include <twinmq/reason_code.hpp>

#include <catch2/catch.hpp>
#include <set>
#include <string_view>

using twinmq::reason_text;
using twinmq::ReasonCode;

TEST_CASE("reason codes have the names of section 2.4, and other bytes none",
          "[base][reason_code]") {
  CHECK(reason_text(ReasonCode::Success) == "Success");
  CHECK(reason_text(static_cast<ReasonCode>(0x8E)) == "Session taken over");
  CHECK(reason_text(static_cast<ReasonCode>(0xA2)) == "Wildcard Subscriptions not supported");
  CHECK(reason_text(static_cast<ReasonCode>(0x7F)) == "Unknown");
  std::set<std::string_view> names;
  for (int code = 0; code < 256; ++code) names.insert(reason_text(static_cast<ReasonCode>(code)));
  CHECK(names.size() == 44);  // 43 values in the table, and "Unknown"
}
