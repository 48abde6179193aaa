#include "app/rule_files.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "json/write.hpp"

namespace twinmq::app {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() : path(fs::temp_directory_path() / ("twinmq-files-" + std::to_string(std::rand()))) {
    fs::create_directories(path / "sub");
  }
  ~Folder() { fs::remove_all(path); }
  void write(const std::string& name, std::string_view text) const {
    std::ofstream(path / name) << text;
  }
  RulesConfig config() const {
    RulesConfig config;
    config.lookup_directory = path.string();
    return config;
  }
  std::string fault() const {
    const auto read = read_rule_files(config());
    return read ? "" : read.error().detail;
  }
  const fs::path path;
};

}  // namespace

TEST_CASE("tables are called as their files, with their folders and without their endings",
          "[rules]") {
  const Folder folder;
  folder.write("a.csv", "k,v\nx,1\n");
  folder.write("sub/b.json", R"({"x": 2})");
  folder.write("notes.txt", "no table");
  folder.write(".hidden.csv", "no table, either");
  fs::create_symlink(folder.path / "a.csv", folder.path / "sub" / "same.csv");
  const auto read = read_rule_files(folder.config());
  REQUIRE(read);
  CHECK((*read)->tables.size() == 3);
  CHECK(json::text_of(*(*read)->row("a", "x")) == R"({"k":"x","v":1})");
  CHECK(json::text_of(*(*read)->row("sub/b", "x")) == "2");
  CHECK((*read)->row("sub/same", "x"));
  CHECK_FALSE((*read)->row("../a", "x"));
  CHECK((*read)->counted() == "tables=3 descriptors=0");
}

TEST_CASE("faults of rule files name the file, and links may not lead out", "[rules]") {
  const Folder folder;
  folder.write("a.csv", "k,v\nx\n");
  CHECK(folder.fault() ==
        (folder.path / "a.csv").string() + ": line 2: expected 2 fields, found 1");
  fs::remove(folder.path / "a.csv");
  folder.write("a.csv", "k\n");
  folder.write("a.json", "{}");
  CHECK(folder.fault() == (folder.path / "a.json").string() + ": there are two tables \"a\"");
  fs::remove(folder.path / "a.json");
  fs::create_symlink("/etc/hostname", folder.path / "out.csv");
  CHECK(folder.fault() ==
        (folder.path / "out.csv").string() + ": this link leads out of the directory");
  fs::remove(folder.path / "out.csv");
  fs::create_directory_symlink("/etc", folder.path / "etc");
  CHECK(folder.fault() ==
        (folder.path / "etc").string() + ": this link leads out of the directory");
  fs::remove(folder.path / "etc");
  CHECK(folder.fault().empty());
  RulesConfig small = folder.config();
  folder.write("large.csv", "k\n" + std::string(5000, 'x') + "\n");
  small.files_bytes_max = 4096;
  const auto refused = read_rule_files(small);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().detail.find("rules.files_bytes_max") != std::string::npos);
  small.lookup_directory = (folder.path / "nowhere").string();
  CHECK_FALSE(read_rule_files(small));
}

TEST_CASE("what is watched are the directories and everything in them", "[rules]") {
  const Folder folder;
  folder.write("sub/b.json", "{}");
  const auto paths = rule_file_paths(folder.config());
  CHECK(std::find(paths.begin(), paths.end(), (folder.path / "sub" / "b.json").string()) !=
        paths.end());
  CHECK(std::find(paths.begin(), paths.end(), (folder.path / "sub").string() + "/.") !=
        paths.end());
  CHECK(rule_file_paths({}).empty());
}

}  // namespace twinmq::app
