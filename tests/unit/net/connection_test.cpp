#include <catch2/catch.hpp>

#include <sys/socket.h>

#include <deque>
#include <map>
#include <string>

#include "net/connection.hpp"
#include "unit/net/toy_filters.hpp"

namespace {

using namespace twinmq;
using namespace twinmq::net;

// Links made of strings.
class ScriptedLinks final : public Links {
 public:
  struct Link {
    std::string received;
    std::string output;
    std::deque<std::string> more;
    bool closing = false;
    bool reading = true;
    bool drained = true;
    bool closed = false;
    bool shut = false;
    std::shared_ptr<const ConnectionFacts> facts;
    std::string refused;
  };

  void on_bytes(LinkKey link, ByteView bytes) override { at(link).received.append(text_of(bytes)); }
  void on_room(LinkKey link) override {
    at(link).output += at(link).more.front();
    at(link).more.pop_front();
  }
  void on_closed(LinkKey link) override { at(link).closed = true; }
  void on_shut(LinkKey link) override { at(link).shut = true; }
  void on_facts(LinkKey link, std::shared_ptr<const ConnectionFacts> facts) override {
    at(link).facts = std::move(facts);
  }
  void on_refused(LinkKey link, std::string_view why) override { at(link).refused = why; }
  std::size_t gather(LinkKey link, std::span<iovec> out) override {
    std::string& text = at(link).output;
    if (text.empty()) return 0;
    out[0] = {text.data(), text.size()};
    return 1;
  }
  void sent(LinkKey link, std::size_t bytes) override { at(link).output.erase(0, bytes); }
  bool closing(LinkKey link) const override { return links.at(link.value()).closing; }
  bool reading(LinkKey link) const override { return links.at(link.value()).reading; }
  bool has_more(LinkKey link) const override { return !links.at(link.value()).more.empty(); }

  bool drained(LinkKey link) const override { return links.at(link.value()).drained; }

  Link& at(LinkKey link) { return links[link.value()]; }
  std::map<std::uint64_t, Link> links;
};

struct Shell {
  explicit Shell(std::unique_ptr<FilterChain> filters = nullptr) {
    auto made = EventLoop::create(EventLoop::Driver::OwnThread);
    REQUIRE(made.has_value());
    loop = std::move(*made);
    connections = std::make_unique<Connections>(*loop, links, counters, limits);
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    far = Descriptor(pair[1]);
    Connections::Parts parts;
    parts.socket = Descriptor(pair[0]);
    parts.filters = std::move(filters);
    links.at(key);
    connections->add(key, std::move(parts));
  }
  void work() {
    for (const epoll_event& event : loop->wait(0))
      connections->on_event(event.data.u64, event.events);
  }
  std::string read_far() {
    std::string all(1 << 20, '\0');
    const ssize_t taken = ::recv(far.get(), all.data(), all.size(), 0);
    all.resize(taken > 0 ? static_cast<std::size_t>(taken) : 0);
    return all;
  }
  bool far_sees_end() {
    char byte = 0;
    return ::recv(far.get(), &byte, 1, 0) == 0;
  }
  ScriptedLinks::Link& link() { return links.at(key); }

