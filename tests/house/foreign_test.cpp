// Each foreign library has its doors, and the inside of the broker sees neither the operating
// system nor a clock.
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "house/source_tree.hpp"

namespace {

struct Library {
  std::string_view include;     // how its includes begin
  std::set<std::string> doors;  // parts or files
};

const std::vector<Library> kLibraries = {
    {"fmt/",
     {"base", "mqtt", "core", "records", "storage", "net", "modules/access", "modules/sys", "app",
      "broker"}},
    {"toml++/", {"app"}},
    {"CLI/", {"broker", "bench/load"}},
    {"asio", {"net", "include/twinmq/asio.hpp"}},
    {"openssl/", {"sql", "net", "bench/forwarder", "modules/access", "storage", "plugins"}},
    {"rocksdb/", {"storage"}},
    {"flatbuffers/", {"records"}},
    {"http_parser.h", {"net"}},
    {"simdjson", {"json"}},
    {"re2/", {"sql"}},
    {"google/protobuf/", {"sql"}},
    {"rapidjson/", {"base", "modules/shadow"}},
    {"nlohmann/", {"app", "broker"}},
    {"prometheus/", {"app"}},
    {"curl/", {"sinks"}},
    {"zlib.h", {"sinks"}},
    {"benchmark/", {"bench/micro"}},
};

const std::set<std::string> kPure = {"include",
                                     "base",
                                     "json",
                                     "sql",
                                     "mqtt",
                                     "records",
                                     "core",
                                     "modules/sessions",
                                     "modules/retained",
                                     "modules/sys",
                                     "modules/shadow",
                                     "modules/rules"};

// Headers of the operating system that hold plain types only.
const std::set<std::string> kPlainTypes = {"sys/uio.h"};

// Asks for memory alone, as the allocator does for everybody: on large pages.
constexpr std::string_view kMemory = "src/base/chunk_memory.cpp";

}  // namespace

TEST_CASE("each foreign library is seen only behind its doors", "[house]") {
  for (const house::SourceFile& file : house::product_files()) {
    const std::string part = house::part_of(file.path);
    for (const house::Include& include : file.includes()) {
      if (!include.angle) continue;
      for (const Library& library : kLibraries) {
        if (!include.path.starts_with(library.include)) continue;
        INFO(file.path << ":" << include.line << " includes <" << include.path
                       << ">. If a foreign library changes, "
                       << "only the folders that tests/house/foreign_test.cpp lists for it may "
                          "have to change.");
        CHECK((library.doors.contains(part) || library.doors.contains(file.path)));
      }
    }
  }
}

TEST_CASE("the inside of the broker asks no operating system", "[house]") {
  for (const house::SourceFile& file : house::product_files()) {
    if (!kPure.contains(house::part_of(file.path))) continue;
    for (const house::Include& include : file.includes()) {
      if (!include.angle) continue;
      const std::string& path = include.path;
      const bool system = path == "unistd.h" || path == "fcntl.h" || path == "fstream" ||
                          path == "filesystem" || path.starts_with("sys/") ||
                          path.starts_with("netinet/") || path.starts_with("arpa/");
      INFO(file.path << ":" << include.line << " includes <" << path
                     << ">. The inside turns bytes, mail, commits and "
                     << "time into effects; sockets and files belong to net, storage and app.");
      const bool memory = file.path == kMemory && path == "sys/mman.h";
      CHECK((!system || memory || kPlainTypes.contains(path)));
    }
  }
}

TEST_CASE("the inside of the broker is told the time and its chance", "[house]") {
  const std::vector<std::string_view> words = {"_clock::now",   "random_device", "gettimeofday",
                                               "clock_gettime", "sleep_for",     "sleep_until",
                                               "getenv"};
  for (const house::SourceFile& file : house::product_files()) {
    if (!kPure.contains(house::part_of(file.path))) continue;
    const std::string code = file.code();
    for (const std::string_view word : words) {
      const std::size_t at = code.find(word);
      if (at == std::string::npos) continue;
      FAIL_CHECK(house::place(file, at)
                 << " says " << word << ". Whoever is handed time and chance as arguments can "
                 << "be tested in any year, and replayed from one seed.");
    }
  }
}
