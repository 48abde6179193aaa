#pragma once
// One group of a window: what its aggregates have gathered so far.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"
#include "json/value.hpp"
#include "sql/program.hpp"

namespace twinmq::sql {

/// What one group keeps of values or messages at most.
constexpr std::size_t kWindowValuesMax = 10'000;

/// What the aggregates over one argument need together. There may be millions: what few ask for
/// lies apart.
struct WindowAccumulator {
  struct Detail {
    double mean = 0, squares = 0;
    std::vector<std::string> values;  // as JSON
  };

  std::uint32_t count = 0;    // values that are there
  std::uint32_t numbers = 0;  // of these, numbers
  double sum = 0, min = 0, max = 0;
  std::unique_ptr<Detail> detail;  // where the plan asks for it, from the first value on

  void take(std::string_view text, std::optional<double> number, const ArgumentPlan& plan);
  void write(base::ByteWriter& out) const;
  void read(base::ByteReader& in);
  std::vector<double> sorted_numbers() const;
  json::Value percentile(double share, json::Arena& arena) const;
  json::Value list(bool distinct, json::Arena& arena) const;
  json::Value value(const AggregatePlan& plan, json::Arena& arena) const;
};

/// Times, and the arguments as JSON.
using RecentMessages = std::vector<std::pair<std::int64_t, std::vector<std::string>>>;

/// One key's part of a window, or of several for windows that follow their group.
struct WindowGroup {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::uint32_t messages = 0;
  std::unique_ptr<WindowAccumulator[]> accumulators;  // one for each argument
  std::unique_ptr<RecentMessages> recent;             // of SLIDING: the messages themselves

  /// For read(), in a later run.
  std::string text(std::size_t arguments) const;
  /// False: the text is not of a group with so many accumulators.
  bool read(std::string_view text, std::size_t arguments);
};

}  // namespace twinmq::sql
