#pragma once
// One layer between a socket and MQTT: TLS, WebSocket, a PROXY header. Pure: it is fed bytes from
// either side and yields bytes to either side; it has no socket, no thread and no clock, so that it
// moves to another shard with its connection, and is tested and fuzzed alone.

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <twinmq/access.hpp>
#include <twinmq/bytes.hpp>

#include "net/byte_buffer.hpp"

namespace twinmq::net {

enum class FilterState : std::uint8_t {
  Handshaking,  ///< bytes from above cannot be sent yet, and none have come for those above
  Open,
  Gone,    ///< its work is done: it leaves the chain, and those above speak to those below
  Ended,   ///< the peer ended its stream in good order; what it sent before was passed up
  Failed,  ///< error() says why; what the peer is to be told lies in the bytes for below
};

class Filter {
 public:
  virtual ~Filter() = default;

  FilterState state() const { return state_; }
  /// A sentence, once the state is Failed.
  virtual std::string_view error() const { return {}; }

  /// Everything below is open: a filter that speaks first does so now. Servers seldom do.
  virtual void start(ByteBuffer& /*down*/) {}
  /// Bytes from below, any number, split anywhere. Appends to `up` what is for above, to `down`
  /// what the peer is to be told. Takes all of them; keeps what is incomplete, within a bound of
  /// its own.
  virtual void receive(ByteView bytes, ByteBuffer& up, ByteBuffer& down) = 0;
  /// Bytes from above, all that there are in this turn; only in the state Open. Appends to `down`.
  virtual void send(std::span<const iovec> parts, ByteBuffer& down) = 0;
  /// Nothing follows from above: appends the goodbye, if there is one.
  virtual void end(ByteBuffer& /*down*/) {}

  /// Writes down what it learned of the peer; called once, when the handshake is done.
  virtual void tell(ConnectionFacts& /*facts*/) const {}
  /// Asked after the listener's settings changed: the sentence why this peer would not be let in
  /// any more; empty: it would.
  virtual std::string_view objection() { return {}; }
  /// Bytes of memory beyond this object, as far as it knows.
  virtual std::size_t memory() const { return 0; }

 protected:
  explicit Filter(FilterState state) : state_(state) {}
  FilterState state_;
};

}  // namespace twinmq::net
