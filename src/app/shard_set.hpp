#pragma once
// All shards of a running broker, its listeners and its storage thread: starting, recovering,
// stopping.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <twinmq/broker.hpp>
#include <twinmq/result.hpp>
#include <twinmq/store.hpp>
#include <twinmq/system_topics.hpp>

#include "app/reply.hpp"
#include "app/shard_thread.hpp"
#include "core/shard_core.hpp"
#include "net/listener.hpp"
#include "storage/commit_queue.hpp"
#include "storage/reader_pool.hpp"

namespace twinmq::app {

class ShardSet {
 public:
  struct ListenerPlan {
    net::Listener::Options options;
    bool anonymous_allowed = false;
    std::optional<Durability> durability;  ///< unset: the broker's
  };
  struct Plan {
    unsigned shards = 1;
    bool on_caller = false;
    LimitsConfig limits;
    std::vector<ListenerPlan> listeners;
    Store* store = nullptr;
    Durability durability = Durability::None;
    /// The store neither blocks nor fails: one shard then commits by itself, without the storage
    /// thread.
    bool store_is_memory = false;
    /// Whether anything is ever committed.
    bool keeps_records = true;
    /// Free bytes on the store's disk below which messages are refused.
    std::uint64_t free_bytes_min = 0;
    /// What the shard is built from, but for mail, counters and post.
    std::function<core::ShardParts(core::ShardId)> parts;
    std::function<void(const LogLine&)> log;
    net::HttpServer::Options http_options;
    /// See ShardGroup.
    std::function<void(ShardThread&, net::HttpExchange, net::HttpRequest, const net::HttpPeer&)>
        http;
    std::unique_ptr<SystemTopics> sys;  ///< null: none
    Seconds sys_interval{10};
    /// Adds what the shards do not count themselves.
    std::function<void(Statistics&)> complete_statistics;
  };

  /// Binds, recovers what the store holds, then serves.
  static Result<std::shared_ptr<ShardSet>> start(Plan plan);
  /// Tells that everything a client may ask for is there.
  void announce();
  /// Ends like stop() with no patience.
  ~ShardSet();

  /// Says goodbye to all clients and waits until everything is sent and stored, at most until the
  /// deadline. Idempotent. With Plan::on_caller only on the thread that calls turn().
  void stop(Milliseconds deadline);

  unsigned size() const { return static_cast<unsigned>(shards_.size()); }
  core::ShardId home_of(std::string_view text) const { return core::home_of(text, size()); }
  const std::shared_ptr<Inbox>& inbox(core::ShardId shard) const { return shards_[shard]->inbox(); }
  void for_each_inbox(const Inbox::Errand& errand);
  std::vector<ListenerInfo> listeners() const;

  /// What becomes of each listener; the sockets of new ones are bound already.
  struct ListenerChange {
    struct Part {
      net::Listener* kept = nullptr;         ///< serves on, with other settings perhaps
      std::unique_ptr<net::Listener> fresh;  ///< begins to serve
      net::Listener* forerunner = nullptr;   ///< whose sockets the fresh one takes over
    };
    std::vector<Part> parts;
  };
  /// Opens what has to be opened for these listeners in the place of the present ones; nothing
  /// changes. One change at a time.
  Result<ListenerChange> prepare_listeners(const std::vector<ListenerPlan>& plans);
  /// Puts them in force. The plans are the same but for their transports. Connections that came
  /// through a listener that is gone live on.
  void change_listeners(ListenerChange change, std::vector<ListenerPlan> plans);
  /// Those of connections and of their handshakes; the core has its own.
  void set_connection_limits(const LimitsConfig& limits);
  /// Summed over the shards and completed.
  Statistics statistics() const;

  bool on_caller() const { return plan_.on_caller; }
  int fd() const { return shards_.front()->fd(); }
  void turn();

  /// Waits for the answer of an errand; with Plan::on_caller it turns the loop meanwhile if this is
  /// the loop's thread. False: nobody will answer, or waiting would wait for itself.
  template <typename T>
  bool await(const Reply<T>& reply, Milliseconds patience = Milliseconds(30'000));
  /// False on a thread that the answer depends on.
  bool may_wait() const;

 private:
  explicit ShardSet(Plan plan);
  Result<void> open_listeners();
  std::vector<net::Listener*> serving() const;
  Result<void> start_storage();
  Result<std::vector<BuiltCore>> build();
  void install(std::vector<BuiltCore> built);
  void recover();
  void rebuild();
  bool all_quiet();
  void tell_room(bool full, std::uint64_t bytes);
  /// Whether this thread is the one that turns the caller's loop.
  bool turns_here() const { return plan_.on_caller && shards_.front()->on_this_thread(); }
  void poll_and_turn();
  void publish_system_topics(ShardThread& thread);
  void log(LogLevel level, std::string_view event, const std::string& detail) const;

  const Plan plan_;
  ShardGroup group_;
  mutable std::mutex listeners_mutex_;
  std::vector<std::unique_ptr<net::Listener>> listeners_;
  std::vector<ListenerPlan> listener_plans_;                    ///< of the same
  std::vector<std::unique_ptr<net::Listener>> gone_listeners_;  ///< for the connections they count
  std::vector<std::unique_ptr<ShardThread>> shards_;
  std::unique_ptr<storage::CommitQueue> queue_;
  std::unique_ptr<storage::ReaderPool> readers_;  ///< null: a store in memory is read at once
  std::atomic<bool> recovering_{false};
  std::atomic<bool> store_full_{false};
  std::atomic<unsigned> halted_{0};
  std::mutex turn_mutex_;  ///< a host that waits on its loop's thread turns the loop itself
  std::atomic<bool> turning_{false};

  std::mutex stop_mutex_;
  std::condition_variable stop_changed_;
  bool stopping_ = false;
  bool stopped_ = false;
};

template <typename T>
bool ShardSet::await(const Reply<T>& reply, Milliseconds patience) {
  if (!may_wait()) return false;
  if (!turns_here()) return reply.wait_for(patience);
  const Instant until = read_clocks().steady + patience;
  while (!reply.wait_for(Milliseconds(0))) {
    if (read_clocks().steady >= until) return false;
    poll_and_turn();
  }
  return true;
}

}  // namespace twinmq::app
