#pragma once
// Gives a ShardCore a thread (or the caller's), sockets and time, and carries out its effects.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include <twinmq/broker.hpp>
#include <twinmq/result.hpp>
#include <twinmq/store.hpp>
#include <twinmq/time.hpp>

#include "app/inbox.hpp"
#include "base/counters.hpp"
#include "core/effects.hpp"
#include "core/mail.hpp"
#include "core/shard_core.hpp"
#include "net/connection.hpp"
#include "net/event_loop.hpp"
#include "net/http_server.hpp"
#include "net/listener.hpp"

namespace twinmq::app {

/// A peer inside the process knows which shard has its link.
class LocalPeer : public net::Peer {
 public:
  virtual void attached(std::shared_ptr<Inbox> shard, net::LinkKey link) = 0;
  virtual void detached() = 0;
};

Now read_clocks();

class ShardThread;

/// What the shards of one broker have in common. Outlives them.
struct ShardGroup {
  explicit ShardGroup(const LimitsConfig& limits)
      : connections(limits.connections_max, limits.handshakes_max,
                    limits.connections_per_address_max) {}

  net::ConnectionLimits connections;
  std::atomic<Milliseconds> handshake_limit{Milliseconds(10'000)};
  std::vector<std::shared_ptr<Inbox>> inboxes;  ///< by shard
  std::function<void(const LogLine&)> log;
  /// Hands a commit to the storage thread; empty: `inline_store` takes it at once, on the shard's
  /// thread.
  std::function<void(core::ShardId, core::Commit)> submit;
  Store* inline_store = nullptr;
  /// Hands a read to the reading threads, who answer the inbox; empty: `inline_store` is read at
  /// once.
  std::function<void(core::ShardId, std::uint64_t id, StoreRange)> read;
  net::HttpServer::Options http_options;
  /// What is asked over HTTP; leads to ShardThread::answer().
  std::function<void(ShardThread&, net::HttpExchange, net::HttpRequest, const net::HttpPeer&)> http;
  /// A commit failed: the broker must build every shard anew. Any thread, any number of times.
  std::function<void()> reload;
};

/// A core and the mail exchange it was built with.
struct BuiltCore {
  std::shared_ptr<core::Mail> mail;
  std::unique_ptr<core::ShardCore> core;
};

/// Used by one thread at a time, the shard's own or the caller's; inbox(), counters() and
/// stop_thread() by any. Without a core (before install(), after halt()) it serves nothing but
/// orders.
class ShardThread final : public net::Links {
 public:
  static Result<std::unique_ptr<ShardThread>> create(core::ShardId id,
                                                     net::EventLoop::Driver driver,
                                                     ShardGroup& group);
  ~ShardThread() override;

  core::ShardId id() const { return id_; }
  const std::shared_ptr<Inbox>& inbox() const { return inbox_; }
  base::Counters& counters() { return counters_; }
  int fd() const { return loop_->fd(); }

  /// A job for the shard's thread, at install() and then again and again. Before install().
  void set_periodic(Milliseconds interval, std::function<void(ShardThread&)> job);

  /// Takes a restored core into service and accepts from the listeners.
  void install(BuiltCore built, const std::vector<net::Listener*>& listeners);
  /// Accepts from these and no others; without a core from none, until install().
  void set_listeners(const std::vector<net::Listener*>& listeners);
  /// Closes every connection without a word and gives up the core.
  void halt();
  /// Stops accepting and says goodbye to every client, also to those that still move in.
  void close_down();

  /// One turn without waiting, and what it leaves open for the caller's loop.
  void turn();

  Result<void> start_thread();
  /// The calling thread is the one that will call turn().
  void adopt_thread() { runner_ = std::this_thread::get_id(); }
  /// Ends the thread after its current turn and joins it. Not from the shard's own thread.
  void stop_thread();
  bool on_this_thread() const {
    return runner_.load(std::memory_order_relaxed) == std::this_thread::get_id();
  }

  // --- For errands, on the shard's thread
  core::ShardCore* core() { return core_.get(); }
  net::Connections& connections() { return connections_; }
  Now now() const { return now_; }
  void open(std::unique_ptr<LocalPeer> peer, core::LinkOrigin origin);
  /// Publishes; `done` is called on this thread, once.
  void publish(const MessageParts& message, std::function<void(const core::HostPublished&)> done);
  /// Answers a request that came to this shard over HTTP.
  void answer(net::HttpExchange exchange, net::HttpResponse response);
  /// No link, no commit and no outcome is open any more.
  bool quiet() const;

  // --- net::Links
  void on_bytes(net::LinkKey link, ByteView bytes) override;
  void on_room(net::LinkKey link) override;
  void on_closed(net::LinkKey link) override;
  void on_shut(net::LinkKey link) override;
  void on_facts(net::LinkKey link, std::shared_ptr<const ConnectionFacts> facts) override;
  void on_refused(net::LinkKey link, std::string_view why) override;
  std::size_t gather(net::LinkKey link, std::span<iovec> out) override;
  void sent(net::LinkKey link, std::size_t bytes) override;
  bool closing(net::LinkKey link) const override { return core_->closing(link); }
  bool reading(net::LinkKey link) const override { return core_->reading(link); }
  bool has_more(net::LinkKey link) const override { return core_->has_more(link); }
  bool drained(net::LinkKey link) const override { return core_->drained(link); }

 private:
  ShardThread(core::ShardId id, std::unique_ptr<net::EventLoop> loop, ShardGroup& group);

  void serve();
  int patience();
  Instant next_deadline() const;
  void take_turn(int patience_milliseconds);
  void take_mail(Inbox::Mail mail);
  void accepted(net::Descriptor socket, net::Listener& listener, net::Caller caller);
  void accept_http(net::Descriptor socket, net::Listener& listener, net::Caller caller);
  void finish_turn();
  void commit();
  void read();
  void move_links();
  void flush_touched();
  void enter_turn();
  void log(LogLevel level, std::string_view event, const std::string& detail) const;

  const core::ShardId id_;
  ShardGroup& group_;
  base::Counters counters_;
  std::unique_ptr<net::EventLoop> loop_;
  std::shared_ptr<Inbox> inbox_;
  net::Connections connections_;
  net::Acceptor acceptor_;
  std::unique_ptr<net::HttpServer> http_;  ///< made with the first connection
  std::shared_ptr<core::Mail> mail_;
  std::unique_ptr<core::ShardCore> core_;
  Now now_;
  bool in_turn_ = false;
  bool closing_down_ = false;
  std::uint64_t commits_open_ = 0;
  std::uint64_t last_read_ = 0;  ///< never used again: answers may come when the core is another
  std::unordered_map<std::uint64_t, std::uint64_t> reads_open_;  ///< to the core's ticket
  Milliseconds interval_{0};
  std::function<void(ShardThread&)> job_;
  Instant job_at_ = kNever;
  std::uint64_t last_token_ = 0;
  std::unordered_map<std::uint64_t, std::function<void(const core::HostPublished&)>> outcomes_;
  std::atomic<std::thread::id> runner_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace twinmq::app
