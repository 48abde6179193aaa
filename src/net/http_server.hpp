#pragma once
// The HTTP side of one shard: connections that speak HTTP/1.1, requests handed out one by one,
// answers that may come later. It has an epoll set of its own, nested in the shard's, so that
// clients of MQTT pay nothing for it.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <twinmq/access.hpp>
#include <twinmq/result.hpp>
#include <twinmq/time.hpp>

#include "base/counters.hpp"
#include "base/slot_map.hpp"
#include "net/connection.hpp"
#include "net/http_request.hpp"
#include "net/listener.hpp"

namespace twinmq::net {

/// Names a request that waits for its answer. Answers to requests whose connection is gone find
/// nobody.
using HttpExchange = LinkKey;

/// Where a request came from.
struct HttpPeer {
  std::string address;
  std::string listener;
  bool anonymous_allowed = false;
  std::shared_ptr<const ConnectionFacts> facts;  ///< null: a plain connection
};

/// Used by one thread at a time.
class HttpServer final : public Links {
 public:
  struct Options {
    HttpLimits request;
    Milliseconds request_time{10'000};  ///< from the first byte of a request to its last
    Milliseconds idle_time{60'000};     ///< between requests of one connection
    Milliseconds handshake_time{10'000};
  };
  /// Takes a whole request; must lead to answer(), at once or later. The next request of the
  /// connection is read after that.
  using Handler = std::function<void(HttpExchange, HttpRequest, const HttpPeer&)>;

  /// Counters and limits outlive it.
  static Result<std::unique_ptr<HttpServer>> create(const Options& options,
                                                    base::Counters& counters,
                                                    ConnectionLimits& limits, Handler handler);
  ~HttpServer() override;

  /// Readable while there is something to do.
  int fd() const { return loop_->fd(); }
  /// A connection that the listener accepted and counted.
  void accept(Descriptor socket, Listener& listener, Caller caller);
  /// Works on what is ready, and on what is too late. Without waiting.
  void turn(Instant now);
  Instant next_deadline() const;

  /// The answer of a request. Its keep_alive is lowered to what the client asked for.
  void answer(HttpExchange exchange, HttpResponse response);
  /// Sends what answer() left since the last call.
  void flush();

  std::size_t open() const { return connections_.open(); }
  /// Closes everything without a word.
  void drop_all();

  // --- Links
  void on_bytes(LinkKey link, ByteView bytes) override;
  void on_room(LinkKey) override {}
  void on_closed(LinkKey link) override { clients_.erase(link); }
  void on_shut(LinkKey link) override { clients_.erase(link); }
  void on_facts(LinkKey link, std::shared_ptr<const ConnectionFacts> facts) override;
  void on_refused(LinkKey link, std::string_view) override { clients_.erase(link); }
  std::size_t gather(LinkKey link, std::span<iovec> out) override;
  void sent(LinkKey link, std::size_t bytes) override;
  bool closing(LinkKey link) const override;
  bool reading(LinkKey link) const override;
  bool has_more(LinkKey) const override { return false; }
  bool drained(LinkKey link) const override;

 private:
  struct Client {
    explicit Client(const HttpLimits& limits) : reader(limits) {}

    HttpPeer peer;
    HttpRequestReader reader;
    std::string unread;  ///< of later requests
    std::string output;
    std::size_t output_at = 0;  ///< sent so far
    Instant since{};            ///< the present waiting began
    bool pending = false;       ///< a request waits for its answer
    bool keep_alive = true;     ///< the pending request's
    bool head = false;          ///< the pending request asks for no body
    bool continued = false;     ///< "100 Continue" was said
    bool closing = false;
  };

  HttpServer(const Options& options, std::unique_ptr<EventLoop> loop, base::Counters& counters,
             ConnectionLimits& limits, Handler handler);
  /// Reads `client.unread` up to the end of a request and hands that out.
  void work(LinkKey link);
  void write(LinkKey link, Client& client, const HttpResponse& response);
  void close_late(Instant now);

  static constexpr Milliseconds kLookInterval{1000};

  const Options options_;
  std::unique_ptr<EventLoop> loop_;
  Handler handler_;
  base::SlotMap<Client> clients_;
  std::vector<LinkKey> touched_;
  Instant now_{};
  Instant look_at_ = kNever;
  Connections connections_;
};

}  // namespace twinmq::net
