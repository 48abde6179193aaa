#include <twinmq/statistics.hpp>

#include <catch2/catch.hpp>
#include <set>
#include <string_view>

#include "base/counters.hpp"

using twinmq::kMetricCount;
using twinmq::Metric;
using twinmq::metric_table;
using twinmq::Statistics;

TEST_CASE("every metric stands in the table at its own place, with a name of its own",
          "[base][statistics]") {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kMetricCount; ++i) {
    CHECK(metric_table()[i].metric == static_cast<Metric>(i));
    CHECK_FALSE(metric_table()[i].help.empty());
    names.insert(metric_table()[i].name);
  }
  CHECK(names.size() == kMetricCount);
}

TEST_CASE("counters of several shards add up, and gauges may sink", "[base][statistics]") {
  twinmq::base::Counters first, second;
  first.add(Metric::Turns, 5);
  second.add(Metric::Turns);
  second.add(Metric::Turns, 3);
  second.subtract(Metric::Turns, 2);
  Statistics sum;
  first.add_to(sum);
  second.add_to(sum);
  CHECK(sum[Metric::Turns] == 7);
  CHECK(second[Metric::Turns] == 2);
}
