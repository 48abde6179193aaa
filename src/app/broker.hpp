#pragma once
// The Broker of the public header: the one place that knows every part of the house.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <twinmq/broker.hpp>
#include <twinmq/log.hpp>

#include "app/callback_threads.hpp"
#include "app/file_watch.hpp"
#include "app/host_shadows.hpp"
#include "app/inbox.hpp"
#include "app/presence_table.hpp"
#include "app/rule_book.hpp"
#include "app/shard_set.hpp"
#include "app/tls_listeners.hpp"
#include "app/watchdog.hpp"
#include "app/watched_doors.hpp"
#include "app/way_to_shards.hpp"
#include "core/shard_core.hpp"
#include "modules/access/current_access.hpp"
#include "modules/access/hash_worker.hpp"
#include "modules/rules/rules_service.hpp"
#include "plugins/plugin_set.hpp"
#include "sinks/durable_queues.hpp"

namespace twinmq::app {

struct HttpDoors;

/// What the log lines pass through: the level in force, then the host's function or the house's own
/// sink.
class LogDoor {
 public:
  LogDoor(LogLevel level, std::function<void(const LogLine&)> sink)
      : level_(level), sink_(std::move(sink)) {}
  void operator()(const LogLine& line) const {
    if (line.level >= level_.load(std::memory_order_relaxed)) sink_(line);
  }
  void set_level(LogLevel level) { level_.store(level, std::memory_order_relaxed); }

 private:
  std::atomic<LogLevel> level_;
  const std::function<void(const LogLine&)> sink_;
};

/// What the configured files say.
struct AccessRules {
  std::shared_ptr<Authenticator> authenticator;  ///< null: access is off, everybody may enter
  std::shared_ptr<Authorizer> authorizer;        ///< null: access is off, everything is allowed
};

class HouseBroker final : public Broker {
 public:
  static Result<std::unique_ptr<Broker>> create(Config config, Parts parts);
  ~HouseBroker() override;

  Result<void> start() override { return start(false); }
  Result<void> start_on_caller() override { return start(true); }
  int fd() const override;
  void turn() override;
  void stop(Milliseconds deadline) override;
  Result<void> reload(const Config& config) override;

  std::vector<ListenerInfo> listeners() const override;
  void publish(HostPublish message, std::function<void(const PublishOutcome&)> done) override;
  Result<std::unique_ptr<HostSubscription>> subscribe(
      HostSubscribe options, std::function<void(const HostDelivery&, AckToken)> callback) override;
  Result<std::shared_ptr<StreamHandle>> accept(std::unique_ptr<HostStream> stream,
                                               std::string listener, bool anonymous) override;
  bool kick(std::string_view client_id, ReasonCode code) override;
  Shadows& shadows() override { return *shadows_; }
  Rules& rules() override { return *rules_; }
  std::vector<SessionInfo> sessions() const override;
  std::vector<SubscriptionInfo> subscriptions(std::string_view client_id) const override;
  Statistics statistics() const override;
  Result<void> back_up(const std::string& directory) override;
  std::vector<PluginStatistics> plugins() const override { return plugins_->statistics(); }
  std::vector<StoreFigure> store_figures() const override;
  Durability durability() const override { return durability_; }

 private:
  /// The host's doors as one shard calls them.
  struct ShardDoors {
    std::unique_ptr<WatchedAuthenticator> authenticator;
    std::unique_ptr<WatchedAuthorizer> authorizer;
    std::unique_ptr<WatchedDeliveryFilter> delivery_filter;
    std::vector<std::unique_ptr<WatchedPublishFilter>> publish_filters;
    std::unique_ptr<PublishFilters> publish_filter;
    std::shared_ptr<WatchedFunctions> functions;
  };

  HouseBroker(Config config, Parts parts, std::shared_ptr<Log> sink);
  /// All that is wrong with the configuration, in one error.
  static Result<void> check(const Config& config, Durability store_max);
  static Error not_running();
  Result<AccessRules> load_access(const Config& config);
  Result<void> open_plugins();
  Result<void> open_house_store();
  /// Gives up the data directory, so that another broker can use it.
  void close_house_store();
  std::shared_ptr<Store> store() const;
  void complete(Statistics& sum) const;

  // broker_running.cpp
  Result<void> start(bool on_caller);
  Result<void> begin(bool on_caller);
  void end(Milliseconds deadline);
  void start_callbacks();
  void log_plugins() const;
  std::shared_ptr<ShardSet> running() const;

