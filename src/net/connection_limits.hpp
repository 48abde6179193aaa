#pragma once
// How many connections there may be: of one broker, in their handshakes, of one address. Shared by
// all shards.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "net/address_list.hpp"

namespace twinmq::net {

/// Counts connections against a limit.
class ConnectionCount {
 public:
  explicit ConnectionCount(std::uint32_t max) : max_(max) {}
  /// False: the limit is reached and nothing was counted.
  bool enter() {
    if (now_.fetch_add(1, std::memory_order_relaxed) < max_.load(std::memory_order_relaxed))
      return true;
    leave();
    return false;
  }
  /// Counts whatever the limit is.
  void enter_anyway() { now_.fetch_add(1, std::memory_order_relaxed); }
  void leave() { now_.fetch_sub(1, std::memory_order_relaxed); }
  bool full() const { return now() >= max_.load(std::memory_order_relaxed); }
  void set_max(std::uint32_t max) { max_.store(max, std::memory_order_relaxed); }
  std::uint32_t now() const { return now_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint32_t> now_{0};
  std::atomic<std::uint32_t> max_;
};

/// Counts the connections of each address against a limit. Asked when a connection begins, never
/// for a message.
class AddressCount {
  struct Count;
  using Entry = std::pair<const IpAddress, Count>;

 public:
  /// A connection among those of its address, for as long as this lives. Empty: nothing counts it.
  class Place {
   public:
    Place() = default;
    explicit Place(Entry* entry) : entry_(entry) {}
    Place(Place&& other) noexcept : entry_(std::exchange(other.entry_, nullptr)) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(entry_, other.entry_);
      return *this;
    }
    ~Place() {
      if (entry_ != nullptr) entry_->second.owner.leave(*entry_);
    }

   private:
    Entry* entry_ = nullptr;
  };

  explicit AddressCount(std::uint32_t max = 0) : max_(max) {}
  /// 0: no limit, and connections that begin from now on are not counted.
  void set_max(std::uint32_t max) { max_.store(max, std::memory_order_relaxed); }
  /// `peer` as logs name it: an address, with or without its port. An empty place: there is no
  /// limit, or this is no address. Nothing: the address has as many connections as it may.
  std::optional<Place> enter(std::string_view peer);
  /// How many addresses have connections that are counted.
  std::size_t addresses() const;

 private:
  struct Count {
    AddressCount& owner;
    std::uint32_t connections = 0;
  };
  struct Hash {
    std::size_t operator()(const IpAddress& address) const {
      return std::hash<std::string_view>{}(
          {reinterpret_cast<const char*>(address.data()), address.size()});
    }
  };
  void leave(Entry& entry);

  std::atomic<std::uint32_t> max_;
  mutable std::mutex mutex_;
  std::unordered_map<IpAddress, Count, Hash> entries_;  ///< each stays where it is in memory
};

/// Of one broker; outlives its connections.
struct ConnectionLimits {
  ConnectionLimits(std::uint32_t connections_max, std::uint32_t handshakes_max,
                   std::uint32_t per_address_max = 0)
      : total(connections_max), handshakes(handshakes_max), addresses(per_address_max) {}

  ConnectionCount total;
  ConnectionCount handshakes;
  AddressCount addresses;
};

}  // namespace twinmq::net
