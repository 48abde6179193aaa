#include "net/connection.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace twinmq::net {

Connections::Connections(EventLoop& loop, Links& links, base::Counters& counters,
                         ConnectionLimits& limits)
    : loop_(loop),
      links_(links),
      counters_(counters),
      limits_(limits),
      buffer_(std::make_unique_for_overwrite<std::uint8_t[]>(kReadBytes)) {
  static_assert(sizeof(Connection) <= 56, "an idle connection is to cost no more than this");
}

Connections::~Connections() {
  drop_all();
}

Connections::Connection* Connections::find(LinkKey link) {
  if (link.index >= connections_.size()) return nullptr;
  Connection& connection = connections_[link.index];
  return connection.used && connection.link == link ? &connection : nullptr;
}

void Connections::add(LinkKey link, Parts parts) {
  if (link.index >= connections_.size()) connections_.resize(std::size_t{link.index} + 1);
  Connection& connection = connections_[link.index];
  connection.link = link;
  connection.used = true;
  connection.reading = true;
  connection.blocked = false;
  connection.closing = false;
  connection.half = false;
  connection.fd = parts.socket.release();
  connection.listener = parts.listener;
  connection.peer = std::move(parts.peer);
  connection.filters = std::move(parts.filters);
  connection.place = std::move(parts.place);
  ++open_;
  if (connection.fd < 0) return;
  if (!loop_.watch(connection.fd, EPOLLIN, tag_of(link))) return close(link);
  if (!connection.filters) return;
  // The peer may have ended its stream behind the CONNECT that made the connection move.
  if (connection.filters->state() == FilterState::Ended) return close(link);
  begin_handshake(connection);
}

Connections::Parts Connections::take(Connection& connection) {
  Parts parts{Descriptor(connection.fd), connection.listener, std::move(connection.peer),
              std::move(connection.filters), std::move(connection.place)};
  if (parts.filters) end_handshake(*parts.filters);
  connection.fd = -1;
  connection.used = false;
  connection.peer = nullptr;
  --open_;
  return parts;
}

Connections::Parts Connections::release(LinkKey link) {
  Connection* connection = find(link);
  if (connection == nullptr) return {};
  if (connection->fd >= 0) loop_.forget(connection->fd);
  return take(*connection);
}

void Connections::close(LinkKey link) {
  Connection* connection = find(link);
  if (connection == nullptr) return;
  const bool closing = links_.closing(link);
  Parts parts = take(*connection);
  leave(parts);
  // The descriptor leaves the epoll set by being closed: it has no duplicate.
  parts.socket.close();
  if (closing) {
    links_.on_shut(link);
  } else {
    links_.on_closed(link);
  }
}

// Everything is sent: the end of the stream follows it, and only the peer's own end makes the close
// safe. An early close with unread bytes would send a reset, which may overtake what was written
// last.
void Connections::shut(LinkKey link) {
  Connection* connection = find(link);
  if (connection == nullptr) return;
  if (connection->filters) {
    room_.down.clear();
    connection->filters->end(room_);
    write_down(
        *connection);  // what the socket does not take of the goodbye is not worth waiting for
  }
  Parts parts = take(*connection);
  leave(parts);
  if (parts.socket) linger(std::move(parts.socket));
  links_.on_shut(link);
}

// Nothing counts the connection any more: before its peer can see the end of it, and come back.
void Connections::leave(Parts& parts) {
  if (parts.listener != nullptr) {
    parts.listener->connections().leave();
    limits_.total.leave();
  }
  parts.place = {};
  if (parts.peer) parts.peer->on_close();
}

void Connections::linger(Descriptor socket) {
  if (::shutdown(socket.get(), SHUT_WR) != 0) return;
  if (lingering_.size() >= kLingeringMax) return;
  for (int i = 0; i < kReadsPerEvent; ++i) {
    const ssize_t taken = ::recv(socket.get(), buffer_.get(), kReadBytes, 0);
    if (taken == 0 || (taken < 0 && errno != EAGAIN && errno != EINTR)) return;
    if (taken < 0) break;
  }
  const Tag tag = (static_cast<Tag>(socket.get()) << 32) | kLingerTag;
  if (!loop_.change(socket.get(), EPOLLIN, tag)) return;
  lingering_.push_back({std::move(socket), now_ + kLingerDelay});
}

