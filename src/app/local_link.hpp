#pragma once
// A link without a socket: the host's stream, or a client inside the process.

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "app/inbox.hpp"
#include "core/effects.hpp"
#include "net/connection.hpp"

namespace twinmq::app {

/// What lies beyond such a link. Called on the thread of the shard that has the link.
class FarEnd {
 public:
  virtual ~FarEnd() = default;
  /// Takes what it can of the broker's bytes; after less than everything, LocalLink::room() asks
  /// for more.
  virtual std::size_t take(std::string_view bytes) = 0;
  /// The link is gone; nothing follows.
  virtual void ended() = 0;
};

/// The near end: hands bytes to whichever shard has the link, in order, wherever it moves. send(),
/// room() and hang_up() may be called from any thread.
class LocalLink : public std::enable_shared_from_this<LocalLink> {
 public:
  explicit LocalLink(std::shared_ptr<FarEnd> far_end) : far_end_(std::move(far_end)) {}

  /// Opens the link on the shard. False: the shard is gone; the far end is told then, and also when
  /// the shard goes before it comes to opening.
  bool open(const std::shared_ptr<Inbox>& shard, core::LinkOrigin origin);

  void send(std::string_view bytes);
  void room();
  void hang_up();

  /// On the shard's thread: the link has arrived there.
  void attached(std::shared_ptr<Inbox> shard, net::LinkKey link);
  /// On the shard's thread: it leaves for another.
  void detached();

 private:
  class Peer;
  struct Opening;
  void ask();
  void work(ShardThread& shard);

  const std::shared_ptr<FarEnd> far_end_;
  std::mutex mutex_;
  std::shared_ptr<Inbox> shard_;  ///< null while the link is on its way
  net::LinkKey link_;
  std::string incoming_;
  bool room_ = false;
  bool hung_up_ = false;
  bool ended_ = false;
  bool asked_ = false;  ///< an errand is under way
};

}  // namespace twinmq::app
