// Whatever has logic has tests.
#include <catch2/catch.hpp>
#include <set>
#include <sstream>
#include <string>

#include "house/source_tree.hpp"

namespace {

// The header a source fulfils is the first of the house's that it includes: "base/prng.hpp",
// "twinmq/message.hpp".
std::string own_header(const house::SourceFile& source) {
  for (const house::Include& include : source.includes())
    if (!include.angle || include.path.starts_with("twinmq/")) return include.path;
  return "its header";
}

// By its own path, or by a folder above it.
bool excuses(const std::set<std::string>& excused, const std::string& path) {
  if (excused.contains(path)) return true;
  for (std::size_t slash = path.rfind('/'); slash != std::string::npos && slash > 0;
       slash = path.rfind('/', slash - 1))
    if (excused.contains(path.substr(0, slash + 1))) return true;
  return false;
}

std::string mirror_of(const std::string& path) {
  const std::string part = house::part_of(path);
  const std::string room = part.substr(part.rfind('/') + 1);
  const std::size_t slash = path.rfind('/');
  return "tests/unit/" + room + "/" + path.substr(slash + 1, path.rfind('.') - slash - 1) +
         "_test.cpp";
}

}  // namespace

TEST_CASE("every source with logic has a test that names it, or an excuse", "[house]") {
  std::set<std::string> tested;
  for (const house::SourceFile& test : house::files_below({"tests"}, {".cpp", ".hpp"}))
    for (const house::Include& include : test.includes()) tested.insert(include.path);

  std::set<std::string> excused;
  std::istringstream lines(house::read("tests/house/excused.txt"));
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.starts_with('#')) continue;
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos)
      FAIL("tests/house/excused.txt: \"" << line << "\" is not \"path: reason\".");
    const std::string path = line.substr(0, colon);
    INFO("tests/house/excused.txt excuses " << path << ", which does not exist.");
    CHECK(house::exists(path));
    excused.insert(path);
  }

  for (const house::SourceFile& file : house::product_files()) {
    if (!file.path.starts_with("src/") || !file.path.ends_with(".cpp")) continue;
    const bool has_test = tested.contains(own_header(file)) || house::exists(mirror_of(file.path));
    INFO(file.path << " has no test: nothing below tests/ includes " << own_header(file)
                   << ", and there is no " << mirror_of(file.path)
                   << ". Write one, or say in tests/house/excused.txt what tests it instead.");
    CHECK((has_test || excuses(excused, file.path)));
  }
}
