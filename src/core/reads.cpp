#include "core/reads.hpp"

#include <utility>

namespace twinmq::core {

std::uint64_t Reads::ask(StoreRange range, Done done) {
  waiting_.emplace(++tickets_, std::move(done));
  effects_.push_back({tickets_, std::move(range)});
  return tickets_;
}

void Reads::on_read(std::uint64_t ticket, Result<StoreEntries> found) {
  if (auto waiting = waiting_.extract(ticket)) waiting.mapped()(ticket, std::move(found));
}

}  // namespace twinmq::core
