#pragma once
// Aggregates of GROUP BY.

#include <cstdint>
#include <optional>
#include <string_view>

namespace twinmq::sql {

enum class Aggregate : std::uint8_t {
  Count,
  Sum,
  Avg,
  Min,
  Max,
  Stddev,
  Median,
  Percentile,
  First,
  Last,
  Collect,
  Distinct,
  Outside
};

std::optional<Aggregate> aggregate_of(std::string_view name);

/// Whether it needs the values themselves, not only what fits into a few numbers.
constexpr bool keeps_values(Aggregate aggregate) {
  return aggregate >= Aggregate::Median;
}

}  // namespace twinmq::sql