  // broker_doors.cpp
  ShardSet::Plan plan(bool on_caller);
  /// TLS must have been installed for the same listeners; without it the sockets can be opened.
  std::vector<ShardSet::ListenerPlan> listener_plans(const Config& config, bool with_tls);
  core::ShardParts shard_parts(core::ShardId shard);
  PublishFilter* publish_filter_of(ShardDoors& doors);
  Authorizer* authorizer_of(core::ShardId shard) const;
  rules::Outside outside_of(ShardDoors& doors);
  std::shared_ptr<const HttpDoors> http_doors();

  // broker_clients.cpp
  void publish_on(ShardThread& thread, const HostPublish& message,
                  const std::function<void(const PublishOutcome&)>& done);
  void complete(const std::function<void(const PublishOutcome&)>& done,
                PublishOutcome outcome) const;

  // broker_rules.cpp
  RuleBookDoors rule_doors();
  bool commit_and_wait(const Batch& changes) const;
  bool on_every_shard(const RuleBookDoors::Errand& errand) const;
  bool is_administrator(std::string_view principal) const;
  bool manage(std::function<void(Broker&)> work);
  std::shared_ptr<sinks::DurableQueues> make_sink_queues();
  void complete_sinks(Statistics& sum) const;
  std::shared_ptr<const sql::KnownFiles> rule_files() const;
  void install_rule_files(std::shared_ptr<const sql::KnownFiles> files);
  void watch_rule_files();
  void stop_watching_rule_files();
  void renew_rule_files();

  // broker_tls.cpp
  Result<TlsListeners::Renewal> prepare_tls(const std::vector<ListenerConfig>& listeners);
  void install_tls(TlsListeners::Renewal renewal, const std::vector<ListenerConfig>& listeners);
  std::shared_ptr<net::TlsServer> tls_of(std::size_t listener);
  void watch_tls();
  void stop_watching();
  void apply_trust();
  void renew_tls(bool keep_tickets);
  void on_tls_hour();
  void warn_of_expiry();

  void log(LogLevel level, std::string_view event, const std::string& detail) const;

  Config config_;  ///< as last applied; under mutex_
  const Parts parts_;
  const std::shared_ptr<Log> sink_;  ///< the house's own; null: the host's function
  std::shared_ptr<LogDoor> log_;
  std::shared_ptr<Store> store_;
  bool store_is_memory_ = false;
  Durability durability_ = Durability::None;
  std::shared_ptr<plugins::PluginSet> plugins_;
  const std::shared_ptr<WayToShards> way_to_shards_ = std::make_shared<WayToShards>();
  std::shared_ptr<PublishFilter> transformations_;  ///< of plugins; null: none
  std::shared_ptr<access::HashWorker> hash_worker_;
  std::unique_ptr<access::CurrentAuthenticator>
      authenticator_;  ///< the house's; a host's own comes first
  std::unique_ptr<access::CurrentAuthorizer> authorizer_;
  std::uint64_t access_epoch_ = 0;

  std::shared_ptr<Watchdog> watchdog_;
  std::shared_ptr<CallbackThreads> callbacks_;  ///< anew with each start; under mutex_
  std::shared_ptr<CallbackThreads::Strand> outcomes_;
  std::shared_ptr<CallbackThreads::Strand> management_;
  std::shared_ptr<sinks::DurableQueues> sink_queues_;  ///< anew with each start
  std::vector<ShardDoors> doors_;
  std::shared_ptr<PresenceTable> presence_;
  std::unique_ptr<HostShadows> shadows_;
  std::unique_ptr<RuleBook> rules_;
  std::shared_ptr<const sql::KnownFiles> rule_files_;  ///< under mutex_
  std::string rule_files_read_;                        ///< their state then; under control_mutex_
  std::unique_ptr<FileWatch> rule_file_watch_;         ///< under control_mutex_

  mutable std::mutex mutex_;
  std::mutex control_mutex_;  ///< start, stop and reload, one at a time
  std::shared_ptr<ShardSet> running_;
  mutable std::mutex tls_mutex_;  ///< taken last, and never while the watch is ended
  TlsListeners tls_;
  std::vector<ListenerConfig> tls_config_;            ///< that tls_ was last prepared from
  std::string tls_files_read_;                        ///< the state of their files then
  std::atomic<std::uint64_t> certificate_expiry_{0};  ///< for shards, which must not wait
  unsigned tls_hours_ = 0;                            ///< the watch's
  std::unique_ptr<FileWatch> file_watch_;
  Instant started_at_{};
  Statistics past_;  ///< what earlier runs counted
  std::atomic<std::uint64_t> host_clients_{0};
  std::uint64_t instance_ = 0;  ///< makes chosen client identifiers unlike those of other brokers
};

}  // namespace twinmq::app
