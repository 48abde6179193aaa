#pragma once
// What one turn of a shard asks of the world. The shell carries it out and clears it.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <twinmq/access.hpp>
#include <twinmq/message.hpp>
#include <twinmq/reason_code.hpp>
#include <twinmq/store.hpp>

#include "core/ids.hpp"

namespace twinmq::core {

/// Where a connection came from: what the shell knows and the core only passes on.
struct LinkOrigin {
  std::string peer;                              ///< remote address, empty in-process
  std::string listener;                          ///< the listener's name
  std::shared_ptr<const ConnectionFacts> facts;  ///< null: a plain connection
  bool anonymous_allowed = false;                ///< clients without user name may enter
  bool host = false;                     ///< the host program itself: rights are not checked
  std::optional<Durability> durability;  ///< of what is published here; unset: the broker's
};

/// A connection whose session lives elsewhere. The shell moves the socket to shard `to` and gives
/// its core the origin and the bytes not yet consumed, by ShardCore::adopt().
struct MovedLink {
  LinkKey link;
  ShardId to = 0;
  LinkOrigin origin;
  std::string bytes;
};

/// A batch for the storage thread. Answer with ShardCore::on_committed(id, …), in the order of the
/// ids.
struct Commit {
  std::uint64_t id = 0;
  Batch batch;
  Durability durability = Durability::Fsync;  ///< at least this has been promised
};

/// A range of the store that the shard wants to see. Answer with ShardCore::on_read(ticket, …) in
/// any later turn and any order, from a state of the store that holds at least every commit
/// answered so far.
struct Read {
  std::uint64_t ticket = 0;
  StoreRange range;
};

/// The end of a publish that the host asked for.
struct HostPublished {
  std::uint64_t token = 0;
  ReasonCode code = ReasonCode::Success;
  std::uint64_t matched = 0;
};

struct Effects {
  /// Links with something to send, to read again, or to close; a link may stand here twice.
  std::vector<LinkKey> touched;
  /// The key in `moved.link` is no longer known to the core.
  std::vector<MovedLink> moved;
  std::optional<Commit> commit;
  std::vector<Read> reads;
  std::vector<HostPublished> published;
  /// A commit failed: the store must be reopened and every shard built anew from it.
  bool reload = false;
};

}  // namespace twinmq::core
