// Power cuts, failing disks and damaged files under the store on disk.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "storage/quarantine.hpp"
#include "storage/rocksdb_store.hpp"
#include "unit/storage/faulty_file_system.hpp"
#include "unit/storage/scratch.hpp"

namespace {

using namespace twinmq;
using storage::RocksDbStore;
using testing::FaultyFileSystem;
using testing::Scratch;
namespace fs = std::filesystem;

using Model = std::map<std::string, std::string>;

struct Disk {
  std::shared_ptr<FaultyFileSystem> system = std::make_shared<FaultyFileSystem>();
  std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(system);
};

struct Lines {
  std::mutex mutex;
  std::vector<std::string> all;
  bool has(std::string_view text) {
    const std::scoped_lock lock(mutex);
    return std::any_of(all.begin(), all.end(), [&](const std::string& line) {
      return line.find(text) != std::string::npos;
    });
  }
};

storage::RocksDbParts parts(Lines* lines = nullptr, rocksdb::Env* env = nullptr) {
  storage::RocksDbParts made;
  made.config.profile = StorageProfile::Gateway;
  made.config.write_buffer_bytes = 262'144;
  made.env = env;
  if (lines != nullptr) {
    made.log = [lines](LogLevel, std::string_view event, const std::string& detail) {
      const std::scoped_lock lock(lines->mutex);
      lines->all.push_back(std::string(event) + " " + detail);
    };
  }
  return made;
}

storage::RocksDbParts with_key(storage::RocksDbParts made, const std::string& key) {
  made.config.encryption_key = key;
  return made;
}

std::unique_ptr<RocksDbStore> open(const std::string& path, storage::RocksDbParts made) {
  auto store = RocksDbStore::open(path, std::move(made));
  INFO((store ? "" : store.error().detail));
  REQUIRE(store);
  return std::move(*store);
}

Result<Model> content(Store& store) {
  Model found;
  const Result<void> done = store.scan("", "", [&](std::string_view key, std::string_view value) {
    found.emplace(key, value);
    return true;
  });
  if (!done) return done.error();
  return found;
}

// A batch that puts, overwrites and erases at random; the model follows.
Batch random_batch(std::mt19937& random, Model& model) {
  Batch batch;
  for (int i = 0; i < 20; ++i) {
    const std::string key = "k" + std::to_string(random() % 500);
    if (random() % 4 == 0) {
      batch.erase(key);
      model.erase(key);
    } else {
      batch.put(key,
                model[key] = std::string(random() % 800, static_cast<char>('a' + random() % 26)));
    }
  }
  return batch;
}

TEST_CASE(
    "a power cut at any moment leaves what was synced, and unsynced batches whole or not at all") {
  const std::string key = GENERATE(std::string(), std::string(64, 'a'));
  std::mt19937 random(7);
  Scratch scratch;
  Model synced;
  for (int life = 0; life < 25; ++life) {
    Disk disk;
    std::vector<Model> possible = {synced};
    {
      const auto store = open(scratch / "data", with_key(parts(nullptr, disk.env.get()), key));
      INFO("life " << life);
      REQUIRE((content(*store).value() == synced));
      Model model = synced;
      for (auto batches = random() % 60; batches > 0; --batches) {
        const Batch batch = random_batch(random, model);
        const bool sync = random() % 3 == 0;
        REQUIRE(store->commit(batch, sync ? Durability::Fsync : Durability::OperatingSystem));
        if (sync) possible.clear();
        possible.push_back(model);
      }
      disk.system->cut_power();
      CHECK_FALSE(store->commit(random_batch(random, model), Durability::Fsync));
    }
    disk.system->forget();
    Lines lines;
    const auto store = open(scratch / "data", with_key(parts(&lines), key));
    CHECK_FALSE(lines.has("missing"));
    synced = content(*store).value();
    CHECK((std::find(possible.begin(), possible.end(), synced) != possible.end()));
  }
}

TEST_CASE(
    "a full or failing disk refuses commits, keeps what it had, and works again when healed") {
  const auto fault = GENERATE(0, 1, 2);
  Scratch scratch;
  Disk disk;
  Model model;
  std::mt19937 random(1);
  const auto store = open(scratch / "data", parts(nullptr, disk.env.get()));
  for (int i = 0; i < 50; ++i)
    REQUIRE(store->commit(random_batch(random, model), Durability::Fsync));
  if (fault == 0) disk.system->fail_writes(rocksdb::IOStatus::NoSpace("no room"));
  if (fault == 1) disk.system->fail_writes(rocksdb::IOStatus::IOError("bad sector"));
  if (fault == 2) disk.system->fail_syncs(rocksdb::IOStatus::IOError("sync failed"));
  Model refused = model;
  const auto failed = store->commit(random_batch(random, refused), Durability::Fsync);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == ErrorCode::StorageFailed);
  CHECK_FALSE(store->reopen());
  CHECK_FALSE(store->commit(random_batch(random, refused), Durability::Fsync));
  CHECK_FALSE(content(*store));  // closed until it could be reopened

  disk.system->heal();
  REQUIRE(store->reopen());
  const Model after = content(*store).value();
  CHECK((after == model || fault == 2));
  model = after;
  REQUIRE(store->commit(random_batch(random, model), Durability::Fsync));
  CHECK((content(*store).value() == model));
}