  const LinkKey key{3, 1};
  base::Counters counters;
  ConnectionLimits limits{100, 100};
  ScriptedLinks links;
  std::unique_ptr<EventLoop> loop;
  std::unique_ptr<Connections> connections;
  Descriptor far;
};

TEST_CASE("bytes reach the link and its output reaches the peer") {
  Shell shell;
  REQUIRE(::send(shell.far.get(), "hello", 5, 0) == 5);
  shell.work();
  CHECK(shell.link().received == "hello");
  shell.link().output = "answer";
  shell.connections->flush(shell.key);
  CHECK(shell.read_far() == "answer");
  CHECK(shell.counters[Metric::BytesSent] == 6);
}

TEST_CASE("what the socket does not take waits and follows when there is room") {
  Shell shell;
  const std::string large(3'000'000, 'x');
  shell.link().output = large;
  shell.connections->flush(shell.key);
  std::size_t seen = 0;
  CHECK_FALSE(shell.link().output.empty());
  while (seen < large.size()) {
    const std::size_t got = shell.read_far().size();
    REQUIRE(got > 0);
    seen += got;
    shell.work();
  }
  CHECK(shell.link().output.empty());
  CHECK(shell.loop->wait(0).empty());
}

TEST_CASE("a link with more to come is asked for it as soon as there is room") {
  Shell shell;
  shell.link().output = "a";
  shell.link().more = {"b", "c"};
  shell.connections->flush(shell.key);
  std::string got;
  while (got.size() < 3) got += shell.read_far();
  CHECK(got == "abc");
}

TEST_CASE("a link that does not read leaves its bytes in the socket until it does") {
  Shell shell;
  shell.link().reading = false;
  shell.connections->flush(shell.key);
  REQUIRE(::send(shell.far.get(), "later", 5, 0) == 5);
  shell.work();
  CHECK(shell.link().received.empty());
  CHECK(shell.loop->wait(0).empty());
  shell.link().reading = true;
  shell.connections->flush(shell.key);
  shell.work();
  CHECK(shell.link().received == "later");
}

TEST_CASE("the peer's end closes the link") {
  Shell shell;
  shell.far.close();
  shell.work();
  CHECK(shell.link().closed);
  CHECK_FALSE(shell.link().shut);
  CHECK(shell.connections->open() == 0);
}

TEST_CASE(
    "a peer that hangs up is noticed while nobody reads, once nothing it sent is left to do") {
  for (const bool drained : {true, false}) {
    Shell shell;
    shell.link().reading = false;
    shell.link().drained = drained;
    shell.connections->flush(shell.key);
    shell.far.close();
    shell.work();
    CHECK(shell.link().closed);
  }
  Shell shell;
  shell.link().reading = false;
  shell.link().drained = false;
  shell.connections->flush(shell.key);
  REQUIRE(::send(shell.far.get(), "last", 4, 0) == 4);
  ::shutdown(shell.far.get(), SHUT_WR);
  shell.work();
  CHECK_FALSE(shell.link().closed);
  CHECK(shell.loop->wait(0).empty());
  shell.link().reading = true;
  shell.connections->flush(shell.key);
  shell.work();
  shell.work();
  CHECK(shell.link().received == "last");
  CHECK(shell.link().closed);
}

TEST_CASE(
    "a closing link sends what waits, then ends the stream, and the peer's late bytes do no harm") {
  Shell shell;
  REQUIRE(::send(shell.far.get(), "unread", 6, 0) == 6);
  shell.link().output = "goodbye";
  shell.link().closing = true;
  shell.link().reading = false;
  shell.connections->flush(shell.key);
  CHECK(shell.link().shut);
  CHECK(shell.read_far() == "goodbye");
  CHECK(shell.far_sees_end());
  REQUIRE(::send(shell.far.get(), "more", 4, MSG_NOSIGNAL) == 4);
  shell.work();
  CHECK(shell.connections->next_deadline() != kNever);
  shell.far.close();
  shell.work();
  CHECK(shell.connections->next_deadline() == kNever);
}

TEST_CASE("a closing link whose peer does not read is given up at its deadline") {
  Shell shell;
  shell.link().output = std::string(3'000'000, 'x');
  shell.link().closing = true;
  shell.link().reading = false;
  shell.connections->flush(shell.key);
  CHECK_FALSE(shell.link().shut);
  const Instant deadline = shell.connections->next_deadline();
  REQUIRE(deadline != kNever);
  shell.connections->on_time(deadline);
  CHECK(shell.link().shut);
  CHECK(shell.connections->open() == 0);
}

TEST_CASE("events for a key that is gone do nothing, also when its place serves again") {
  Shell shell;
  const Tag stale = Connections::tag_of({3, 99});
  shell.connections->on_event(stale, EPOLLIN | EPOLLOUT);
  const Connections::Parts released = shell.connections->release(shell.key);
  CHECK(released.socket);
  shell.connections->on_event(Connections::tag_of(shell.key), EPOLLIN);
  CHECK_FALSE(shell.link().closed);
}

class SlowPeer final : public Peer {
 public:
  explicit SlowPeer(std::string& taken, std::size_t& room) : taken_(taken), room_(room) {}
  std::size_t write(ByteView bytes) override {
    const std::size_t count = std::min(room_, bytes.size());
    taken_.append(text_of(bytes.first(count)));
    room_ -= count;
    return count;
  }
  void on_reading() override {}
  void on_close() override { taken_ += "|closed"; }

