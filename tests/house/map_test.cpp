// src/README.md is the map: what it names exists, and what exists is on it.
#include <algorithm>
#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "house/source_tree.hpp"

namespace {

std::vector<std::string> between_backticks(std::string_view text) {
  std::vector<std::string> names;
  bool fenced = false;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    if (line.starts_with("```")) fenced = !fenced;
    if (fenced || line.starts_with("```")) continue;
    for (std::size_t open = line.find('`'); open != std::string_view::npos;) {
      const std::size_t close = line.find('`', open + 1);
      if (close == std::string_view::npos) break;
      names.emplace_back(line.substr(open + 1, close - open - 1));
      open = line.find('`', close + 1);
    }
  }
  return names;
}

// "core/link", "core/link.cpp", "src/core", "include/twinmq/broker.hpp"; what is no path is not
// judged here.
bool looks_like_a_path(const std::string& name) {
  return name.find('/') != std::string::npos && name.front() != '/' && name.front() != '<' &&
         name.find_first_of(" *…$<>+#{}()|") == std::string::npos &&
         name.find("://") == std::string::npos;
}

std::vector<std::string> files_of(const std::string& name) {
  std::vector<std::string> found;
  for (const std::string prefix : {"", "src/", "src/modules/"})
    for (const std::string ending : {"", ".hpp", ".cpp"})
      if (house::exists(prefix + name + ending)) found.push_back(prefix + name + ending);
  return found;
}

}  // namespace

TEST_CASE("what the map of the sources names exists", "[house]") {
  for (const std::string& name : between_backticks(house::read("src/README.md"))) {
    if (!looks_like_a_path(name)) continue;
    const std::size_t colon = name.find(':');
    const std::string path = name.substr(0, colon);
    const std::vector<std::string> files = files_of(path);
    if (files.empty())
      FAIL_CHECK("src/README.md names `" << name << "`, but there is no such file or folder.");
    if (files.empty() || colon == std::string::npos) continue;
    const std::string function = name.substr(name.find_first_not_of(':', colon));
    bool found = false;
    for (const std::string& file : files)
      found = found || house::has_word(house::read(file), function);
    INFO("src/README.md names `" << name << "`, but the file does not speak of " << function
                                 << ".");
    CHECK(found);
  }
}

TEST_CASE("every part of the sources is on the map", "[house]") {
  if (!house::exists("src/README.md")) return;
  const std::string map = house::read("src/README.md");
  std::set<std::string> parts;
  for (const house::SourceFile& file : house::product_files())
    if (file.path.starts_with("src/")) parts.insert(house::part_of(file.path));
  for (const std::string& part : parts) {
    INFO("src/README.md does not say what "
         << part << " is for. A folder has a reason there, or it does not exist.");
    CHECK((map.find(part) != std::string::npos));
  }
}
