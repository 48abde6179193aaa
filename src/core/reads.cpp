#include "core/reads.hpp"

#include <utility>

namespace twinmq::core {

void Reads::ask(StoreRange range, Done done) {
  waiting_.emplace(++tickets_, std::move(done));
  effects_.push_back({tickets_, std::move(range)});
}

void Reads::on_read(std::uint64_t ticket, Result<StoreEntries> found) {
  if (auto waiting = waiting_.extract(ticket)) waiting.mapped()(std::move(found));
}

}  // namespace twinmq::core
