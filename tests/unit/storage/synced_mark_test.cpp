#include <fstream>
#include <string>

#include <catch2/catch.hpp>

#include "storage/synced_mark.hpp"
#include "unit/storage/scratch.hpp"

namespace {

using twinmq::storage::SyncedMark;
using twinmq::testing::Scratch;

TEST_CASE("a mark tells the next process how far the one before came") {
  Scratch scratch;
  const std::string path = scratch / "SYNCED";
  {
    SyncedMark mark(path, true);
    CHECK(mark.change() == 0);
    mark.set(18'446'744'073'709'551'615u);
    mark.set(7);
    CHECK(mark.change() == 7);
  }
  SyncedMark looked_at(path, false);
  CHECK(looked_at.change() == 7);
  looked_at.set(9);
  CHECK(SyncedMark(path, true).change() == 7);
}

TEST_CASE("a mark that is no number, or not there, says nothing") {
  Scratch scratch;
  const std::string path = scratch / "SYNCED";
  CHECK(SyncedMark(path, false).change() == 0);
  CHECK_FALSE(std::ifstream(path));
  for (const char* text : {"", "12", "twelve\n", "99999999999999999999999\n"}) {
    std::ofstream(path) << text;
    CHECK(SyncedMark(path, true).change() == 0);
  }
}

}  // namespace
