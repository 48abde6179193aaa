#pragma once
// The broker as a library. Several may live in one process; there are no globals. Nothing here
// throws.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <twinmq/access.hpp>
#include <twinmq/config.hpp>
#include <twinmq/delivery.hpp>
#include <twinmq/message.hpp>
#include <twinmq/reason_code.hpp>
#include <twinmq/result.hpp>
#include <twinmq/statistics.hpp>
#include <twinmq/store.hpp>

namespace twinmq {

class RetainedMessages;
class Rules;
class Service;
class Shadows;
class SessionJournal;
class SystemTopics;

/// One line of the log. Views are valid during the call. Text that clients sent is already escaped.
struct LogLine {
  LogLevel level;
  std::string_view event;   ///< short and fixed: "client connected"
  std::string_view detail;  ///< key=value pairs, ready to print
};

/// A socket that listens already, opened by whoever started this process. It stays the host's and
/// must stay open while the broker lives.
struct ListeningSocket {
  int fd = -1;
  std::string name;  ///< that of a listener; empty: its address tells which listener it is for
};

/// The parts of the house a host replaces; what stays empty is the house's own, as the Config says.
/// A module that the Config switches off stays off. The factories of retained and sessions are
/// called once per shard when the broker starts, and again on the storage thread when it recovers
/// from a store that failed, and so are those of services; that of sys once per start.
struct Parts {
  std::shared_ptr<Store> store;
  std::shared_ptr<Authenticator> authenticator;
  std::shared_ptr<Authorizer> authorizer;
  std::shared_ptr<DeliveryFilter> delivery_filter;
  std::shared_ptr<PublishFilter> publish_filter;  ///< before those of plugins
  std::function<std::unique_ptr<RetainedMessages>()> retained;
  std::function<std::unique_ptr<SessionJournal>()> sessions;
  std::function<std::unique_ptr<SystemTopics>()> sys;
  /// Services of the host, beside the house's own.
  std::vector<std::function<std::unique_ptr<Service>()>> services;
  /// Listeners serve these instead of binding sockets of their own.
  std::vector<ListeningSocket> sockets;
  /// Gets every line of at least log.level, on any thread, several at once; must not call the
  /// broker. Empty: the house's own log, as LogConfig says.
  std::function<void(const LogLine&)> log;
};

/// A message the host publishes.
struct HostPublish {
  std::string topic;
  std::string payload;
  QoS qos = QoS::AtMostOnce;
  bool retain = false;
  MessageProperties properties;
  std::optional<std::uint32_t> expiry_seconds;
  /// Seen by receivers as the publisher. Empty: the host itself. With an identity the authorizer is
  /// asked.
  std::optional<Identity> as;
};

/// What became of a published message.
struct PublishOutcome {
  ReasonCode code = ReasonCode::Success;  ///< Success, NoMatchingSubscribers, or why it was refused
  std::uint64_t matched = 0;              ///< sessions and in-process subscribers that took it
  Durability durability =
      Durability::None;  ///< what this completion promises for those that are persistent
};

/// A message on its way to a host callback.
struct HostDelivery {
  std::string_view topic;
  std::string_view payload;
  const MessageProperties& properties;
  QoS qos;
  bool retain;
  std::string_view publisher;  ///< client identifier, empty: the host itself or the broker
  std::vector<std::uint32_t> subscription_ids;
};

/// Releases one QoS 1 or 2 delivery: the window (receive_maximum) opens again. May be called from
/// any thread, once; dropping it unused counts as the release.
class AckToken {
 public:
  AckToken() = default;
  explicit AckToken(std::function<void()> release)
      : release_(std::make_shared<Once>(std::move(release))) {}
  void acknowledge() { release_.reset(); }

 private:
  struct Once {
    explicit Once(std::function<void()> f) : release(std::move(f)) {}
    ~Once() {
      if (release) release();
    }
    std::function<void()> release;
  };
  std::shared_ptr<Once> release_;
};

struct HostSubscribe {
  std::string filter;  ///< $share/name/filter makes the host a member of a share group
  std::string
      client_id;  ///< empty: one is chosen. The in-process client is a real session of this name.
  QoS qos = QoS::AtLeastOnce;
  bool no_local = false;
  bool retain_as_published = false;
  bool replay_retained = true;
  std::uint16_t receive_maximum = 100;       ///< unacknowledged deliveries before the broker waits
  std::uint32_t session_expiry_seconds = 0;  ///< > 0: messages wait while the host is away
};

/// An in-process subscription. Its end disconnects the client, and with it the subscription, unless
/// session_expiry_seconds lets the session wait for the next subscribe() with the same client_id.
/// Callbacks stop before the destructor returns, unless it runs inside one. After Broker::stop(), a
/// takeover or a kick it stays silent; what the store had to be read back for, it survives.
class HostSubscription {
 public:
  virtual ~HostSubscription() = default;
  virtual std::string_view client_id() const = 0;
};

/// One side of a byte stream that a host brings in place of a socket: serial line, BLE, test. The
/// broker calls these on the shard's thread.
class HostStream {
 public:
  virtual ~HostStream() = default;
  /// Takes what it can now and answers how much; less than everything: call
  /// StreamHandle::writable() later.
  virtual std::size_t write(std::string_view bytes) = 0;
  /// The broker is done with the stream.
  virtual void close() = 0;
};

/// The host's end of such a stream; every call may come from any thread.
class StreamHandle {
 public:
  virtual ~StreamHandle() = default;
  virtual void received(std::string bytes) = 0;
  virtual void writable() = 0;
  virtual void closed() = 0;
};

struct ListenerInfo {
  std::string name;
  std::string url;  ///< with the port actually bound
};

/// The broker. Every member may be called from any thread unless it says otherwise.
class Broker {
 public:
  /// Checks the Config and builds the broker, stopped. Errors name the key and what is allowed.
  static Result<std::unique_ptr<Broker>> create(Config config, Parts parts = {});

