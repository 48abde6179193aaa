#pragma once
// The filters of one connection, the lowest first. Moves to another shard with it.

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <twinmq/access.hpp>

#include "net/filter.hpp"

namespace twinmq::net {

/// What chains work in; one for all chains of a shard, so that an idle one holds nothing.
struct FilterRoom {
  ByteBuffer down;  ///< for the socket; the caller empties it
  ByteBuffer rising[2];
  ByteBuffer sinking[2];
};

class FilterChain {
 public:
  explicit FilterChain(std::vector<std::unique_ptr<Filter>> filters);

  /// Handshaking until every filter is through with it; Gone: there is no filter any more.
  FilterState state() const { return state_; }
  bool open() const { return state_ == FilterState::Open || state_ == FilterState::Gone; }
  std::string_view error() const { return error_; }

  /// Appends to room.down what the lowest filter says before it was told anything.
  void start(FilterRoom& room);
  /// Answers what the bytes mean to the link, valid until the next call with this room, and appends
  /// to room.down what the peer is to be told.
  ByteView receive(ByteView bytes, FilterRoom& room);
  /// Only while open(). Appends to room.down.
  void send(std::span<const iovec> parts, FilterRoom& room);
  /// Appends the goodbyes of all layers.
  void end(FilterRoom& room);

  /// What the filters learned; complete once open(). Given away once.
  std::shared_ptr<const ConnectionFacts> take_facts() { return std::move(facts_); }
  std::string_view objection();
  std::size_t memory() const;

  /// What the socket did not take yet; the connection's business.
  ByteBuffer waiting;
  bool counted = false;  ///< as a handshake; the connection's business

 private:
  void sink(std::size_t below, FilterRoom& room);
  void settle(FilterState lowest_trouble);

  std::vector<std::unique_ptr<Filter>> filters_;
  std::shared_ptr<ConnectionFacts> facts_ = std::make_shared<ConnectionFacts>();
  std::string_view error_;
  std::size_t told_ = 0;  ///< filters from the bottom that are through their handshake
  FilterState state_ = FilterState::Handshaking;
};

}  // namespace twinmq::net
