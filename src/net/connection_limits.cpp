#include "net/connection_limits.hpp"

namespace twinmq::net {

std::optional<AddressCount::Place> AddressCount::enter(std::string_view peer) {
  const std::uint32_t max = max_.load(std::memory_order_relaxed);
  const std::optional<IpAddress> address = max == 0 ? std::nullopt : parse_address(peer);
  if (!address) return Place();
  const std::scoped_lock lock(mutex_);
  Entry& entry = *entries_.try_emplace(*address, Count{*this}).first;
  if (entry.second.connections >= max) return std::nullopt;
  ++entry.second.connections;
  return Place(&entry);
}

std::size_t AddressCount::addresses() const {
  const std::scoped_lock lock(mutex_);
  return entries_.size();
}

void AddressCount::leave(Entry& entry) {
  const std::scoped_lock lock(mutex_);
  if (--entry.second.connections == 0) entries_.erase(entry.first);
}

}  // namespace twinmq::net