void Connections::on_linger(int fd) {
  const ssize_t taken = ::recv(fd, buffer_.get(), kReadBytes, 0);
  if (taken > 0 || (taken < 0 && (errno == EAGAIN || errno == EINTR))) return;
  std::erase_if(lingering_, [fd](const Lingering& each) { return each.socket.get() == fd; });
}

void Connections::on_event(Tag tag, std::uint32_t events) {
  if (static_cast<std::uint32_t>(tag) == kLingerTag) return on_linger(static_cast<int>(tag >> 32));
  const LinkKey link{static_cast<std::uint32_t>(tag), static_cast<std::uint32_t>(tag >> 32)};
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(link, events);
  if (events & EPOLLRDHUP) on_hang_up(link);
  if (events & EPOLLOUT) writable(link);
}

void Connections::receive(LinkKey link, std::uint32_t events) {
  for (int i = 0; i < kReadsPerEvent; ++i) {
    Connection* connection = find(link);
    if (connection == nullptr) return;
    if (!may_read(*connection)) break;
    // Left in the socket, which is reported again in the next turn.
    if (connection->filters && !connection->filters->open() &&
        handshake_reads_++ >= kHandshakeReadsPerTurn)
      return;
    const ssize_t taken = ::recv(connection->fd, buffer_.get(), kReadBytes, 0);
    if (taken < 0 && errno == EINTR) continue;
    if (taken < 0 && errno == EAGAIN) return;
    if (taken <= 0) return close(link);
    const ByteView bytes{buffer_.get(), static_cast<std::size_t>(taken)};
    if (connection->filters) {
      receive_filtered(link, bytes);
    } else {
      links_.on_bytes(link, bytes);
    }
    if (static_cast<std::size_t>(taken) < kReadBytes) break;
  }
  Connection* connection = find(link);
  if (connection == nullptr || may_read(*connection)) return;
  if (events & (EPOLLHUP | EPOLLERR)) return close(link);  // it would be reported for ever
  watch(*connection, false, connection->blocked);
}

// A peer that makes the filters answer, and takes no answers, is not heard before it does.
bool Connections::may_read(const Connection& connection) const {
  if (connection.filters && connection.filters->waiting.size() > kFilteredBytesPerWrite)
    return false;
  return links_.reading(connection.link);
}

void Connections::watch(Connection& connection, bool reading, bool blocked) {
  if (connection.reading == reading && connection.blocked == blocked) return;
  const bool resumed = reading && !connection.reading;
  connection.reading = reading;
  connection.blocked = blocked;
  if (connection.fd >= 0) {
    arm(connection);
  } else if (resumed) {
    connection.peer->on_reading();
  }
}

void Connections::arm(const Connection& connection) {
  std::uint32_t events = connection.blocked ? EPOLLOUT : 0u;
  // A client that gives up while nobody reads, for instance during a slow authentication, is
  // noticed too.
  if (connection.reading) {
    events |= EPOLLIN;
  } else if (!connection.half) {
    events |= EPOLLRDHUP;
  }
  loop_.change(connection.fd, events, tag_of(connection.link));
}

void Connections::on_hang_up(LinkKey link) {
  Connection* connection = find(link);
  if (connection == nullptr || connection->reading) return;
  char byte = 0;
  const bool all_read = ::recv(connection->fd, &byte, 1, MSG_PEEK) == 0;
  if (all_read && !links_.closing(link) && links_.drained(link)) return close(link);
  connection->half = true;
  arm(*connection);
}

void Connections::writable(LinkKey link) {
  Connection* connection = find(link);
  if (connection == nullptr) return;
  // The socket's interest in room stays armed until it is known whether all was sent: often it was
  // not.
  if (connection->fd < 0) connection->blocked = false;
  flush_now(link);
}

void Connections::pause(LinkKey link) {
  if (Connection* connection = find(link)) watch(*connection, false, connection->blocked);
}

void Connections::flush_again() {
  const std::vector<LinkKey> links = std::exchange(again_, {});
  for (const LinkKey link : links) flush(link);
}

void Connections::flush(LinkKey link) {
  Connection* connection = find(link);
  if (connection == nullptr) return;
  if (!connection->blocked) return flush_now(link);
  const bool closing = links_.closing(link);
  if (closing) close_later(*connection);
  watch(*connection, !closing && may_read(*connection), true);
}

void Connections::close_later(Connection& connection) {
  if (connection.closing) return;
  connection.closing = true;
  closing_.push_back({connection.link, now_ + kCloseDelay});
}