TEST_CASE("after a failed sync and a power cut nothing acknowledged is missing") {
  Scratch scratch;
  Disk disk;
  std::mt19937 random(2);
  Model model;
  {
    const auto store = open(scratch / "data", parts(nullptr, disk.env.get()));
    REQUIRE(store->commit(random_batch(random, model), Durability::Fsync));
    disk.system->fail_syncs(rocksdb::IOStatus::IOError("sync failed"));
    Model refused = model;
    CHECK_FALSE(store->commit(random_batch(random, refused), Durability::Fsync));
    disk.system->heal();
    REQUIRE(store->reopen());
    model = content(*store).value();
    REQUIRE(store->commit(random_batch(random, model), Durability::Fsync));
    disk.system->cut_power();
  }
  disk.system->forget();
  CHECK((content(*open(scratch / "data", parts())).value() == model));
}

// --- Damaged files

// Four groups of keys: three in tables of their own, one in the log.
Model fill(const std::string& path) {
  Model model;
  for (const char group : {'a', 'b', 'c', 'd'}) {
    const auto store = open(path, parts());
    Batch batch;
    for (int i = 0; i < 200; ++i) {
      const std::string key = group + std::to_string(i);
      batch.put(key, model[key] = std::string(100, group) + std::to_string(i * 7919));
    }
    REQUIRE(store->commit(batch, Durability::Fsync));
  }
  return model;
}

enum class Harm { Remove, Truncate, Zeros, Flip };

void harm(const fs::path& file, Harm how) {
  const auto size = fs::file_size(file);
  if (how == Harm::Remove) fs::remove(file);
  if (how == Harm::Truncate) fs::resize_file(file, size / 2);
  if (how != Harm::Zeros && how != Harm::Flip) return;
  std::fstream out(file, std::ios::in | std::ios::out | std::ios::binary);
  if (how == Harm::Zeros) out << std::string(size, '\0');
  for (const std::uint64_t at : {size / 3, size / 2, size - 2}) {
    if (how != Harm::Flip) break;
    out.seekg(static_cast<std::streamoff>(at));
    const auto byte = static_cast<char>(out.get() ^ 0x10);
    out.seekp(static_cast<std::streamoff>(at));
    out.put(byte);
  }
}

std::vector<std::string> files_of(const std::string& store) {
  std::vector<std::string> names;
  for (const auto& each : fs::directory_iterator(store))
    if (each.file_size() > 0) names.push_back(each.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

// As ShardSet does at start: a read that finds damage is followed by a reopening that mends it.
Model read_all(RocksDbStore& store) {
  auto found = content(store);
  if (!found) {
    CHECK(found.error().code == ErrorCode::Corrupt);
    REQUIRE(store.reopen());
    found = content(store);
  }
  INFO((found ? "" : found.error().detail));
  REQUIRE(found);
  return *found;
}

TEST_CASE("whatever file is damaged in whatever way, the store starts and keeps the rest") {
  const auto how = GENERATE(Harm::Remove, Harm::Truncate, Harm::Zeros, Harm::Flip);
  Scratch scratch;
  const Model model = fill(scratch / "whole");
  for (const std::string& name : files_of(scratch / "whole/store")) {
    INFO(name << " harmed in way " << static_cast<int>(how));
    fs::remove_all(scratch / "data");
    fs::copy(scratch / "whole", scratch / "data", fs::copy_options::recursive);
    harm(scratch / ("data/store/" + name), how);
    Lines lines;
    const auto store = open(scratch / "data", parts(&lines));
    const Model found = read_all(*store);
    std::size_t wrong = 0;
    for (const auto& [key, value] : found) wrong += !model.contains(key) || model.at(key) != value;
    CHECK(wrong == 0);
    const bool holds_data = name.ends_with(".sst") || name.ends_with(".log");
    // One group lies in each table and in the log.
    CHECK(found.size() >= (holds_data ? 600u : 800u));
    if (name.ends_with(".sst")) {
      CHECK(found.size() == 600);
      CHECK(lines.has(how == Harm::Remove ? "storage damaged"
                                          : "stored file set aside file=" + name));
    }
    if (name.ends_with(".log")) {
      CHECK(lines.has("stored changes are missing missing="));
      if (how != Harm::Remove) CHECK(lines.has("stored file set aside file=" + name));
    }
    Batch batch;
    batch.put("new", "value");
    REQUIRE(store->commit(batch, Durability::Fsync));
    CHECK(store->get("new").value() == "value");
  }
}

TEST_CASE("told to be strict, a damaged store is refused and left as it is") {
  const auto how = GENERATE(Harm::Remove, Harm::Truncate, Harm::Zeros, Harm::Flip);
  Scratch scratch;
  const Model model = fill(scratch / "whole");
  for (const std::string& name : files_of(scratch / "whole/store")) {
    INFO(name << " harmed in way " << static_cast<int>(how));
    fs::remove_all(scratch / "data");
    fs::copy(scratch / "whole", scratch / "data", fs::copy_options::recursive);
    harm(scratch / ("data/store/" + name), how);
    auto strict = parts();
    strict.config.strict = true;
    auto store = RocksDbStore::open(scratch / "data", strict);
    if (store) {
      const auto found = content(**store);
      CHECK((!found || *found == model));
      if (!found) {
        CHECK(found.error().code == ErrorCode::Corrupt);
        store = (*store)->reopen().error();
      }
    }
    if (!store) {
      CHECK(store.error().code == ErrorCode::Corrupt);
      CHECK_THAT(store.error().detail, Catch::Contains("storage.strict"));
    }
    CHECK_FALSE(fs::exists(scratch / "data/quarantine/1"));
  }
}

}  // namespace
