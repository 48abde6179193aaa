#pragma once
// Connections between simulated clients and the simulated broker: two pipes each, whose bytes are
// split, joined, delayed and lost as the seed says.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/ids.hpp"

namespace twinmq::sim {

struct Wire {
  std::uint32_t number = 0;
  core::ShardId accepted_by = 0;  ///< modulo the number of shards
  std::string to_server;          ///< sent by the client, not yet read by the broker
  std::string to_client;          ///< written by the broker, not yet read by the client
  bool client_shut = false;       ///< no byte follows from the client
  bool server_shut = false;       ///< no byte follows from the broker
  std::int64_t server_left_at =
      -1;              ///< when the broker was done with it, in true milliseconds; -1: not yet
  bool reset = false;  ///< the broker will see an error
  bool client_gone = false;             ///< nobody reads here any more
  std::uint64_t stalled_to_server = 0;  ///< the pipe moves nothing until this step
  std::uint64_t stalled_to_client = 0;

  void left(std::int64_t truth) {
    if (server_left_at < 0) server_left_at = truth;
  }
};

class SimNetwork {
 public:
  /// A new connection. The broker accepts it when it likes to.
  std::shared_ptr<Wire> dial(core::ShardId accepted_by) {
    auto wire = std::make_shared<Wire>();
    wire->number = ++dialled_;
    wire->accepted_by = accepted_by;
    arriving_.push_back(wire);
    return wire;
  }

  /// Connections not yet accepted.
  std::vector<std::shared_ptr<Wire>>& arriving() { return arriving_; }

  std::uint64_t steps = 0;  ///< of the world, for stalled pipes

  /// How many bytes a pipe towards a client holds before its writer must wait.
  std::size_t room_to_client = 4096;

 private:
  std::vector<std::shared_ptr<Wire>> arriving_;
  std::uint32_t dialled_ = 0;
};

}  // namespace twinmq::sim
