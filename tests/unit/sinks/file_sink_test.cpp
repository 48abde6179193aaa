#include "sinks/file_sink.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
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
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(path_), fs::directory_iterator()));
  }

 private:
  fs::path path_;
};

// A clock that stands until it is moved.
struct Clock {
  WallTime now = std::chrono::time_point_cast<Milliseconds>(std::chrono::system_clock::now());
  std::function<WallTime()> reader() {
    return [this] { return now; };
  }
};

void deliver(Sink& sink, std::initializer_list<const char*> payloads);

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

void deliver(Sink& sink, std::initializer_list<const char*> payloads) {
  const auto verdict = sink.deliver(entries(payloads));
  REQUIRE(verdict.kind == SinkVerdict::Kind::Delivered);
  REQUIRE(verdict.count == payloads.size());
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

TEST_CASE("only files that the sink itself put aside are removed, the oldest first") {
  const Folder folder;
  const std::vector<std::string> others = {"out.txt",
                                           "out.20200101-000000",
                                           "out.2020.0",
                                           "out.20200101-000000.x",
                                           "out.b.20200101-000000.0",
                                           "out.20200101_000000.0",
                                           "outer.20200101-000000.0"};
  for (const std::string& name : others) std::ofstream(folder.file(name)) << "other\n";
  for (const char* name :
       {"out.20200101-000000.2", "out.20200101-000000.10", "out.20190101-000000.7"})
    std::ofstream(folder.file(name)) << "kept\n";
  auto sink = FileSink::open({.path = folder.file("out"), .rotate_bytes = 1, .files_max = 2});
  REQUIRE(sink);
  deliver(**sink, {"1"});
  deliver(**sink, {"2"});
  for (const std::string& name : others) CHECK(fs::exists(folder.file(name)));
  CHECK_FALSE(fs::exists(folder.file("out.20190101-000000.7")));
  CHECK_FALSE(fs::exists(folder.file("out.20200101-000000.2")));
  CHECK(fs::exists(folder.file("out.20200101-000000.10")));
  CHECK(folder.files() == others.size() + 3);
}

TEST_CASE(
    "a file that is old enough is kept under another name, also when it was begun before a "
    "restart") {
  const Folder folder;
  Clock clock;
  const auto open = [&] {
    return FileSink::open({.path = folder.file("out"),
                           .rotate_seconds = 3600,
                           .files_max = 0,
                           .wall = clock.reader()});
  };
  auto sink = open();
  REQUIRE(sink);
  deliver(**sink, {"1"});
  clock.now += Seconds(3599);
  deliver(**sink, {"2"});
  CHECK(folder.files() == 1);
  clock.now += Seconds(1);
  deliver(**sink, {"3"});
  CHECK(folder.files() == 2);
  CHECK(text_of(folder.file("out")) == "3\n");
  sink = open();
  REQUIRE(sink);
  clock.now += Seconds(3601);
  deliver(**sink, {"4"});
  CHECK(text_of(folder.file("out")) == "4\n");
  clock.now += Seconds(7200);
  sink = open();  // an empty file is not old
  CHECK(folder.files() == 3);
}

TEST_CASE("with columns lines are CSV, and each file begins with their names") {
  const Folder folder;
  std::ofstream(folder.file("out")) << "other,columns\n1,2\n";
  const auto open = [&] {
    return FileSink::open({.path = folder.file("out"), .rotate_bytes = 18, .columns = {"a", "b"}});
  };
  auto sink = open();
  REQUIRE(sink);
  deliver(**sink, {R"({"b":"x,y","a":1})", R"({"a":2})"});
  CHECK(text_of(folder.file("out")) == "a,b\n1,\"x,y\"\n2,\n");
  CHECK(folder.files() == 2);
  sink = open();
  deliver(**sink, {R"({"a":3})"});
  CHECK(text_of(folder.file("out")) == "a,b\n1,\"x,y\"\n2,\n3,\n");
  deliver(**sink, {R"({"a":4})"});
  CHECK(text_of(folder.file("out")) == "a,b\n4,\n");
}

TEST_CASE("what is no object is refused by a file of CSV, behind what was written") {
  const Folder folder;
  auto sink = FileSink::open({.path = folder.file("out"), .columns = {"a"}});
  REQUIRE(sink);
  const auto verdict = (*sink)->deliver(entries({R"({"a":1})", "[1]", R"({"a":2})"}));
  CHECK(verdict.kind == SinkVerdict::Kind::Refused);
  CHECK(verdict.count == 1);
  CHECK(text_of(folder.file("out")) == "a\n1\n");
}

TEST_CASE("a link never leads a file out of the directories") {
  const Folder folder;
  fs::create_directory(folder.file("in"));
  fs::create_directory(folder.file("outside"));
  fs::create_symlink(folder.file("outside"), folder.file("in/away"));
  fs::create_symlink(folder.file("outside/file"), folder.file("in/file"));
  fs::create_symlink(folder.file("in"), folder.file("alias"));
  const auto sound = [&](const std::string& path, const std::string& directory) {
    const std::vector<std::string> directories = {folder.file(directory)};
    const bool checked = static_cast<bool>(check_file_place(folder.file(path), directories));
    CHECK(checked == static_cast<bool>(
                         FileSink::open({.path = folder.file(path), .directories = directories})));
    return checked;
  };
  CHECK(sound("in/out", "in"));
  CHECK(sound("in/out", "in/"));
  CHECK(sound("alias/out", "alias"));
  CHECK_FALSE(sound("in/away/out", "in"));
  CHECK_FALSE(sound("in/file", "in"));
  CHECK_FALSE(sound("outside/out", "in"));
  CHECK_FALSE(fs::exists(folder.file("outside/out")));
  CHECK_FALSE(fs::exists(folder.file("outside/file")));
  CHECK_FALSE(check_file_place(folder.file("in/../outside/x"), {folder.file("in")}));
}

TEST_CASE("a link that comes later is not followed when the next file begins") {
  const Folder folder;
  fs::create_directories(folder.file("in/day"));
  fs::create_directory(folder.file("outside"));
  auto sink = FileSink::open(
      {.path = folder.file("in/day/out"), .rotate_bytes = 1, .directories = {folder.file("in")}});
  REQUIRE(sink);
  deliver(**sink, {"1"});
  fs::rename(folder.file("in/day"), folder.file("in/before"));
  fs::create_symlink(folder.file("outside"), folder.file("in/day"));
  const auto verdict = (*sink)->deliver(entries({"2"}));
  CHECK(verdict.kind == SinkVerdict::Kind::Retry);
  CHECK(verdict.why.find("leads out of") != std::string::npos);
  CHECK(fs::is_empty(folder.file("outside")));
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
