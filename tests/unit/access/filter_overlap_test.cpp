#include "modules/access/filter_overlap.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "mqtt/topic.hpp"

using twinmq::access::overlaps;

namespace {

std::vector<std::string> joined(const std::vector<std::string>& levels, int depth) {
  std::vector<std::string> all = levels;
  std::vector<std::string> last = levels;
  for (int i = 1; i < depth; ++i) {
    std::vector<std::string> next;
    for (const std::string& head : last) {
      for (const std::string& level : levels) next.push_back(head + "/" + level);
    }
    all.insert(all.end(), next.begin(), next.end());
    last = std::move(next);
  }
  return all;
}

}  // namespace

TEST_CASE("filters overlap exactly when some name is matched by both") {
  // One level more than the filters have is enough for every '#' to show what it matches.
  std::vector<std::string> names = joined({"a", "b", "", "$s"}, 4);
  std::erase(names, "");
  std::vector<std::string> filters = joined({"a", "", "+", "#", "$s"}, 3);
  std::erase_if(filters, [](const std::string& filter) {
    return !twinmq::mqtt::is_valid_topic_filter(filter, std::numeric_limits<std::uint32_t>::max());
  });
  std::vector<std::vector<bool>> matched;
  for (const std::string& filter : filters) {
    auto& row = matched.emplace_back();
    for (const std::string& name : names) row.push_back(twinmq::mqtt::matches(filter, name));
  }
  for (std::size_t i = 0; i < filters.size(); ++i) {
    for (std::size_t j = 0; j < filters.size(); ++j) {
      bool common = false;
      for (std::size_t k = 0; k < names.size() && !common; ++k)
        common = matched[i][k] && matched[j][k];
      if (overlaps(filters[i], filters[j]) != common) {
        FAIL_CHECK("'" << filters[i] << "' and '" << filters[j] << "': " << common << " expected");
      }
    }
  }
}

TEST_CASE("overlap is decided for twenty thousand levels without recursion") {
  std::string deep;
  for (int i = 0; i < 20'000; ++i) deep += "a/";
  CHECK(overlaps(deep + "+", deep + "#"));
  CHECK_FALSE(overlaps(deep + "b", deep + "c"));
}
