#include "base/histogram.hpp"

#include <catch2/catch.hpp>
#include <algorithm>
#include <limits>
#include <vector>

#include "base/prng.hpp"

using twinmq::base::Histogram;
using twinmq::base::Prng;

TEST_CASE("an empty histogram answers zero", "[base][histogram]") {
  const Histogram histogram;
  CHECK(histogram.count() == 0);
  CHECK(histogram.min() == 0);
  CHECK(histogram.max() == 0);
  CHECK(histogram.percentile(0.5) == 0);
}

TEST_CASE("small values are exact and the largest possible one is kept", "[base][histogram]") {
  Histogram histogram;
  for (std::uint64_t value = 0; value <= 100; ++value) histogram.record(value);
  CHECK(histogram.percentile(0) == 0);
  CHECK(histogram.percentile(0.5) == 50);
  CHECK(histogram.percentile(1) == 100);
  histogram.record(std::numeric_limits<std::uint64_t>::max());
  CHECK(histogram.max() == std::numeric_limits<std::uint64_t>::max());
  CHECK(histogram.percentile(1) == std::numeric_limits<std::uint64_t>::max());
}

TEST_CASE("percentiles are at most a 64th above the sorted list's, also of a sum of histograms", "[base][histogram]") {
  Prng random(4);
  Histogram first, second;
  std::vector<std::uint64_t> values;
  for (int i = 0; i < 50'000; ++i) {
    const std::uint64_t value = random.next() >> random.below(60);
    values.push_back(value);
    (i % 2 ? first : second).record(value);
  }
  first.add(second);
  std::sort(values.begin(), values.end());
  REQUIRE(first.count() == values.size());
  CHECK(first.min() == values.front());
  CHECK(first.max() == values.back());
  for (const double part : {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto rank = static_cast<std::size_t>(part * static_cast<double>(values.size()) + 0.999999);
    const std::uint64_t exact = values[rank - 1];
    CHECK(first.percentile(part) >= exact);
    CHECK(first.percentile(part) - exact <= exact / 64);
  }
}
