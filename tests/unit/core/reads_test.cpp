#include "core/reads.hpp"

#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

namespace {

using namespace twinmq;
using core::Read;
using core::Reads;

TEST_CASE("a read is asked for as an effect and answered once, in any order") {
  std::vector<Read> effects;
  Reads reads(effects);
  std::string heard;
  const auto hear = [&](const char* name) {
    return [&heard, name](std::uint64_t, const Result<StoreEntries>& found) {
      heard += name + (found ? found->entries.at(0).second : found.error().detail) + ' ';
    };
  };
  reads.ask({.from = "a", .to = "b", .entries_max = 7}, hear("first:"));
  reads.ask({.from = "c", .to = "d"}, hear("second:"));
  REQUIRE(effects.size() == 2);
  CHECK(effects[0].range.from == "a");
  CHECK(effects[0].range.entries_max == 7);
  CHECK(heard.empty());

  reads.on_read(effects[1].ticket, StoreEntries{{{"c", "value"}}, false});
  reads.on_read(effects[1].ticket, StoreEntries{{{"c", "again"}}, false});
  reads.on_read(effects[0].ticket, Error{ErrorCode::StorageFailed, "gone"});
  CHECK(heard == "second:value first:gone ");
}

TEST_CASE("an answer may ask for the next read") {
  std::vector<Read> effects;
  Reads reads(effects);
  int answers = 0;
  Reads::Done again = [&](std::uint64_t, const Result<StoreEntries>&) {
    if (++answers < 3) reads.ask({}, again);
  };
  reads.ask({}, again);
  for (std::size_t i = 0; i < effects.size(); ++i) reads.on_read(effects[i].ticket, StoreEntries{});
  CHECK(answers == 3);
}

}  // namespace
