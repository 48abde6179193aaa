// Include arrows run one way, down. One table says which part may see which.
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <string>

#include "house/source_tree.hpp"

namespace {

// Every part, and the parts below it whose headers it may include. The public headers and its own
// are open to all.
const std::map<std::string, std::set<std::string>> kFloors = {
    {"include", {}},
    {"base", {}},
    {"json", {"base"}},
    {"sql", {"base", "json"}},
    {"mqtt", {"base"}},
    {"records", {"base"}},
    {"storage", {"base"}},
    {"net", {"base"}},
    {"sinks", {"base", "json", "records"}},
    {"core", {"base", "mqtt"}},
    {"modules/sessions", {"base", "mqtt", "records", "core"}},
    {"modules/retained", {"base", "mqtt", "records", "core"}},
    {"modules/access", {"base", "mqtt", "records", "core"}},
    {"modules/sys", {"base", "mqtt", "records", "core"}},
    {"modules/shadow", {"base", "json", "sql", "mqtt", "records", "core"}},
    {"modules/rules", {"base", "json", "sql", "mqtt", "records", "core"}},
    {"app",
     {"base", "json", "sql", "mqtt", "records", "storage", "net", "sinks", "plugins", "core",
      "modules/sessions", "modules/retained", "modules/access", "modules/sys", "modules/shadow",
      "modules/rules"}},
    {"broker", {"base", "json", "sql", "app", "modules/access", "modules/rules"}},
    {"broker/examples", {}},
    {"bench/load", {"base", "mqtt", "net"}},
    {"bench/forwarder", {}},
    {"bench/micro",
     {"base", "json", "sql", "mqtt", "records", "storage", "net", "core", "app", "modules/access",
      "modules/retained", "modules/sessions", "modules/shadow", "modules/rules"}},
    {"plugins", {"base", "json", "sql"}},
};

// Inside broker/ and bench/ files name their neighbours without a folder.
std::string part_of_include(const std::string& path, const std::string& own) {
  return path.find('/') == std::string::npos ? own : house::part_of("src/" + path);
}

}  // namespace

TEST_CASE("every include points to the same part or to one below it", "[house]") {
  for (const house::SourceFile& file : house::product_files()) {
    const std::string part =
        file.path.starts_with("broker/examples/") ? "broker/examples" : house::part_of(file.path);
    const auto floor = kFloors.find(part);
    if (floor == kFloors.end()) {
      FAIL_CHECK(file.path << " belongs to the part \"" << part
                           << "\", which has no floor. A new part gets a row in "
                           << "tests/house/floors_test.cpp that says what it may use, and a reason "
                              "in src/README.md.");
      continue;
    }
    for (const house::Include& include : file.includes()) {
      if (include.angle) continue;
      const std::string target = part_of_include(include.path, part);
      INFO(file.path << ":" << include.line << " includes \"" << include.path
                     << "\". Arrows run one way, down: "
                     << "broker, app, modules, core, mqtt, base, include; records, storage and net "
                        "stand beside mqtt; "
                     << "modules never see each other. What " << part << " needs from " << target
                     << " belongs further down, or is a door in include/twinmq.");
      CHECK((target == part || floor->second.contains(target)));
    }
  }
}

TEST_CASE("public headers need the standard library and each other, nothing else", "[house]") {
  for (const house::SourceFile& file : house::product_files()) {
    if (house::part_of(file.path) != "include" || file.path.ends_with("/asio.hpp")) continue;
    for (const house::Include& include : file.includes()) {
      INFO(file.path << ":" << include.line << " includes " << include.path
                     << ". A program that embeds the broker "
                     << "compiles these headers with nothing but the standard library at hand.");
      CHECK(include.angle);
      const bool c =
          file.path.ends_with(".h") && (include.path == "stddef.h" || include.path == "stdint.h");
      CHECK((c || include.path.starts_with("twinmq/") ||
             include.path.find_first_of("/.") == std::string::npos));
    }
  }
}

TEST_CASE("every header may be included twice", "[house]") {
  for (const house::SourceFile& file : house::product_files()) {
    if (!file.is_header()) continue;
    INFO(file.path << " does not begin with #pragma once.");
    CHECK(file.text.find("#pragma once\n") != std::string::npos);
  }
}
