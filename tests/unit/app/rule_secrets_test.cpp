#include "app/rule_secrets.hpp"

#include <cstdlib>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

namespace twinmq::app {
namespace {

class File {
 public:
  explicit File(std::string_view text)
      : path((std::filesystem::temp_directory_path() /
              ("twinmq-secret-" + std::to_string(std::rand())))
                 .string()) {
    std::ofstream(path) << text;
  }
  ~File() { std::filesystem::remove(path); }
  const std::string path;
};

std::string fault(const std::vector<std::string>& entries) {
  const auto checked = RuleSecrets::check(entries);
  return checked ? "" : checked.error().detail;
}

}  // namespace

TEST_CASE("texts with secrets are filled with what files and the environment hold at that moment",
          "[rules]") {
  const File file("one\n");
  ::setenv("TWINMQ_UNIT_SECRET", "two", 1);
  const std::vector<std::string> entries{"a=file:" + file.path, "b=env:TWINMQ_UNIT_SECRET"};
  REQUIRE(fault(entries).empty());
  RuleSecrets secrets;
  secrets.set(entries);
  CHECK(secrets.fill("plain").value() == "plain");
  CHECK(secrets
            .fill("${get_secret('a')}-${ get_secret( \"b\" , 'SecretString', "
                  "'arn:aws:iam::1:role/r' ) }!")
            .value() == "one-two!");
  std::ofstream(file.path) << "three";
  CHECK(secrets.fill("${get_secret('a')}").value() == "three");
  std::filesystem::remove(file.path);
  CHECK(secrets.fill("${get_secret('a')}").error().detail == "the secret \"a\" is not there");
  CHECK_FALSE(secrets.fill("${get_secret('c')}"));
}

TEST_CASE("secrets that are not there are refused, and never repeated", "[rules]") {
  CHECK(fault({"hunter2"}) == "entry 0: expected NAME=file:/PATH or NAME=env:VARIABLE");
  CHECK(fault({"a=hunter2"}).find("hunter2") == std::string::npos);
  CHECK_FALSE(fault({"a=file:relative"}).empty());
  CHECK(fault({"a=file:/nonexistent/secret"}).find("cannot be read") != std::string::npos);
  CHECK(fault({"a=env:TWINMQ_NO_SUCH_VARIABLE"}).find("no such variable") != std::string::npos);
  ::setenv("TWINMQ_UNIT_SECRET", "two", 1);
  CHECK(fault({"a=env:TWINMQ_UNIT_SECRET", "a=env:TWINMQ_UNIT_SECRET"}) == "\"a\" is there twice");
  const File large(std::string(8193, 'x'));
  CHECK_FALSE(fault({"a=file:" + large.path}).empty());
}

TEST_CASE("a header's expressions name secrets and nothing else", "[rules]") {
  CHECK(secret_names("Bearer ${get_secret('a')}${get_secret('b')}").value() ==
        std::vector<std::string>{"a", "b"});
  CHECK(secret_names("X: $5 {}").value().empty());
  for (const char* text : {"${topic()}", "${get_secret('a')", "${get_secret(a)}",
                           "${get_secret('a') + 'b'}", "${get_secret('a', 'key')}", "${}"})
    CHECK_FALSE(secret_names(text));
}

}  // namespace twinmq::app