  /// Stops (with stop()'s default deadline) if it runs. May run inside a host callback.
  virtual ~Broker() = default;

  /// Binds the listeners, recovers what the store holds, and serves on threads of its own.
  virtual Result<void> start() = 0;

  /// The same on the caller's event loop, with one shard: watch fd() for reading and call turn()
  /// when it is readable. The storage thread, if sessions or retained messages are on, and the
  /// thread for host callbacks remain the library's. <twinmq/asio.hpp> does the watching for an
  /// asio::io_context.
  virtual Result<void> start_on_caller() = 0;
  virtual int fd() const = 0;
  /// One turn of the loop; never blocks. Only from one thread at a time.
  virtual void turn() = 0;

  /// Stops accepting, tells MQTT 5 clients 0x8B, flushes what is possible until the deadline,
  /// closes. Idempotent. With start_on_caller() it must be called on the thread that calls turn().
  virtual void stop(Milliseconds deadline = Milliseconds(2000)) = 0;

  /// Validates and applies what may change at run time (access files, limits, log level, listeners
  /// stay); on any error nothing changes.
  virtual Result<void> reload(const Config& config) = 0;

  virtual std::vector<ListenerInfo> listeners() const = 0;

  /// Publishes in-process. `done` is called once, when the message is as safe as its QoS and the
  /// configured durability promise: on a callback thread, one completion at a time, or before
  /// return if the broker does not run.
  virtual void publish(HostPublish message,
                       std::function<void(const PublishOutcome&)> done = {}) = 0;

  /// Subscribes in-process as a real subscriber. The callback runs on a callback thread, one
  /// message at a time per subscription. Blocks until the subscription is in force: after return no
  /// matching message is missed. Not inside a turn, that is, not from an Authenticator, Authorizer
  /// or DeliveryFilter.
  virtual Result<std::unique_ptr<HostSubscription>> subscribe(
      HostSubscribe options, std::function<void(const HostDelivery&, AckToken)> callback) = 0;

  /// Serves an MQTT connection over the host's stream. `listener` names it for logs and access
  /// rules; `anonymous` is whether clients without a user name are let in.
  virtual Result<std::shared_ptr<StreamHandle>> accept(std::unique_ptr<HostStream> stream,
                                                       std::string listener, bool anonymous) = 0;

  /// Closes the client's connection with `code`; false: no such client is connected.
  virtual bool kick(std::string_view client_id,
                    ReasonCode code = ReasonCode::AdministrativeAction) = 0;

  /// Device shadows. Lives as long as the broker; its watchers end with it.
  virtual Shadows& shadows() = 0;

  /// Rules. Lives as long as the broker.
  virtual Rules& rules() = 0;

  /// Snapshots. Each asks every shard and waits for the answers (at most a turn each).
  virtual std::vector<SessionInfo> sessions() const = 0;
  virtual std::vector<SubscriptionInfo> subscriptions(std::string_view client_id) const = 0;

  /// Counters and gauges, summed over the shards; does not wait.
  virtual Statistics statistics() const = 0;
  /// Another name for statistics().
  Statistics stats() const { return statistics(); }

  /// Writes what is stored into a directory of its own, which must not exist, while everything goes
  /// on. What was acknowledged before the call is in it. Blocks; not inside a turn.
  virtual Result<void> back_up(const std::string& directory) = 0;

  /// Of each plugin, in the order of the Config.
  virtual std::vector<PluginStatistics> plugins() const = 0;

  /// What the store tells about itself.
  virtual std::vector<StoreFigure> store_figures() const = 0;

  /// What the store promises, after defaults and what the store can do.
  virtual Durability durability() const = 0;

 protected:
  Broker() = default;
};

}  // namespace twinmq