 private:
  std::string& taken_;
  std::size_t& room_;
};

TEST_CASE("a peer inside the process takes what it can and the rest when it says so") {
  Shell shell;
  std::string taken;
  std::size_t room = 4;
  const LinkKey key{9, 1};
  Connections::Parts parts;
  parts.peer = std::make_unique<SlowPeer>(taken, room);
  shell.links.at(key).output = "abcdefgh";
  shell.connections->add(key, std::move(parts));
  shell.connections->flush(key);
  CHECK(taken == "abcd");
  room = 100;
  shell.connections->flush(key);
  CHECK(taken == "abcd");
  shell.connections->writable(key);
  CHECK(taken == "abcdefgh");
  shell.links.at(key).closing = true;
  shell.connections->flush(key);
  CHECK(taken == "abcdefgh|closed");
}

TEST_CASE("a wake from another thread and a timer end the caller's wait") {
  auto loop = EventLoop::create(EventLoop::Driver::Caller);
  REQUIRE(loop.has_value());
  (*loop)->waker()->wake();
  (*loop)->waker()->wake();
  CHECK((*loop)->wait(1000).empty());
  (*loop)->set_deadline(Instant(Milliseconds(1)));
  epoll_event event{};
  const Descriptor outer(::epoll_create1(EPOLL_CLOEXEC));
  event.events = EPOLLIN;
  REQUIRE(::epoll_ctl(outer.get(), EPOLL_CTL_ADD, (*loop)->fd(), &event) == 0);
  CHECK(::epoll_wait(outer.get(), &event, 1, 5000) == 1);
  CHECK((*loop)->wait(0).empty());
  CHECK(::epoll_wait(outer.get(), &event, 1, 0) == 0);
}

TEST_CASE(
    "a connection with filters tells its link the facts before the first byte, and speaks through "
    "them") {
  Shell shell(toy::chain(std::make_unique<toy::Cipher>()));
  CHECK(shell.limits.handshakes.now() == 1);
  CHECK(shell.counters[Metric::HandshakesOpen] == 1);
  shell.link().output = "too early";
  shell.connections->flush(shell.key);
  CHECK(shell.read_far().empty());
  const std::string hello = "hello\n" + toy::shifted("first");
  REQUIRE(::send(shell.far.get(), hello.data(), hello.size(), 0) > 0);
  shell.work();
  REQUIRE(shell.link().facts);
  CHECK(shell.link().facts->principal == "toy");
  CHECK(shell.link().received == "first");
  CHECK(shell.limits.handshakes.now() == 0);
  CHECK(shell.counters[Metric::Handshakes] == 1);
  CHECK(shell.read_far() == "welcome\n");
  shell.connections->flush(shell.key);
  CHECK(shell.read_far() == toy::shifted("too early"));
}

TEST_CASE("a filter that refuses the peer has it told, then closed") {
  Shell shell(toy::chain(std::make_unique<toy::Cipher>()));
  REQUIRE(::send(shell.far.get(), "rubbish", 7, 0) == 7);
  shell.work();
  CHECK(shell.link().refused == "no greeting");
  CHECK(shell.read_far() == "go away\n");
  CHECK(shell.far_sees_end());
  CHECK(shell.limits.handshakes.now() == 0);
}

TEST_CASE("a handshake that takes too long ends the connection") {
  Shell shell(toy::chain(std::make_unique<toy::Cipher>()));
  CHECK(shell.connections->next_deadline() == Instant(Milliseconds(10'000)));
  shell.connections->on_time(Instant(Milliseconds(9'999)));
  CHECK(shell.link().refused.empty());
  shell.connections->on_time(Instant(Milliseconds(10'000)));
  CHECK(shell.link().refused == "the handshake took too long");
  CHECK(shell.limits.handshakes.now() == 0);
}

TEST_CASE("filtered bytes that the socket does not take wait and follow in their order") {
  Shell shell(toy::chain(std::make_unique<toy::Cipher>()));
  REQUIRE(::send(shell.far.get(), "hello\n", 6, 0) == 6);
  shell.work();
  CHECK(shell.read_far() == "welcome\n");
  std::string large(3'000'000, 'x');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>('a' + i % 26);
  shell.link().output = large;
  shell.connections->flush(shell.key);
  std::string got;
  while (got.size() < large.size()) {
    const std::string some = shell.read_far();
    REQUIRE_FALSE(some.empty());
    got += some;
    shell.work();
    shell.connections->flush_again();
  }
  CHECK(got == toy::shifted(large));
  CHECK(shell.loop->wait(0).empty());
}

TEST_CASE("a link that closes says goodbye through its filters") {
  Shell shell(toy::chain(std::make_unique<toy::Cipher>()));
  REQUIRE(::send(shell.far.get(), "hello\n", 6, 0) == 6);
  shell.work();
  shell.link().output = "last";
  shell.link().closing = true;
  shell.connections->flush(shell.key);
  CHECK(shell.read_far() == "welcome\n" + toy::shifted("last") + "bye\n");
  CHECK(shell.far_sees_end());
  CHECK(shell.link().shut);
}

TEST_CASE("a stream that its filter ends closes the link behind its last bytes") {
  Shell shell(toy::chain(std::make_unique<toy::Cipher>()));
  const std::string all = "hello\n" + toy::shifted("last") + '\0';
  REQUIRE(::send(shell.far.get(), all.data(), all.size(), 0) > 0);
  shell.work();
  CHECK(shell.link().received == "last");
  CHECK(shell.link().closed);
}

TEST_CASE("filters move with their connection") {
  Shell shell(toy::chain(std::make_unique<toy::Cipher>()));
  REQUIRE(::send(shell.far.get(), "hello\n", 6, 0) == 6);
  shell.work();
  CHECK(shell.read_far() == "welcome\n");
  Connections::Parts parts = shell.connections->release(shell.key);
  REQUIRE(parts.filters);
  const LinkKey other{7, 1};
  shell.links.at(other);
  shell.connections->add(other, std::move(parts));
  CHECK(shell.limits.handshakes.now() == 0);
  REQUIRE(::send(shell.far.get(), toy::shifted("moved").data(), 5, 0) == 5);
  shell.work();
  CHECK(shell.links.at(other).received == "moved");
}

TEST_CASE("a connection whose filters have all done their work is a plain one") {
  Shell shell(toy::chain(std::make_unique<toy::Header>()));
  REQUIRE(::send(shell.far.get(), "10.0.0.1;plain", 14, 0) == 14);
  shell.work();
  CHECK(shell.link().facts->peer == "10.0.0.1");
  CHECK(shell.link().received == "plain");
  CHECK_FALSE(shell.connections->release(shell.key).filters);
}

TEST_CASE("only some handshakes are worked on in one turn, the others in the next") {
  Shell shell;
  std::vector<Descriptor> far;
  for (std::uint32_t i = 10; i < 20; ++i) {
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    far.emplace_back(pair[1]);
    Connections::Parts parts;
    parts.socket = Descriptor(pair[0]);
    parts.filters = toy::chain(std::make_unique<toy::Cipher>());
    shell.links.at(LinkKey{i, 1});
    shell.connections->add(LinkKey{i, 1}, std::move(parts));
    REQUIRE(::send(pair[1], "hello\n", 6, 0) == 6);
  }
  REQUIRE(::send(shell.far.get(), "established", 11, 0) == 11);
  shell.connections->set_now({});
  shell.work();
  CHECK(shell.link().received == "established");
  CHECK(shell.counters[Metric::Handshakes] == 4);
  for (int turn = 0; turn < 2; ++turn) {
    shell.connections->set_now({});
    shell.work();
  }
  CHECK(shell.counters[Metric::Handshakes] == 10);
}

}  // namespace
