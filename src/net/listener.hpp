#pragma once
// Addresses the broker listens on, and the accepting of connections.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <twinmq/result.hpp>
#include <twinmq/store.hpp>
#include <twinmq/time.hpp>

#include "net/connection_limits.hpp"
#include "net/descriptor.hpp"
#include "net/event_loop.hpp"
#include "net/listener_url.hpp"
#include "net/transport.hpp"

namespace twinmq::net {

/// The file of a Unix socket, removed when the listener closes.
class SocketFile {
 public:
  SocketFile() = default;
  explicit SocketFile(std::string path);
  SocketFile(SocketFile&& other) noexcept;
  SocketFile& operator=(SocketFile&& other) noexcept;
  ~SocketFile();

 private:
  std::string path_;
  std::uint64_t device_ = 0;  ///< what stood there when it was made: another's file is left alone
  std::uint64_t inode_ = 0;
};

/// One configured listener: bound sockets, one per address its host name stands for. Immutable
/// after open() but for the count and the transport, and shared by all shards.
class Listener {
 public:
  struct Options {
    std::string url;
    std::string name;                   ///< empty: the url
    std::uint32_t connections_max = 0;  ///< 0: no limit of its own
    std::string unix_owner = {};        ///< "user", "user:group" or ":group"; empty: as it comes
    std::uint32_t unix_mode = 0660;
    bool unix_identity = false;  ///< a client of a Unix socket is the user its process runs as
    /// What its connections pass through; null: nothing.
    std::shared_ptr<const Transport> transport;
    /// Sockets that listen already, borrowed: the listener takes duplicates of them and binds none.
    /// The file of a Unix socket is then left alone.
    std::vector<int> sockets = {};
  };
  static Result<std::unique_ptr<Listener>> open(const Options& options);

  const std::string& name() const { return name_; }
  /// With the port that was bound.
  const std::string& url() const { return url_; }
  const ListenerUrl& address() const { return address_; }
  const std::vector<Descriptor>& sockets() const { return sockets_; }
  bool unix_identity() const { return unix_identity_; }
  /// What may change while it serves; any thread.
  void set_unix_identity(bool identity) { unix_identity_ = identity; }
  void set_connections_max(std::uint32_t max);
  /// Owner and mode of the file of a Unix socket, by the options.
  Result<void> take_file(const Options& options);
  /// The file of a Unix socket belongs to `heir` from now on, which listens on the same socket.
  void bequeath_file(Listener& heir) { heir.file_ = std::move(file_); }
  /// Stops listening; what was accepted stays. No shard may accept from it any more.
  void close();
  ConnectionCount& connections() { return connections_; }
  /// For new connections; any thread.
  std::shared_ptr<const Transport> transport() const { return transport_.load(); }
  void set_transport(std::shared_ptr<const Transport> transport) {
    transport_.store(std::move(transport));
  }

  std::atomic<bool> anonymous_allowed{false};
  /// Of what is published over connections accepted from now on; unset: the broker's.
  std::atomic<std::optional<Durability>> durability{};

 private:
  explicit Listener(std::uint32_t connections_max) : connections_(connections_max) {}

  Result<void> bind_addresses(std::string_view url);
  Result<void> bind_file(const Options& options);
  Result<void> adopt(const Options& options);

  std::string name_;
  std::string url_;
  ListenerUrl address_;
  std::vector<Descriptor> sockets_;
  SocketFile file_;
  std::atomic<bool> unix_identity_{false};
  ConnectionCount connections_;
  std::atomic<std::shared_ptr<const Transport>> transport_;
};

/// Whether the socket listens for streams at the address that the URL names. A port of 0 is none.
bool listens_at(int socket, const ListenerUrl& url);

/// The far end of a connection as the system tells it.
struct Caller {
  std::string address;  ///< "127.0.0.1:50712", "unix:1000:4242" (user and process)
  std::string user;     ///< of the process behind a Unix socket, where its listener asks for it
  AddressCount::Place place;  ///< among the connections of its address
};

/// Accepts for one shard. Listening sockets are shared by the shards' sets, exclusively woken.
class Acceptor {
 public:
  struct Hooks {
    /// A new connection, counted in its listener and in the total.
    std::function<void(Descriptor socket, Listener& listener, Caller caller)> opened;
    /// One was closed at once because a limit is reached or descriptors ran out.
    std::function<void(const Listener& listener)> refused;
    /// Accepting pauses, or goes on again; `reason` is a sentence.
    std::function<void(bool paused, std::string_view reason)> paused;
  };

  /// `base` is the tag of the first socket; the following ones count upwards by Tag{1} << 32. While
  /// the handshakes are full, clients of filtered listeners wait in the backlog.
  Acceptor(EventLoop& loop, ConnectionLimits& limits, Tag base, Hooks hooks);
  ~Acceptor() { stop(); }

  void start(const std::vector<Listener*>& listeners);
  void stop();

  void on_event(Tag tag);
  /// Tries again after a pause. Also called when descriptors may have become free.
  void on_time(Instant now);
  Instant next_deadline() const { return std::min(retry_at_, look_again_at_); }
  void set_now(Instant now) { now_ = now; }

 private:
  struct Place {
    Listener* listener;
    int fd;
    bool waiting = false;  ///< for handshakes to end; not in the set
  };
  void accept_from(Place& place);
  /// False: nobody waits there any more, or accepting pauses.
  bool accept_one(Place& place);
  void await_handshakes(Place& place);
  void go_on();
  void pause(const Place& place, int reason);
  Tag tag_of(std::size_t index) const { return base_ + (Tag{index} << 32); }

  EventLoop& loop_;
  ConnectionLimits& limits_;
  Tag base_;
  Hooks hooks_;
  std::vector<Place> places_;
  Descriptor reserve_;  ///< given up for a moment to tell a client that there is no room
  Instant retry_at_ = kNever;
  Instant look_again_at_ = kNever;  ///< whether there is room for handshakes
  Instant now_{};
};

/// "127.0.0.1:50712" or "[::1]:50712"; the IPv4 form for mapped addresses. Not for Unix sockets.
std::string address_text(const void* socket_address);

}  // namespace twinmq::net
