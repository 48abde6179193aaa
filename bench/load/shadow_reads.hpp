#pragma once
// What reading shadows costs: gets, and queries over all of them beside a client that pings.

#include <cstdint>
#include <string>

#include "fleet.hpp"
#include "report.hpp"
#include "scenarios.hpp"

namespace twinmq::load {

/// The number behind `key` in a compact JSON text; -1: there is none.
std::int64_t number_behind(std::string_view text, std::string_view key);

/// The last connection of the fleet hears the answers, the others ask. Fills the report; what went
/// wrong is in its failure.
void measure_gets(Fleet& fleet, const ShadowOptions& options, const ProcessMeter& meter,
                  Report& report);

/// Asks for a value of reported.level, which is milliseconds' work if the broker keeps an index of
/// it, and for one of desired.level that none has: all documents are looked at. Connection 0 pings
/// before and meanwhile.
void measure_queries(Fleet& fleet, Report& report);

}  // namespace twinmq::load
