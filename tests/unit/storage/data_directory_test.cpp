#include "storage/data_directory.hpp"

#include <filesystem>
#include <fstream>

#include <catch2/catch.hpp>

#include "unit/storage/scratch.hpp"

namespace {

using namespace twinmq;
using storage::DataDirectory;

TEST_CASE("a claimed directory is made for its owner alone and given back in the end") {
  testing::Scratch scratch;
  {
    const auto held = DataDirectory::claim(scratch / "a/b");
    REQUIRE(held);
    CHECK(std::filesystem::status(scratch / "a/b").permissions() ==
          std::filesystem::perms::owner_all);
    CHECK_FALSE(DataDirectory::claim(scratch / "a/b"));
  }
  CHECK(DataDirectory::claim(scratch / "a/b"));
}

TEST_CASE("the format of a directory is noted once and read back") {
  testing::Scratch scratch;
  const auto held = DataDirectory::claim(scratch / "data");
  REQUIRE(held);
  CHECK(held->format(7).value() == 0);
  REQUIRE(held->set_format(7));
  CHECK(held->format(7).value() == 7);
  CHECK(held->format(6).error().code == ErrorCode::Unavailable);
  std::ofstream(scratch / "data/FORMAT") << "one";
  REQUIRE_FALSE(held->format(7));
  CHECK(held->format(7).error().code == ErrorCode::Corrupt);
}

TEST_CASE("a file is replaced as a whole") {
  testing::Scratch scratch;
  REQUIRE(storage::replace_file(scratch / "f", "old"));
  REQUIRE(storage::replace_file(scratch / "f", "new and longer"));
  CHECK(storage::read_file(scratch / "f").value() == "new and longer");
  CHECK(storage::read_file(scratch / "g").error().code == ErrorCode::NotFound);
  CHECK_FALSE(std::filesystem::exists(scratch / "f.new"));
}

}  // namespace
