#pragma once
// A Store in memory: for brokers without a data directory, and the model the others are tested
// against.

#include <map>
#include <shared_mutex>
#include <string>

#include <twinmq/store.hpp>

namespace twinmq::storage {

class MemoryStore final : public Store {
 public:
  Result<void> commit(const Batch& batch, Durability durability) override;
  Result<void> scan(std::string_view from, std::string_view to, const Visitor& visit) override;
  Result<void> reopen() override { return {}; }
  Durability durability_max() const override { return Durability::None; }

 private:
  std::shared_mutex mutex_;
  std::map<std::string, std::string, std::less<>> entries_;
};

}  // namespace twinmq::storage