void Connections::flush_now(LinkKey link) {
  Connection* connection = find(link);
  if (connection == nullptr) return;
  const Sent sent = connection->filters ? send_filtered(link) : send(link);
  connection = find(link);
  if (connection == nullptr) return;
  if (sent == Sent::Broken) return close(link);
  if (sent == Sent::Again) again_.push_back(link);
  const bool closing = links_.closing(link);
  if (closing && sent == Sent::All) return shut(link);
  if (closing) close_later(*connection);
  watch(*connection, !closing && may_read(*connection), sent == Sent::Blocked);
}

Connections::Sent Connections::send(LinkKey link) {
  iovec parts[kPartsPerWrite];
  for (int i = 0; i < kWritesPerFlush; ++i) {
    Connection* connection = find(link);
    if (connection == nullptr) return Sent::All;
    const std::size_t count = links_.gather(link, parts);
    if (count == 0) {
      if (!links_.has_more(link)) return Sent::All;
      links_.on_room(link);
      if (links_.gather(link, parts) == 0) return Sent::All;
      continue;
    }
    std::size_t sent = 0;
    const Sent result = send_once(*connection, {parts, count}, sent);
    if (sent > 0) {
      counters_.add(Metric::BytesSent, sent);
      links_.sent(link, sent);
    }
    if (result != Sent::All) return result;
  }
  return Sent::Again;
}

// Whatever the link has to say in this turn is filtered first and leaves in one write.
Connections::Sent Connections::send_filtered(LinkKey link) {
  Connection* connection = find(link);
  room_.down.clear();
  Sent result = write_down(*connection);
  if (result != Sent::All || !connection->filters->open()) return result;
  iovec parts[kPartsPerWrite];
  for (int i = 0; i < kWritesPerFlush; ++i) {
    std::size_t count = links_.gather(link, parts);
    if (count == 0 && links_.has_more(link)) {
      links_.on_room(link);
      connection = find(link);
      if (connection == nullptr) return Sent::All;
      count = links_.gather(link, parts);
    }
    if (count == 0) return write_down(*connection);
    std::size_t bytes = 0;
    for (std::size_t part = 0; part < count; ++part) bytes += parts[part].iov_len;
    connection->filters->send({parts, count}, room_);
    counters_.add(Metric::BytesSent, bytes);
    links_.sent(link, bytes);
    if (connection->filters->state() == FilterState::Failed) return Sent::Broken;
    if (room_.down.size() < kFilteredBytesPerWrite) continue;
    result = write_down(*connection);
    if (result != Sent::All) return result;
  }
  result = write_down(*connection);
  return result == Sent::All ? Sent::Again : result;
}

