#include "storage/reader_pool.hpp"

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>

#include <catch2/catch.hpp>

#include "storage/memory_store.hpp"

namespace {

using namespace twinmq;
using storage::ReaderPool;

struct Answers {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::uint64_t, ReaderPool::Answer> all;

  ReaderPool::Answered sink() {
    return [this](ReaderPool::Answer answer) {
      const std::scoped_lock lock(mutex);
      const std::uint64_t id = answer.id;
      all.emplace(id, std::move(answer));
      changed.notify_all();
    };
  }
  void wait_for(std::size_t count) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return all.size() >= count; });
  }
};

class FailingStore final : public Store {
 public:
  Result<void> commit(const Batch&, Durability) override { return {}; }
  Result<void> scan(std::string_view, std::string_view, const Visitor&) override {
    return Error{ErrorCode::StorageFailed, "the card is gone"};
  }
  Result<void> reopen() override { return {}; }
  Durability durability_max() const override { return Durability::None; }
};

TEST_CASE("reads are answered with what they asked for, up to their limits") {
  storage::MemoryStore store;
  Batch batch;
  for (char c = 'a'; c <= 'f'; ++c) batch.put(std::string(1, c), std::string(10, c));
  REQUIRE(store.commit(batch, Durability::None));
  Answers answers;
  ReaderPool pool(store, 2, answers.sink());
  pool.submit({.shard = 3, .id = 1, .range = {.from = "b", .to = "d"}});
  pool.submit({.id = 2, .range = {.from = "b", .to = {}, .entries_max = 2}});
  pool.submit({.id = 3, .range = {.from = "a", .to = {}, .bytes_max = 25}});
  pool.submit({.id = 4, .range = {.from = "a", .to = {}, .bytes_max = 1}});
  answers.wait_for(4);
  CHECK(answers.all.at(1).shard == 3);
  const auto found = [&](std::uint64_t id) { return *answers.all.at(id).found; };
  REQUIRE(found(1).entries.size() == 2);
  CHECK(found(1).entries.back() == std::pair<std::string, std::string>("c", "cccccccccc"));
  CHECK_FALSE(found(1).more);
  CHECK(found(2).entries.size() == 2);
  CHECK(found(2).more);
  CHECK(found(3).entries.size() == 2);
  CHECK(found(4).entries.size() == 1);
}

TEST_CASE("a read that fails says why") {
  FailingStore store;
  Answers answers;
  ReaderPool pool(store, 1, answers.sink());
  pool.submit({.id = 1, .range = {}});
  answers.wait_for(1);
  REQUIRE_FALSE(answers.all.at(1).found);
  CHECK(answers.all.at(1).found.error().detail == "the card is gone");
}

}  // namespace
