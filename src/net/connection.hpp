#pragma once
// The connections of one shard: a socket, or a stream of the host, for each link. Reads into one
// shared buffer, writes what the link's output holds, closes. What the bytes mean is the links'
// business.

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <twinmq/bytes.hpp>
#include <twinmq/time.hpp>

#include "base/counters.hpp"
#include "base/slot_map.hpp"
#include "net/descriptor.hpp"
#include "net/event_loop.hpp"
#include "net/listener.hpp"

namespace twinmq::net {

using LinkKey = base::SlotKey;

/// The links as the connections see them. Every call but on_closed() and on_shut() leaves the key
/// valid, unless the link moves to another shard, which ends with Connections::release().
class Links {
 public:
  virtual ~Links() = default;
  virtual void on_bytes(LinkKey link, ByteView bytes) = 0;
  virtual void on_room(LinkKey link) = 0;
  virtual void on_closed(LinkKey link) = 0;
  virtual void on_shut(LinkKey link) = 0;

  /// Fills `out` with what waits to be sent and answers how many entries it used.
  virtual std::size_t gather(LinkKey link, std::span<iovec> out) = 0;
  virtual void sent(LinkKey link, std::size_t bytes) = 0;

  virtual bool closing(LinkKey link) const = 0;
  virtual bool reading(LinkKey link) const = 0;
  virtual bool has_more(LinkKey link) const = 0;
  /// Nothing that the peer sent is left to be worked on.
  virtual bool drained(LinkKey link) const = 0;
};

/// The far end of a link that has no socket. Called on the thread of the shard that has the link.
class Peer {
 public:
  virtual ~Peer() = default;
  /// Takes what it can and answers how much. After less than everything it asks for a flush when it
  /// has room.
  virtual std::size_t write(ByteView bytes) = 0;
  /// The link takes bytes again after a time in which it did not.
  virtual void on_reading() = 0;
  /// The link is gone; no further call follows.
  virtual void on_close() = 0;
};

/// Used by the shard's thread alone.
class Connections {
 public:
  /// `counters` counts bytes sent; all of them must outlive this.
  Connections(EventLoop& loop, Links& links, base::Counters& counters, ConnectionCount& total);
  ~Connections();

  /// What a connection consists of; a socket or a peer.
  struct Parts {
    Descriptor socket;
    Listener* listener = nullptr;  ///< that counts it; null for peers
    std::unique_ptr<Peer> peer;
  };
  void add(LinkKey link, Parts parts);
  /// Takes the connection out, for its move to another shard; empty if there is none.
  Parts release(LinkKey link);

  bool has(LinkKey link) const { return find(link) != nullptr; }

  /// Tags below kTagsEnd belong to connections.
  void on_event(Tag tag, std::uint32_t events);
  /// Sends what waits and what follows, closes what is to be closed, and watches for what comes
  /// next. A link whose peer took less than there was waits for on_event() or writable().
  void flush(LinkKey link);
  /// The link takes no bytes now: its peer's on_reading() is called when it does again.
  void pause(LinkKey link);
  /// The peer of a link without socket has room again.
  void writable(LinkKey link);
  /// Goes on with the links that had more than a fair share to send; wants_turn() tells that there
  /// are some.
  void flush_again();
  bool wants_turn() const { return !again_.empty(); }
  /// The peer of the link is gone.
  void close(LinkKey link);

  /// Gives up on closing connections that do not take their last bytes.
  void on_time(Instant now);
  Instant next_deadline() const;
  void set_now(Instant now) { now_ = now; }

  /// Closes everything without a word to the links, for a shard that is built anew or ends.
  void drop_all();
  std::size_t open() const { return open_; }

  static Tag tag_of(LinkKey link) { return (Tag{link.generation} << 32) | link.index; }
  /// The low half of the tags of sockets that wait for the peer's end of the connection.
  static constexpr std::uint32_t kLingerTag = 0xFFFF'FFF0;

 private:
  struct Connection {
    LinkKey link;
    int fd = -1;
    bool used = false;
    bool reading : 1 = false;  ///< EPOLLIN is armed, or the peer may write
    bool blocked : 1 = false;  ///< the socket took less than there was; EPOLLOUT is armed
    bool closing : 1 = false;  ///< stands in closing_
    bool half : 1 = false;     ///< the peer has ended its stream, which is read to the end later
    Listener* listener = nullptr;
    std::unique_ptr<Peer> peer;
  };
  struct Deadline {
    LinkKey link;
    Instant at;
  };
  struct Lingering {
    Descriptor socket;
    Instant until;
  };
  enum class Sent : std::uint8_t { All, Again, Blocked, Broken };

  Connection* find(LinkKey link);
  const Connection* find(LinkKey link) const { return const_cast<Connections*>(this)->find(link); }
  void receive(LinkKey link, std::uint32_t events);
  void flush_now(LinkKey link);
  void close_later(Connection& connection);
  Sent send(LinkKey link);
  Sent send_once(Connection& connection, std::span<iovec> parts, std::size_t& sent);
  void shut(LinkKey link);
  void watch(Connection& connection, bool reading, bool blocked);
  void arm(const Connection& connection);
  void on_hang_up(LinkKey link);
  Parts take(Connection& connection);
  void linger(Descriptor socket);
  void on_linger(int fd);

  static constexpr std::size_t kReadBytes = 131'072;
  static constexpr int kReadsPerEvent = 4;
  static constexpr std::size_t kPartsPerWrite = 64;
  static constexpr int kWritesPerFlush = 16;
  static constexpr std::size_t kLingeringMax = 1024;
  static constexpr Milliseconds kCloseDelay{2000};
  static constexpr Milliseconds kLingerDelay{1000};

  EventLoop& loop_;
  Links& links_;
  base::Counters& counters_;
  ConnectionCount& total_;
  std::vector<Connection> connections_;  ///< by the index of the link's key
  std::vector<Deadline> closing_;        ///< ascending
  std::vector<Lingering> lingering_;     ///< ascending
  std::vector<LinkKey> again_;
  std::unique_ptr<std::uint8_t[]> buffer_;
  std::size_t open_ = 0;
  Instant now_{};
};

}  // namespace twinmq::net