// Sends what waits and what the filters just made, in one call; what the socket does not take waits
// with the chain.
Connections::Sent Connections::write_down(Connection& connection) {
  ByteBuffer& waiting = connection.filters->waiting;
  ByteBuffer& fresh = room_.down;
  iovec parts[2];
  std::size_t count = 0;
  for (const ByteView bytes : {waiting.view(), fresh.view()}) {
    if (!bytes.empty()) parts[count++] = {const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
  }
  if (count == 0) return Sent::All;
  std::size_t sent = 0;
  const Sent result = send_once(connection, {parts, count}, sent);
  const std::size_t of_waiting = std::min(sent, waiting.size());
  waiting.consume(of_waiting);
  fresh.consume(sent - of_waiting);
  if (result == Sent::Blocked) waiting.append(fresh.view());
  if (waiting.empty()) waiting.release();
  fresh.clear();
  if (fresh.capacity() > 2 * kFilteredBytesPerWrite) fresh.release();
  return result;
}

void Connections::receive_filtered(LinkKey link, ByteView bytes) {
  Connection* connection = find(link);
  FilterChain& filters = *connection->filters;
  const bool was_open = filters.open();
  room_.down.clear();
  const ByteView risen = filters.receive(bytes, room_);
  const FilterState state = filters.state();
  const Sent sent = write_down(*connection);
  if (state == FilterState::Failed) return refuse(link, filters.error());
  if (sent == Sent::Broken) return close(link);
  if (sent == Sent::Blocked) watch(*connection, connection->reading, true);
  if (!was_open && state != FilterState::Handshaking) {
    end_handshake(filters);
    counters_.add(Metric::Handshakes);
    const std::shared_ptr<const ConnectionFacts> facts = filters.take_facts();
    if (!count_client(*connection, *facts))
      return refuse(link,
                    "the address has as many connections as limits.connections_per_address_max");
    links_.on_facts(link, facts);
    if (state == FilterState::Gone && filters.waiting.empty()) connection->filters.reset();
  }
  if (!risen.empty()) links_.on_bytes(link, risen);
  if (state == FilterState::Ended) close(link);
}

void Connections::begin_handshake(Connection& connection) {
  if (connection.filters->open()) return;
  connection.filters->counted = true;
  limits_.handshakes.enter_anyway();
  counters_.add(Metric::HandshakesOpen);
  handshaking_.push_back({connection.link, now_ + handshake_limit_});
  room_.down.clear();
  connection.filters->start(room_);
  write_down(connection);
}

// The client that a proxy named; anybody else was counted when the connection was accepted.
bool Connections::count_client(Connection& connection, const ConnectionFacts& facts) {
  if (facts.peer.empty()) return true;
  auto counted = limits_.addresses.enter(facts.peer);
  if (counted) connection.place = std::move(*counted);
  return counted.has_value();
}

void Connections::end_handshake(FilterChain& filters) {
  if (!std::exchange(filters.counted, false)) return;
  limits_.handshakes.leave();
  counters_.subtract(Metric::HandshakesOpen);
}

// The peer was told why in its own terms; the end follows in good order, so that it can read it.
void Connections::refuse(LinkKey link, std::string_view why) {
  Connection* connection = find(link);
  Parts parts = take(*connection);
  leave(parts);
  if (parts.socket && parts.filters->waiting.empty()) linger(std::move(parts.socket));
  links_.on_refused(link, why);
}

std::size_t Connections::judge_again() {
  std::size_t closed = 0;
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    Connection& connection = connections_[i];
    if (!connection.used || !connection.filters) continue;
    const std::string why(connection.filters->objection());
    if (why.empty()) continue;
    ++closed;
    room_.down.clear();
    connection.filters->end(room_);
    write_down(connection);
    refuse(connection.link, why);
  }
  return closed;
}

Connections::Sent Connections::send_once(Connection& connection, std::span<iovec> parts,
                                         std::size_t& sent) {
  std::size_t wanted = 0;
  for (const iovec& part : parts) wanted += part.iov_len;
  if (connection.fd < 0) {
    for (const iovec& part : parts) {
      const std::size_t took =
          connection.peer->write({static_cast<const std::uint8_t*>(part.iov_base), part.iov_len});
      sent += took;
      if (took < part.iov_len) return Sent::Blocked;
    }
    return Sent::All;
  }
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  ssize_t result = 0;
  do {
    result = ::sendmsg(connection.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (result < 0 && errno == EINTR);
  if (result < 0) return errno == EAGAIN || errno == ENOBUFS ? Sent::Blocked : Sent::Broken;
  sent = static_cast<std::size_t>(result);
  return sent == wanted ? Sent::All : Sent::Blocked;
}

void Connections::on_time(Instant now) {
  now_ = now;
  const auto late = std::find_if(closing_.begin(), closing_.end(),
                                 [now](const Deadline& each) { return each.at > now; });
  const std::vector<Deadline> given_up(closing_.begin(), late);
  closing_.erase(closing_.begin(), late);
  for (const Deadline& each : given_up) close(each.link);
  const auto in_time = std::find_if(handshaking_.begin(), handshaking_.end(),
                                    [now](const Deadline& each) { return each.at > now; });
  const std::vector<Deadline> slow(handshaking_.begin(), in_time);
  handshaking_.erase(handshaking_.begin(), in_time);
  for (const Deadline& each : slow) {
    const Connection* connection = find(each.link);
    if (connection != nullptr && connection->filters && !connection->filters->open())
      refuse(each.link, "the handshake took too long");
  }
  lingering_.erase(lingering_.begin(),
                   std::find_if(lingering_.begin(), lingering_.end(),
                                [now](const Lingering& each) { return each.until > now; }));
}

Instant Connections::next_deadline() const {
  Instant first = kNever;
  if (!closing_.empty()) first = closing_.front().at;
  if (!lingering_.empty()) first = std::min(first, lingering_.front().until);
  if (!handshaking_.empty()) first = std::min(first, handshaking_.front().at);
  return first;
}

void Connections::drop_all() {
  for (Connection& connection : connections_) {
    if (!connection.used) continue;
    Parts parts = take(connection);
    leave(parts);
  }
  connections_.clear();
  closing_.clear();
  handshaking_.clear();
  lingering_.clear();
  again_.clear();
}

}  // namespace twinmq::net
