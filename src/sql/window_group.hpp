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

/// What the aggregates over one argument need together.
struct WindowAccumulator {
  std::uint64_t count = 0;    // values that are there
  std::uint64_t numbers = 0;  // of these, numbers
  double sum = 0, min = 0, max = 0, mean = 0, squares = 0;
  std::unique_ptr<std::vector<std::string>> values;  // as JSON, where an aggregate asks for them

  void take(const std::string& text, std::optional<double> number, bool keep);
  void write(base::ByteWriter& out) const;
  void read(base::ByteReader& in);
  std::vector<double> sorted_numbers() const;
  json::Value percentile(double share, json::Arena& arena) const;
  json::Value list(bool distinct, json::Arena& arena) const;
  json::Value one(const std::string& text, json::Arena& arena) const;

  json::Value value(const AggregatePlan& plan, json::Arena& arena) const;
};

/// One key's part of a window, or of several for windows that follow their group.
struct WindowGroup {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::uint32_t messages = 0;
  std::vector<WindowAccumulator> accumulators;
  std::vector<std::pair<std::int64_t, std::vector<std::string>>> recent;  // of SLIDING: the messages themselves

  /// For read(), in a later run.
  std::string text() const;
  /// False: the text is not of a group with so many accumulators.
  bool read(std::string_view text, std::size_t arguments);
};

}  // namespace twinmq::sql
