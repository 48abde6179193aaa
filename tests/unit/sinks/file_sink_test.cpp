#include "sinks/file_sink.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

using namespace twinmq;
using namespace twinmq::sinks;
namespace fs = std::filesystem;

namespace {

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "twinmq-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() { fs::remove_all(path_); }
  std::string file(const std::string& name) const { return (path_ / name).string(); }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(path_), fs::directory_iterator()));
  }

 private:
  fs::path path_;
};

std::string text_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::vector<SinkEntry> entries(std::initializer_list<const char*> payloads) {
  std::vector<SinkEntry> all;
  for (const char* payload : payloads) {
    all.emplace_back();
    all.back().payload = payload;
  }
  return all;
}

}  // namespace

TEST_CASE("a file gets a line per entry, behind what it had") {
  const Folder folder;
  std::ofstream(folder.file("out")) << "old\n";
  auto sink = FileSink::open({.path = folder.file("out")});
  REQUIRE(sink);
  const auto verdict = (*sink)->deliver(entries({R"({"a":1})", R"({"a":2})"}));
  CHECK(verdict.kind == SinkVerdict::Kind::Delivered);
  CHECK(verdict.count == 2);
  CHECK(text_of(folder.file("out")) == "old\n{\"a\":1}\n{\"a\":2}\n");
}

TEST_CASE("a file that grows beyond its limit is kept under another name, and the oldest goes") {
  const Folder folder;
  auto sink = FileSink::open({.path = folder.file("out"), .rotate_bytes = 4, .files_max = 2});
  REQUIRE(sink);
  for (const char* each : {"first", "second", "third", "fourth", "fifth"})
    REQUIRE((*sink)->deliver(entries({each})).kind == SinkVerdict::Kind::Delivered);
  CHECK(text_of(folder.file("out")) == "fifth\n");
  CHECK(folder.files() == 3);
}

TEST_CASE("a file that cannot be written says why, and nothing counts as delivered") {
  const auto missing = FileSink::open({.path = "/does/not/exist/out"});
  REQUIRE_FALSE(missing);
  CHECK(missing.error().detail.find("/does/not/exist/out") != std::string::npos);
  if (!fs::exists("/dev/full")) return;
  auto sink = FileSink::open({.path = "/dev/full"});
  REQUIRE(sink);
  const auto verdict = (*sink)->deliver(entries({"x"}));
  CHECK(verdict.kind == SinkVerdict::Kind::Retry);
  CHECK(verdict.count == 0);
}
