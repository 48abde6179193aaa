#include <catch2/catch.hpp>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <twinmq/testing/store_conformance.hpp>

#include "storage/memory_store.hpp"

namespace {

using namespace twinmq;

// A store as somebody else might write it: a sorted list, copied as a whole.
class ListStore : public Store {
 public:
  Result<void> commit(const Batch& batch, Durability) override {
    const std::scoped_lock lock(mutex_);
    auto next = entries_;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const Batch::Change change = batch[i];
      const std::string key(change.key);
      const std::string value(change.value);
      if (change.kind == Batch::Kind::Put) next[key] = value;
      if (change.kind == Batch::Kind::Erase) next.erase(key);
      if (change.kind == Batch::Kind::EraseRange) {
        std::erase_if(next,
                      [&](const auto& each) { return each.first >= key && each.first < value; });
      }
    }
    entries_.swap(next);
    return {};
  }
  Result<void> scan(std::string_view from, std::string_view to, const Visitor& visit) override {
    const std::scoped_lock lock(mutex_);
    for (const auto& [key, value] : entries_) {
      if (key < from || (!to.empty() && key >= to)) continue;
      if (!visit(key, value)) break;
    }
    return {};
  }
  Result<void> reopen() override { return {}; }
  Durability durability_max() const override { return Durability::None; }

 protected:
  std::mutex mutex_;
  std::map<std::string, std::string> entries_;
};

class ForgetfulStore final : public ListStore {
 public:
  Result<void> reopen() override {
    entries_.clear();
    return {};
  }
};

TEST_CASE("the memory store conforms") {
  CHECK(testing::check_store([] { return std::make_unique<storage::MemoryStore>(); }) ==
        std::vector<std::string>{});
}

TEST_CASE("a store written elsewhere can be held to the same promises") {
  CHECK(testing::check_store([] { return std::make_unique<ListStore>(); }) ==
        std::vector<std::string>{});
}

TEST_CASE("a store that forgets is found out, with a sentence that says how") {
  const auto failures = testing::check_store([] { return std::make_unique<ForgetfulStore>(); });
  REQUIRE_FALSE(failures.empty());
  CHECK(failures.front() == "after reopening, the store holds exactly what was committed");
}

}  // namespace
