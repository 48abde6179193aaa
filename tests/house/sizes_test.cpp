// Nothing is too long to be read at one sitting.
#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "house/source_tree.hpp"

namespace {

void check_sizes(const std::vector<house::SourceFile>& files, std::ptrdiff_t lines_max,
                 const std::set<std::string>& whole_on_purpose) {
  for (const house::SourceFile& file : files) {
    if (whole_on_purpose.contains(file.path)) continue;
    INFO(file.path << " has more than " << lines_max << " lines: part it along its nouns.");
    CHECK(std::count(file.text.begin(), file.text.end(), '\n') <= lines_max);
  }
}

}  // namespace

TEST_CASE("no source has more than 500 lines, no test more than 700", "[house]") {
  // What the author of a plugin reads, in one place.
  check_sizes(house::product_files(), 500, {"include/twinmq/plugin.hpp"});
  check_sizes(house::files_below({"tests"}, {".cpp", ".hpp"}), 700, {});
}
