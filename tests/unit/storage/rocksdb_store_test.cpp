#include "storage/rocksdb_store.hpp"

#include <algorithm>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include <twinmq/testing/store_conformance.hpp>

#include "unit/storage/scratch.hpp"

namespace {

using namespace twinmq;
using storage::RocksDbStore;
using testing::Scratch;

storage::RocksDbParts parts(StorageProfile profile = StorageProfile::Gateway) {
  storage::RocksDbParts made;
  made.config.profile = profile;
  return made;
}

std::unique_ptr<RocksDbStore> open(const std::string& path) {
  auto store = RocksDbStore::open(path, parts());
  INFO((store ? "" : store.error().detail));
  REQUIRE(store);
  return std::move(*store);
}

void put(Store& store, std::string_view key, std::string_view value,
         Durability durability = Durability::Fsync) {
  Batch batch;
  batch.put(key, value);
  REQUIRE(store.commit(batch, durability));
}

std::vector<std::string> keys(Store& store) {
  std::vector<std::string> found;
  REQUIRE(store.scan("", "", [&](std::string_view key, std::string_view) {
    found.emplace_back(key);
    return true;
  }));
  return found;
}

TEST_CASE("an encrypted store conforms, and a plain one does not become one") {
  Scratch scratch;
  int made = 0;
  auto encrypted = parts();
  encrypted.config.encryption_key = std::string(64, 'a');
  CHECK(testing::check_store([&]() -> std::unique_ptr<Store> {
          auto store = RocksDbStore::open(scratch / std::to_string(++made), encrypted);
          REQUIRE(store);
          return std::move(*store);
        }) == std::vector<std::string>{});
  put(*open(scratch / "plain"), "k", "v");
  const auto refused = RocksDbStore::open(scratch / "plain", encrypted);
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().detail, Catch::Contains("are not encrypted"));
}

TEST_CASE("a store opened to be looked at stays as it is") {
  Scratch scratch;
  put(*open(scratch / "data"), "k", "v");
  auto looking = parts();
  looking.read_only = true;
  {
    const auto store = RocksDbStore::open(scratch / "data", looking);
    REQUIRE(store);
    CHECK((*store)->verify());
    CHECK((*store)->get("k").value() == "v");
    Batch batch;
    batch.put("k", "w");
    CHECK_FALSE((*store)->commit(batch, Durability::Fsync));
  }
  CHECK(open(scratch / "data")->get("k").value() == "v");
  CHECK_FALSE(RocksDbStore::open(scratch / "nothing", looking));
}

TEST_CASE("the store on disk conforms, under either profile") {
  const auto profile = GENERATE(StorageProfile::Gateway, StorageProfile::Server);
  Scratch scratch;
  int made = 0;
  CHECK(testing::check_store([&]() -> std::unique_ptr<Store> {
          auto store = RocksDbStore::open(scratch / std::to_string(++made), parts(profile));
          REQUIRE(store);
          return std::move(*store);
        }) == std::vector<std::string>{});
}

TEST_CASE("what was committed is there when the store is opened again") {
  const auto durability = GENERATE(Durability::OperatingSystem, Durability::Fsync);
  Scratch scratch;
  put(*open(scratch / "data"), "k", "v", durability);
  const auto again = open(scratch / "data");
  CHECK(again->get("k").value() == "v");
  CHECK(keys(*again) == std::vector<std::string>{"k"});
}

TEST_CASE("a data directory serves one store at a time, and the other is told who has it") {
  Scratch scratch;
  const auto first = open(scratch / "data");
  const auto second = RocksDbStore::open(scratch / "data", parts());
  REQUIRE_FALSE(second);
  CHECK(second.error().code == ErrorCode::Unavailable);
  CHECK_THAT(second.error().detail, Catch::Contains("in use by another broker (process ") &&
                                        Catch::Contains("data_dir of its own"));
}

TEST_CASE("what a newer version wrote is refused and left alone") {
  Scratch scratch;
  put(*open(scratch / "data"), "k", "v");
  std::ofstream(scratch / "data/FORMAT") << parts().form.number + 1 << "\n";
  const auto refused = RocksDbStore::open(scratch / "data", parts());
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().detail, Catch::Contains("this version reads up to"));
  std::ofstream(scratch / "data/FORMAT") << parts().form.number << "\n";
  CHECK(open(scratch / "data")->get("k").value() == "v");
}

