#pragma once
// The broker that the cases speak to, wherever it runs: 1, 2 or 4 shard cores in memory under a
// virtual clock, the daemon over TCP, or any other broker over TCP. The environment decides:
//   TWINMQ_CONFORMANCE_HOST    core (default), tcp, tls, ws, wss, unix, mosquitto, or the
//                              host:port of a running broker
//   TWINMQ_CONFORMANCE_SHARDS  1 (default) … 64
//   TWINMQ_CONFORMANCE_DAEMON  the daemon's program, for tcp, tls, ws, wss and unix

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <twinmq/access.hpp>
#include <twinmq/statistics.hpp>
#include <twinmq/time.hpp>

namespace twinmq::testing {

/// What a case wants different from the defaults.
struct Setup {
  std::vector<std::pair<std::string, std::string>> settings =
      {};                                             ///< configuration keys and values
  std::shared_ptr<Authenticator> authenticator = {};  ///< in memory only
  std::shared_ptr<Authorizer> authorizer = {};        ///< in memory only
};

/// One connection, seen from the client.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual void write(std::string_view bytes) = 0;
  /// Appends what came; waits for it (in memory: until the broker has nothing left to do). False:
  /// nothing came, because the broker closed or has nothing to say.
  virtual bool read(std::string& bytes) = 0;
  /// The broker closed the connection and everything it sent before was read.
  virtual bool ended() const = 0;
  /// Ends the connection without a word and waits until the broker noticed.
  virtual void cut() = 0;
};

/// Where the broker runs.
class Host {
 public:
  virtual ~Host() = default;
  virtual std::unique_ptr<Stream> open() = 0;
  /// What WebSocket runs on, without its handshake and its frames; none in memory.
  virtual std::unique_ptr<Stream> open_below_websocket() { return nullptr; }
  /// Lets time pass: at once in memory, really over TCP.
  virtual void advance(Milliseconds time) = 0;
  /// Connections the broker holds now; over TCP unknown: 0.
  virtual std::size_t links() const { return 0; }
  /// A counter, summed over the shards; in memory only.
  virtual std::uint64_t metric(Metric) const { return 0; }
};

class Broker {
 public:
  explicit Broker(Setup setup = {});

  std::unique_ptr<Stream> open() { return host_->open(); }
  std::unique_ptr<Stream> open_below_websocket() { return host_->open_below_websocket(); }
  void advance(Milliseconds time) { host_->advance(time); }
  std::size_t links() const { return host_->links(); }
  std::uint64_t metric(Metric metric) const { return host_->metric(metric); }
  /// A client identifier that no other client of this broker has.
  std::string fresh_client_id();

 private:
  std::unique_ptr<Host> host_;
  unsigned clients_ = 0;
};

/// Whether cases run on the shard cores in memory.
bool in_memory();

std::unique_ptr<Host> make_memory_host(const Setup& setup, unsigned shards);
/// The daemon `program`, started for this host alone and reached by this way: tcp, ws or unix.
std::unique_ptr<Host> make_daemon_host(const Setup& setup, unsigned shards,
                                       const std::string& program, const std::string& way);
std::unique_ptr<Host> make_mosquitto_host();
std::unique_ptr<Host> make_foreign_host(const std::string& address);

}  // namespace twinmq::testing
