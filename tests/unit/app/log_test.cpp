#include <twinmq/log.hpp>

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>

#include <catch2/catch.hpp>

#include "app/log_format.hpp"
#include "base/escape.hpp"

using namespace twinmq;
using namespace twinmq::app;

namespace {

const WallTime kTime{Milliseconds(1'000'000'000'123)};

std::string read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("a line of text begins with time, level and event") {
  CHECK(log_text({LogLevel::Info, "client connected", "client=a"}, kTime) ==
        "2001-09-09T01:46:40.123Z info client connected client=a");
  CHECK(log_text({LogLevel::Warning, "stopping", ""}, kTime) ==
        "2001-09-09T01:46:40.123Z warning stopping");
}

TEST_CASE("the pairs of a line become members of a JSON object") {
  CHECK(
      log_json({LogLevel::Error, "closed",
                "client=a port=1883 tls=false reason=\"no \\\"ping\\\" = end\""},
               kTime) ==
      R"({"time":"2001-09-09T01:46:40.123Z","level":"error","event":"closed","client":"a","port":1883,)"
      R"("tls":false,"reason":"no \"ping\" = end"})");
  CHECK(log_json({LogLevel::Info, "ready", ""}, kTime) ==
        R"({"time":"2001-09-09T01:46:40.123Z","level":"info","event":"ready"})");
  CHECK(
      log_json({LogLevel::Info, "note", "free text"}, kTime) ==
      R"({"time":"2001-09-09T01:46:40.123Z","level":"info","event":"note","detail":"free text"})");
}

TEST_CASE("a client cannot forge a member of a JSON line") {
  const std::string detail =
      "client=" + escaped("x\",\"level\":\"debug\n") + " code=0x87 zeros=007";
  CHECK(log_json({LogLevel::Info, "e", detail}, kTime) ==
        R"({"time":"2001-09-09T01:46:40.123Z","level":"info","event":"e",)"
        R"("client":"x\",\"level\":\"debug\n","code":"0x87","zeros":"007"})");
}

TEST_CASE("a log writes what its level wants and follows a rotated file") {
  const std::string path = "log_test." + std::to_string(getpid()) + ".log";
  LogConfig config{.level = LogLevel::Warning, .json = true, .file = path};
  auto log = Log::open(config);
  REQUIRE(log);
  (*log)->write({LogLevel::Info, "quiet", ""});
  (*log)->write({LogLevel::Warning, "loud", ""});
  (*log)->flush();
  CHECK(read(path).find("quiet") == std::string::npos);
  CHECK(read(path).find("\"event\":\"loud\"") != std::string::npos);

  std::remove(path.c_str());
  config.level = LogLevel::Info;
  config.json = false;
  REQUIRE((*log)->reconfigure(config));
  (*log)->write({LogLevel::Info, "again", "a=b"});
  (*log)->flush();
  CHECK(read(path).find(" info again a=b\n") != std::string::npos);
  std::remove(path.c_str());
}

TEST_CASE("a log file that cannot be opened is named and the old one stays") {
  CHECK_FALSE(Log::open({.file = "/dev/null/log"}));
  auto log = Log::open({});
  REQUIRE(log);
  const auto refused = (*log)->reconfigure({.level = LogLevel::Error, .file = "/dev/null/log"});
  REQUIRE_FALSE(refused);
  CHECK((*log)->wants(LogLevel::Info));
}