TEST_CASE(
    "older data come to the newest form step by step, each of which is repeated if it was cut "
    "short") {
  Scratch scratch;
  put(*open(scratch / "data"), "k", "v");
  storage::RocksDbParts newer = parts();
  newer.form.number = 4;
  int runs = 0;
  bool fails = true;
  newer.form.steps = {[&](Store& store) {
                        ++runs;
                        CHECK(store.get("k").value() == "v");
                        put(store, "k", "v2");
                        return Result<void>();
                      },
                      nullptr,
                      [&](Store& store) -> Result<void> {
                        ++runs;
                        CHECK(store.get("k").value() == "v2");
                        if (fails) return Error{ErrorCode::StorageFailed, "no room"};
                        put(store, "k", "v4");
                        return {};
                      }};
  storage::RocksDbParts looking = newer;
  looking.read_only = true;
  CHECK_THAT(RocksDbStore::open(scratch / "data", looking).error().detail,
             Catch::Contains("start the broker once"));
  CHECK_THAT(RocksDbStore::open(scratch / "data", newer).error().detail,
             Catch::Contains("from=3 to=4") && Catch::Contains("no room"));
  fails = false;
  CHECK((*RocksDbStore::open(scratch / "data", newer))->get("k").value() == "v4");
  CHECK((*RocksDbStore::open(scratch / "data", newer))->get("k").value() == "v4");
  CHECK(runs == 3);
  CHECK(RocksDbStore::open(scratch / "data", parts()).error().code == ErrorCode::Unavailable);
}

TEST_CASE(
    "data whose format is no longer readable come through every step, unless told to be strict") {
  Scratch scratch;
  storage::RocksDbParts newer = parts();
  newer.form.number = 2;
  int runs = 0;
  newer.form.steps = {[&](Store& store) {
    ++runs;
    CHECK(store.get("k").value() == "v");
    return Result<void>();
  }};
  put(**RocksDbStore::open(scratch / "data", newer), "k", "v");
  CHECK(runs == 0);
  std::ofstream(scratch / "data/FORMAT") << std::string(2, '\0');
  storage::RocksDbParts strict = newer;
  strict.config.strict = true;
  CHECK_THAT(RocksDbStore::open(scratch / "data", strict).error().detail,
             Catch::Contains("does not hold a format number"));
  CHECK(RocksDbStore::open(scratch / "data", newer));
  CHECK(runs == 1);
  CHECK(RocksDbStore::open(scratch / "data", strict));
}

TEST_CASE("a data directory that cannot be made is named with the reason") {
  const auto refused = RocksDbStore::open("/proc/nowhere", parts());
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().detail, Catch::Contains("/proc/nowhere"));
}

TEST_CASE("a backup holds what was committed before it, and is a data directory itself") {
  Scratch scratch;
  const auto store = open(scratch / "data");
  put(*store, "before", "1", Durability::OperatingSystem);
  REQUIRE(store->back_up(scratch / "copy"));
  put(*store, "after", "2");
  CHECK(keys(*open(scratch / "copy")) == std::vector<std::string>{"before"});
  CHECK(keys(*store) == std::vector<std::string>{"after", "before"});

  const auto again = store->back_up(scratch / "copy");
  REQUIRE_FALSE(again);
  CHECK_THAT(again.error().detail, Catch::Contains("exists"));
}

TEST_CASE("a run of keys that ascend is erased as a range, and the store tells its figures") {
  Scratch scratch;
  auto made = parts();
  made.run_prefix = [](std::string_view key) -> std::size_t { return key.size() > 8 ? 8 : 0; };
  auto opened = RocksDbStore::open(scratch / "data", made);
  REQUIRE(opened);
  Store& store = **opened;
  for (int i = 0; i < 2000; ++i) {
    Batch batch;
    const std::string number = std::to_string(10'000 + i);
    for (const char* run : {"session1", "session2"}) batch.put(run + number, std::string(100, 'x'));
    REQUIRE(store.commit(batch, Durability::OperatingSystem));
  }
  Batch batch;
  batch.erase_range("session1", "session2");
  REQUIRE(store.commit(batch, Durability::Fsync));
  CHECK(keys(store).size() == 2000);
  const auto figures = store.figures();
  CHECK(std::any_of(figures.begin(), figures.end(), [](const StoreFigure& each) {
    return each.name == "room_bytes" && each.value > 0;
  }));
  CHECK(store.room() > 0);
}

}  // namespace
