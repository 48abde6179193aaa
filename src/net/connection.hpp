#pragma once
// The connections of one shard: a socket, or a stream of the host, for each link. Reads into one
// shared buffer, writes what the link's output holds, closes. What the bytes mean is the links'
// business.

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <twinmq/access.hpp>
#include <twinmq/bytes.hpp>
#include <twinmq/time.hpp>

#include "base/counters.hpp"
#include "base/slot_map.hpp"
#include "net/descriptor.hpp"
#include "net/event_loop.hpp"
#include "net/filter_chain.hpp"
#include "net/listener.hpp"

namespace twinmq::net {

using LinkKey = base::SlotKey;

/// The links as the connections see them. Every call but on_closed(), on_shut() and on_refused()
/// leaves the key valid, unless the link moves to another shard, which ends with
/// Connections::release().
class Links {
 public:
  virtual ~Links() = default;
  virtual void on_bytes(LinkKey link, ByteView bytes) = 0;
  virtual void on_room(LinkKey link) = 0;
  virtual void on_closed(LinkKey link) = 0;
  virtual void on_shut(LinkKey link) = 0;
  /// The filters are through their handshake and learned this; before any bytes.
  virtual void on_facts(LinkKey link, std::shared_ptr<const ConnectionFacts> facts) = 0;
  /// The filters refused the peer, as the sentence says; otherwise as on_closed().
  virtual void on_refused(LinkKey link, std::string_view why) = 0;

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
  /// `counters` counts bytes sent and handshakes, `limits` those of all shards; all of them must
  /// outlive this.
  Connections(EventLoop& loop, Links& links, base::Counters& counters, ConnectionLimits& limits);
  ~Connections();

  /// What a connection consists of; a socket or a peer.
  struct Parts {
    Descriptor socket;
    Listener* listener = nullptr;  ///< that counts it; null for peers
    std::unique_ptr<Peer> peer;
    std::unique_ptr<FilterChain> filters;  ///< null: the link's bytes are the socket's
    AddressCount::Place place = {};        ///< among the connections of the client's address
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

  /// Time from accepting a connection to the end of its filters' handshakes; for later ones.
  void set_handshake_limit(Milliseconds limit) { handshake_limit_ = limit; }
  /// The listeners' settings changed: closes what would not be let in any more, and answers how
  /// many.
  std::size_t judge_again();

  /// Gives up on closing connections that do not take their last bytes, and on handshakes that take
  /// too long.
  void on_time(Instant now);
  Instant next_deadline() const;
  /// Begins a turn.
  void set_now(Instant now) {
    now_ = now;
    handshake_reads_ = 0;
  }

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
    std::unique_ptr<FilterChain> filters;
    AddressCount::Place place;
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
  void receive_filtered(LinkKey link, ByteView bytes);
  Sent send_filtered(LinkKey link);
  Sent write_down(Connection& connection);
  void begin_handshake(Connection& connection);
  bool count_client(Connection& connection, const ConnectionFacts& facts);
  void end_handshake(FilterChain& filters);
  void refuse(LinkKey link, std::string_view why);
  void leave(Parts& parts);
  bool may_read(const Connection& connection) const;
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
  /// A handshake costs up to a millisecond: the established clients of a turn wait for these at
  /// most.
  static constexpr int kHandshakeReadsPerTurn = 4;
  static constexpr std::size_t kFilteredBytesPerWrite = 262'144;
  static constexpr std::size_t kLingeringMax = 1024;
  static constexpr Milliseconds kCloseDelay{2000};
  static constexpr Milliseconds kLingerDelay{1000};

  EventLoop& loop_;
  Links& links_;
  base::Counters& counters_;
  ConnectionLimits& limits_;
  std::vector<Connection> connections_;  ///< by the index of the link's key
  std::vector<Deadline> closing_;        ///< ascending
  std::deque<Deadline> handshaking_;     ///< in the order of their accepting
  std::vector<Lingering> lingering_;     ///< ascending
  std::vector<LinkKey> again_;
  std::unique_ptr<std::uint8_t[]> buffer_;
  FilterRoom room_;
  std::size_t open_ = 0;
  Milliseconds handshake_limit_{10'000};
  int handshake_reads_ = 0;  ///< in this turn
  Instant now_{};
};

}  // namespace twinmq::net
