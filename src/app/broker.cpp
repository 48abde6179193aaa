#include "app/broker.hpp"

#include <algorithm>
#include <random>
#include <thread>
#include <utility>

#include "app/config_validate.hpp"
#include "app/host_client.hpp"
#include "app/house_parts.hpp"
#include "app/http_api.hpp"
#include "app/listener_options.hpp"
#include "app/rule_files.hpp"
#include "app/stream.hpp"
#include "core/ids.hpp"
#include "modules/shadow/shadow_service.hpp"
#include "mqtt/properties.hpp"
#include "mqtt/topic.hpp"
#include "plugins/access_doors.hpp"
#include "plugins/transformations.hpp"
#include "storage/storage_sizes.hpp"

namespace twinmq {

Result<std::unique_ptr<Broker>> Broker::create(Config config, Parts parts) {
  return app::HouseBroker::create(std::move(config), std::move(parts));
}

namespace app {
namespace {

Error join_complaints(const std::vector<std::string>& complaints) {
  std::string all;
  for (const std::string& each : complaints) {
    if (!all.empty()) all += "; ";
    all += each;
  }
  return {ErrorCode::InvalidConfig, std::move(all)};
}

Result<void> check(const Config& config, Durability store_max) {
  std::vector<std::string> complaints;
  for (const Error& each : config.validate()) complaints.push_back(each.detail);
  for (const ConfigComplaint& each : durability_complaints(config, store_max)) {
    complaints.push_back(each.key + ": " + each.text);
  }
  if (!complaints.empty()) return join_complaints(complaints);
  return {};
}

Error not_running() {
  return {ErrorCode::Unavailable, "the broker is not running"};
}

bool fits(std::string_view text) {
  return text.size() <= mqtt::kTextBytesMax && mqtt::is_valid_text(text);
}

/// What is wrong with the host's message; Success: nothing.
ReasonCode fault_of(const HostPublish& message, const Config& config) {
  if (!mqtt::is_valid_topic_name(message.topic, config.limits.topic_levels_max))
    return ReasonCode::TopicNameInvalid;
  if (message.topic.size() + message.payload.size() > config.mqtt.packet_size_max)
    return ReasonCode::PacketTooLarge;
  const MessageProperties& properties = message.properties;
  const bool legal =
      fits(properties.content_type) && fits(properties.response_topic) &&
      properties.correlation_data.size() <= mqtt::kTextBytesMax &&
      std::all_of(properties.user_properties.begin(), properties.user_properties.end(),
                  [](const auto& each) { return fits(each.first) && fits(each.second); });
  if (!legal) return ReasonCode::MalformedPacket;
  if (message.retain && !config.mqtt.retain_available) return ReasonCode::RetainNotSupported;
  if (static_cast<std::uint8_t>(message.qos) > config.mqtt.qos_max)
    return ReasonCode::QoSNotSupported;
  return ReasonCode::Success;
}

}  // namespace

// --- Building
// ------------------------------------------------------------------------------------------------

Result<std::unique_ptr<Broker>> HouseBroker::create(Config config, Parts parts) {
  const Durability store_max =
      parts.store ? parts.store->durability_max() : built_in_durability_max(config);
  if (const Result<void> sound = check(config, store_max); !sound) return sound.error();
  std::shared_ptr<Log> sink;
  if (!parts.log) {
    Result<std::shared_ptr<Log>> opened = Log::open(config.log);
    if (!opened) return opened.error();
    sink = std::move(*opened);
  }
  std::unique_ptr<HouseBroker> broker(
      new HouseBroker(std::move(config), std::move(parts), std::move(sink)));
  if (auto opened = broker->open_plugins(); !opened) return opened.error();
  Result<AccessRules> access = broker->load_access(broker->config_);
  if (!access) return access.error();
  if (access->authenticator) {
    broker->authenticator_ =
        std::make_unique<access::CurrentAuthenticator>(std::move(access->authenticator));
  }
  if (access->authorizer) {
    broker->authorizer_ =
        std::make_unique<access::CurrentAuthorizer>(std::move(access->authorizer));
  }
  Result<TlsListeners::Renewal> tls = broker->prepare_tls(broker->config_.listeners);
  if (!tls) return tls.error();
  broker->install_tls(std::move(*tls), broker->config_.listeners);
  if (broker->parts_.store) {
    broker->store_ = broker->parts_.store;
  } else if (!keeps_store(broker->config_)) {
    // In memory it lasts as long as the broker; on disk it is opened by each start.
    if (const Result<void> opened = broker->open_house_store(); !opened) return opened.error();
  }
  broker->durability_ = effective_durability(broker->config_, store_max);
  return Result<std::unique_ptr<Broker>>(std::move(broker));
}

HouseBroker::HouseBroker(Config config, Parts parts, std::shared_ptr<Log> sink)
    : config_(std::move(config)),
      parts_(std::move(parts)),
      sink_(std::move(sink)),
      log_(std::make_shared<LogDoor>(
          config_.log.level,
          sink_ ? [sink = sink_](const LogLine& line) { sink->write(line); } : parts_.log)) {
  watchdog_ = std::make_shared<Watchdog>(
      Milliseconds(config_.limits.callback_warning_milliseconds),
      [log = log_](std::string_view name, Milliseconds so_far) {
        const std::string detail =
            "callback=\"" + std::string(name) + "\" milliseconds=" + std::to_string(so_far.count());
        (*log)({LogLevel::Warning, "host callback is slow", detail});
      });
  std::random_device chance;
  presence_ = std::make_shared<PresenceTable>((std::uint64_t{chance()} << 32) | chance());
  shadows_ = std::make_unique<HostShadows>(
      *this,
      [this](std::string_view thing) -> std::shared_ptr<Inbox> {
        const auto set = running();
        return set ? set->inbox(set->home_of(thing)) : nullptr;
      },
      [this](std::function<void()> callback) {
        complete([callback = std::move(callback)](const PublishOutcome&) { callback(); }, {});
      });
  instance_ = (std::uint64_t{chance()} << 32) | chance();
}

HouseBroker::~HouseBroker() {
  stop(Milliseconds(2000));
}

Result<AccessRules> HouseBroker::load_access(const Config& config) {
  if (!config.modules.access) return AccessRules{};
  if (!hash_worker_) hash_worker_ = std::make_shared<access::HashWorker>();
  Result<AccessRules> access = house_access(config, hash_worker_, ++access_epoch_);
  if (!access) return access;
  if (auto asked = plugins::PluginAuthenticator::over(*plugins_, access->authenticator))
    access->authenticator = std::move(asked);
  if (auto asked = plugins::PluginAuthorizer::over(*plugins_, access->authorizer))
    access->authorizer = std::move(asked);
  return access;
}

Result<void> HouseBroker::open_plugins() {
  auto opened = plugins::PluginSet::open(
      config_.plugin, [log = log_](LogLevel level, std::string_view event, const std::string& detail) {
        (*log)({level, event, detail});
      });
  if (!opened) return opened.error();
  plugins_ = std::move(*opened);
  transformations_ = plugins::Transformations::of(*plugins_);
  rules_ = std::make_unique<RuleBook>(rule_doors(), plugins_);
  rule_files_read_ = state_of_files(rule_file_paths(config_.rules));
  auto files = read_rule_files(config_.rules);
  if (!files) return files.error();
  rule_files_ = std::move(*files);
  return check_rules(config_, *plugins_);
}

void HouseBroker::log_plugins() const {
  for (const PluginStatistics& each : plugins())
    log(LogLevel::Info, "plugin counted",
        "plugin=" + each.name + " calls=" + std::to_string(each.calls) + " errors=" + std::to_string(each.errors) +
            " timeouts=" + std::to_string(each.timeouts) + " disabled=" + (each.disabled ? "true" : "false"));
}

// The host's own comes first.
PublishFilter* HouseBroker::publish_filter_of(ShardDoors& doors) {
  if (doors.publish_filters.empty()) {
    for (const auto& [filter, name] : {std::pair(parts_.publish_filter, "PublishFilter"), std::pair(transformations_, "plugin transformation")})
      if (filter) doors.publish_filters.push_back(std::make_unique<WatchedPublishFilter>(*filter, watchdog_, name));
    doors.publish_filter = std::make_unique<PublishFilters>(doors.publish_filters);
  }
  return doors.publish_filters.empty() ? nullptr : doors.publish_filter.get();
}

rules::Outside HouseBroker::outside_of(ShardDoors& doors) {
  if (!doors.functions) doors.functions = std::make_shared<WatchedFunctions>(plugins_, watchdog_);
  rules::Outside outside;
  outside.functions = doors.functions;
  outside.files = rule_files();
  outside.post = [way = way_to_shards_](std::uint32_t shard, std::function<void(Service&)> errand) {
    way->post(shard, [errand = std::move(errand)](ShardThread& thread) {
      Service* service = thread.core() ? thread.core()->service("rules") : nullptr;
      if (service != nullptr) errand(*service);
    });
  };
  outside.shadow = [way = way_to_shards_, shards = static_cast<unsigned>(doors_.size())](
                       const std::string& thing, std::string name, std::function<void(std::string)> done) {
    way->post(core::home_of(thing, shards), [thing, name = std::move(name), done = std::move(done)](ShardThread& thread) {
      Service* service = thread.core() ? thread.core()->service("shadow") : nullptr;
      if (service == nullptr) return done({});
      static_cast<shadow::ShadowService*>(service)->peek(
          {thing, name}, [done](const shadow::DirectAnswer& answer) { done(answer.code == 200 ? answer.body : ""); });
    });
  };
  return outside;
}

void WayToShards::lead_to(std::vector<std::shared_ptr<Inbox>> inboxes) {
  const std::scoped_lock lock(mutex_);
  inboxes_ = std::move(inboxes);
  auto waiting = std::exchange(waiting_, {});
  for (auto& [shard, errand] : waiting)
    if (shard < inboxes_.size()) inboxes_[shard]->post(std::move(errand));
}

void WayToShards::post(std::uint32_t shard, Inbox::Errand errand) {
  const std::scoped_lock lock(mutex_);
  if (shard < inboxes_.size())
    inboxes_[shard]->post(std::move(errand));
  else
    waiting_.emplace_back(shard, std::move(errand));
}

core::ShardParts HouseBroker::shard_parts(core::ShardId shard) {
  core::ShardParts made;
  Config config;
  {
    const std::scoped_lock lock(mutex_);
    made.mqtt = config_.mqtt;
    made.limits = config_.limits;
    made.durability = {durability_, config_.storage.fsync_filters, config_.storage.os_filters,
                       config_.storage.none_filters};
    made.client_id_bound = config_.access.client_id_bound;
    config = config_;
  }
  made.authenticator = authenticator_.get();
  made.delivery_filter = parts_.delivery_filter.get();
  // Only the host's own code is watched: the house's answers at once.
  ShardDoors& doors = doors_[shard];
  if (parts_.authenticator) {
    if (!doors.authenticator) {
      doors.authenticator =
          std::make_unique<WatchedAuthenticator>(*parts_.authenticator, watchdog_);
    }
    made.authenticator = doors.authenticator.get();
  }
  made.publish_filter = publish_filter_of(doors);
  if (parts_.authorizer) {
    if (!doors.authorizer)
      doors.authorizer = std::make_unique<WatchedAuthorizer>(*parts_.authorizer, watchdog_);
  }
  made.authorizer = authorizer_of(shard);
  if (parts_.delivery_filter) {
    if (!doors.delivery_filter) {
      doors.delivery_filter =
          std::make_unique<WatchedDeliveryFilter>(*parts_.delivery_filter, watchdog_);
    }
    made.delivery_filter = doors.delivery_filter.get();
  }
  if (config.modules.retained) {
    const auto shards = static_cast<unsigned>(doors_.size());
    made.retained = parts_.retained ? parts_.retained() : house_retained(made.limits, shards);
  }
  if (config.modules.sessions) made.journal = parts_.sessions ? parts_.sessions() : house_sessions();
  made.services = house_services(config, static_cast<unsigned>(doors_.size()), rules_->placed(), sink_queues_,
                                 presence_, outside_of(doors));
  for (const auto& service : parts_.services) made.services.push_back(service());
  return made;
}

Authorizer* HouseBroker::authorizer_of(core::ShardId shard) const {
  if (doors_[shard].authorizer) return doors_[shard].authorizer.get();
  return authorizer_.get();
}

std::vector<ShardSet::ListenerPlan> HouseBroker::listener_plans(const Config& config,
                                                                bool with_tls) {
  std::vector<ShardSet::ListenerPlan> plans;
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    const ListenerConfig& listener = config.listeners[i];
    plans.push_back({listener_options(config, listener, with_tls ? tls_of(i) : nullptr),
                     !config_.modules.access || anonymous_allowed(config, listener),
                     listener.durability});
    plans.back().options.sockets = inherited_sockets(parts_.sockets, plans.back().options);
  }
  return plans;
}

std::shared_ptr<const HttpDoors> HouseBroker::http_doors() {
  const auto doors = std::make_shared<HttpDoors>();
  doors->authenticator = [this](core::ShardId shard) -> Authenticator* {
    if (doors_[shard].authenticator) return doors_[shard].authenticator.get();
    return authenticator_.get();
  };
  doors->authorizer = [this](core::ShardId shard) { return authorizer_of(shard); };
  doors->home = [this](std::string_view key) -> std::shared_ptr<Inbox> {
    const auto set = running();
    return set ? set->inbox(set->home_of(key)) : nullptr;
  };
  doors->administrator = [this](std::string_view principal) { return is_administrator(principal); };
  doors->manage = [this](std::function<void(Broker&)> work) { return manage(std::move(work)); };
  doors->publish = [this](HostPublish message, std::function<void(const PublishOutcome&)> done) {
    publish(std::move(message), std::move(done));
  };
  return doors;
}

ShardSet::Plan HouseBroker::plan(bool on_caller) {
  ShardSet::Plan plan;
  plan.shards = config_.node.shards;
  if (plan.shards == 0)
    plan.shards = std::clamp(std::thread::hardware_concurrency(), 1u, core::kShardsMax);
  if (on_caller) plan.shards = 1;
  plan.on_caller = on_caller;
  plan.connections_max = config_.limits.connections_max;
  plan.handshakes_max = config_.limits.handshakes_max;
  plan.handshake_limit = Seconds(config_.limits.handshake_timeout_seconds);
  plan.listeners = listener_plans(config_, true);
  plan.store = store_.get();
  plan.durability = durability_;
  if (!parts_.store) plan.free_bytes_min = storage::storage_sizes(config_.storage).free_bytes_min;
  plan.store_is_memory = store_is_memory_;
  plan.keeps_records = config_.modules.sessions || config_.modules.retained || !parts_.services.empty() ||
                      !house_services(config_, 1, {}, sink_queues_, presence_, {}).empty();
  plan.parts = [this](core::ShardId shard) { return shard_parts(shard); };
  if (config_.modules.sys) plan.sys = parts_.sys ? parts_.sys() : house_system_topics();
  plan.sys_interval = Seconds(config_.sys.interval_seconds);
  plan.complete_statistics = [this](Statistics& sum) { complete(sum); };
  plan.http_options.request.head_bytes_max = config_.http.request_bytes_max;
  plan.http_options.request.body_bytes_max = config_.http.body_bytes_max;
  plan.http_options.request_time = Seconds(config_.http.request_timeout_seconds);
  plan.http_options.idle_time = Seconds(config_.http.idle_timeout_seconds);
  plan.http_options.handshake_time = Seconds(config_.limits.handshake_timeout_seconds);
  plan.http = [doors = http_doors()](ShardThread& thread, net::HttpExchange exchange, net::HttpRequest request,
                                           const net::HttpPeer& peer) {
    serve_http(thread, doors, exchange, std::move(request), peer);
  };
  plan.log = [log = log_](const LogLine& line) { (*log)(line); };
  return plan;
}

// --- Running
// -------------------------------------------------------------------------------------------------

void HouseBroker::start_callbacks() {
  const std::scoped_lock lock(mutex_);
  started_at_ = read_clocks().steady;
  callbacks_ = std::make_shared<CallbackThreads>(watchdog_);
  outcomes_ = callbacks_->strand("publish completion");
  management_ = callbacks_->strand("management over HTTP");
}

Result<void> HouseBroker::open_house_store() {
  Result<HouseStore> store =
      open_store(config_, [log = log_](const LogLine& line) { (*log)(line); });
  if (!store) return store.error();
  const std::scoped_lock lock(mutex_);
  store_ = std::move(store->store);
  store_is_memory_ = store->memory;
  return {};
}

void HouseBroker::close_house_store() {
  std::shared_ptr<Store> closed;  // outside the lock: closing takes its time
  const std::scoped_lock lock(mutex_);
  if (!parts_.store && !store_is_memory_) closed.swap(store_);
}

std::shared_ptr<Store> HouseBroker::store() const {
  const std::scoped_lock lock(mutex_);
  return store_;
}

Result<void> HouseBroker::back_up(const std::string& directory) {
  const auto kept = store();
  if (!kept) return not_running();
  return kept->back_up(directory);
}

std::vector<StoreFigure> HouseBroker::store_figures() const {
  const auto kept = store();
  return kept ? kept->figures() : std::vector<StoreFigure>();
}

Result<void> HouseBroker::start(bool on_caller) {
  const std::scoped_lock control(control_mutex_);
  if (running()) return Error{ErrorCode::InvalidArgument, "the broker is already running"};
  if (!store_) {
    if (const Result<void> opened = open_house_store(); !opened) return opened;
  }
  start_callbacks();
  {
    auto queues = make_sink_queues();
    const std::scoped_lock lock(mutex_);
    sink_queues_ = std::move(queues);
  }
  if (const Result<void> begun = rules_->begin(config_, *store_, sink_queues_); !begun) {
    rules_->end();
    close_house_store();
    return begun;
  }
  ShardSet::Plan made = plan(on_caller);
  doors_.clear();
  doors_.resize(made.shards);
  way_to_shards_->begin();
  Result<std::shared_ptr<ShardSet>> set = ShardSet::start(std::move(made));
  if (!set) {
    rules_->end();
    close_house_store();
    return set.error();
  }
  {
    const std::scoped_lock lock(mutex_);
    running_ = std::move(*set);
    std::vector<std::shared_ptr<Inbox>> inboxes;
    for (core::ShardId shard = 0; shard < running_->size(); ++shard) inboxes.push_back(running_->inbox(shard));
    way_to_shards_->lead_to(std::move(inboxes));
  }
  sink_queues_->begin();
  watch_tls();
  watch_rule_files();
  running_->announce();
  return {};
}

void HouseBroker::stop(Milliseconds deadline) {
  const std::scoped_lock control(control_mutex_);
  stop_watching();
  stop_watching_rule_files();
  std::shared_ptr<ShardSet> set;
  std::shared_ptr<CallbackThreads> callbacks;
  {
    const std::scoped_lock lock(mutex_);
    set = std::move(running_);
    running_ = nullptr;
    callbacks = callbacks_;
  }
  if (!set) return;
  rules_->end();
  sink_queues_->halt();
  const Instant until = read_clocks().steady + deadline;
  log(LogLevel::Info, "stopping", "deadline_milliseconds=" + std::to_string(deadline.count()));
  set->stop(deadline);
  close_house_store();
  log_plugins();
  callbacks->stop(std::max(Milliseconds(0), until - read_clocks().steady));
  log(LogLevel::Info, "stopped", "");
  Statistics counted = set->statistics();
  const std::scoped_lock lock(mutex_);
  sink_queues_.reset();
  counted[Metric::CallbacksSlow] = 0;  // counted where it is for good
  for (const MetricDescription& each : metric_table()) {
    past_[each.metric] = each.gauge ? 0 : counted[each.metric];
  }
  started_at_ = {};
}

Result<void> HouseBroker::reload(const Config& config) {
  const std::scoped_lock control(control_mutex_);
  const Durability store_max =
      parts_.store ? parts_.store->durability_max() : built_in_durability_max(config);
  if (const Result<void> sound = check(config, store_max); !sound) return sound.error();
  Result<AccessRules> access = load_access(config);
  if (!access) return access.error();
  Result<TlsListeners::Renewal> tls = prepare_tls(config.listeners);
  if (!tls) return tls.error();
  const auto set = running();
  Result<ShardSet::ListenerChange> listeners =
      set ? set->prepare_listeners(listener_plans(config, false)) : ShardSet::ListenerChange{};
  if (!listeners) return listeners.error();
  const std::string files_read = state_of_files(rule_file_paths(config.rules));
  auto files = read_rule_files(config.rules);
  if (!files) return files.error();
  const auto rules = rules_->prepare(config);
  if (!rules) return rules.error();

  if (sink_) {
    if (Result<void> opened = sink_->reconfigure(config.log); !opened) return opened;
  }

  const std::string kept = needs_restart(config_, config);
  if (!kept.empty()) log(LogLevel::Warning, "reload keeps keys", "restart_needed=\"" + kept + "\"");
  if (authenticator_ && access->authenticator)
    authenticator_->swap(std::move(access->authenticator));
  if (authorizer_ && access->authorizer) authorizer_->swap(std::move(access->authorizer));
  log_->set_level(config.log.level);
  watchdog_->set_limit(Milliseconds(config.limits.callback_warning_milliseconds));
  {
    const std::scoped_lock lock(mutex_);
    config_.listeners = config.listeners;
    config_.mqtt = config.mqtt;
    config_.limits = config.limits;
    config_.access = config.access;
    config_.admin.principals = config.admin.principals;
    config_.rules = config.rules;
    config_.rule = config.rule;
    config_.log = config.log;
  }
  if (set) {
    set->set_connections_max(config.limits.connections_max);
    set->set_handshake_limits(config.limits.handshakes_max,
                              Seconds(config.limits.handshake_timeout_seconds));
    set->for_each_inbox([mqtt = config.mqtt, limits = config.limits](ShardThread& thread) {
      thread.core()->set_limits(mqtt, limits);
      thread.core()->on_access_changed();
    });
  }
  stop_watching_rule_files();
  rule_files_read_ = files_read;
  install_rule_files(std::move(*files));
  rules_->apply(**rules);
  install_tls(std::move(*tls), config.listeners);
  if (set) {
    set->change_listeners(std::move(*listeners), listener_plans(config, true));
    watch_tls();
    watch_rule_files();
  }
  log(LogLevel::Info, "reloaded", "");
  return {};
}

std::shared_ptr<ShardSet> HouseBroker::running() const {
  const std::scoped_lock lock(mutex_);
  return running_;
}

int HouseBroker::fd() const {
  const auto set = running();
  return set && set->on_caller() ? set->fd() : -1;
}

void HouseBroker::turn() {
  if (const auto set = running(); set && set->on_caller()) set->turn();
}

void HouseBroker::log(LogLevel level, std::string_view event, const std::string& detail) const {
  (*log_)({level, event, detail});
}

// --- In-process clients
// ----------------------------------------------------------------------------------------

void HouseBroker::complete(const std::function<void(const PublishOutcome&)>& done,
                           PublishOutcome outcome) const {
  if (!done) return;
  std::shared_ptr<CallbackThreads> callbacks;
  std::shared_ptr<CallbackThreads::Strand> strand;
  {
    const std::scoped_lock lock(mutex_);
    callbacks = callbacks_;
    strand = outcomes_;
  }
  if (callbacks && callbacks->post(strand, [done, outcome] { done(outcome); })) return;
  done(outcome);
}

void HouseBroker::publish(HostPublish message, std::function<void(const PublishOutcome&)> done) {
  const auto set = running();
  ReasonCode fault = ReasonCode::ServerUnavailable;
  if (set) {
    const std::scoped_lock lock(mutex_);
    fault = fault_of(message, config_);
  }
  if (fault != ReasonCode::Success) return complete(done, {fault, 0, Durability::None});
  const core::ShardId home = set->home_of(message.topic);
  const bool posted =
      set->inbox(home)->post([this, message = std::make_shared<HostPublish>(std::move(message)),
                              done](ShardThread& thread) { publish_on(thread, *message, done); });
  if (!posted) complete(done, {ReasonCode::ServerUnavailable, 0, Durability::None});
}

void HouseBroker::publish_on(ShardThread& thread, const HostPublish& message,
                             const std::function<void(const PublishOutcome&)>& done) {
  Authorizer* const authorizer = authorizer_of(thread.id());
  if (message.as && authorizer != nullptr &&
      !authorizer->may(*message.as, Action::Publish, message.topic, message.qos, message.retain)) {
    thread.counters().add(Metric::RefusedNotAuthorized);
    return complete(done, {ReasonCode::NotAuthorized, 0, Durability::None});
  }
  const std::string properties = mqtt::encode_message_properties(message.properties);
  MessageParts parts;
  parts.topic = message.topic;
  parts.payload = message.payload;
  parts.properties = properties;
  if (message.as) parts.publisher = message.as->client_id;
  parts.qos = message.qos;
  parts.retain = message.retain;
  if (message.expiry_seconds)
    parts.expires_at = thread.now().steady + Seconds(*message.expiry_seconds);
  if (!done) return thread.publish(parts, {});
  const Durability promised = message.qos == QoS::AtMostOnce ? Durability::None : durability_;
  thread.publish(parts, [this, done, promised](const core::HostPublished& published) {
    complete(done, {published.code, published.matched,
                    is_failure(published.code) ? Durability::None : promised});
  });
}

Result<std::unique_ptr<HostSubscription>> HouseBroker::subscribe(
    HostSubscribe options, std::function<void(const HostDelivery&, AckToken)> callback) {
  const auto set = running();
  if (!set) return not_running();
  if (!set->may_wait()) {
    return Error{ErrorCode::InvalidArgument,
                 "subscribe() waits and cannot be called inside a turn of the broker"};
  }
  if (options.receive_maximum == 0)
    return Error{ErrorCode::InvalidArgument, "receive_maximum must not be 0"};
  if (options.client_id.empty()) {
    options.client_id = "host-" + std::to_string(instance_) + "-" + std::to_string(++host_clients_);
  }
  std::shared_ptr<CallbackThreads> callbacks;
  {
    const std::scoped_lock lock(mutex_);
    callbacks = callbacks_;
  }
  const std::string client_id = options.client_id;
  const auto client =
      std::make_shared<HostClient>(std::move(options), std::move(callback), std::move(callbacks),
                                   [log = log_](const LogLine& line) { (*log)(line); });
  auto subscription = std::make_unique<ClientSubscription>(client);
  const Reply<Result<void>> reply;
  client->start(
      set->inbox(set->home_of(client_id)),
      [promise = reply.promise()](Result<void> result) { promise.give(std::move(result)); });
  if (!set->await(reply))
    return Error{ErrorCode::Unavailable, "the broker did not answer the subscription"};
  const std::optional<Result<void>> result = reply.take();
  if (!result) return not_running();
  if (!*result) return result->error();
  return Result<std::unique_ptr<HostSubscription>>(std::move(subscription));
}

Result<std::shared_ptr<StreamHandle>> HouseBroker::accept(std::unique_ptr<HostStream> stream,
                                                          std::string listener, bool anonymous) {
  const auto set = running();
  if (!set) return not_running();
  const auto link = std::make_shared<LocalLink>(std::make_shared<StreamEnd>(std::move(stream)));
  core::LinkOrigin origin;
  origin.listener = std::move(listener);
  origin.anonymous_allowed = anonymous;
  if (!link->open(set->inbox(0), std::move(origin))) return not_running();
  return Result<std::shared_ptr<StreamHandle>>(std::make_shared<LinkHandle>(link));
}

// --- Looking inside
// ------------------------------------------------------------------------------------------

std::vector<ListenerInfo> HouseBroker::listeners() const {
  const auto set = running();
  return set ? set->listeners() : std::vector<ListenerInfo>();
}

bool HouseBroker::kick(std::string_view client_id, ReasonCode code) {
  const auto set = running();
  if (!set) return false;
  const Reply<bool> reply;
  set->inbox(set->home_of(client_id))
      ->post([promise = reply.promise(), client = std::string(client_id),
              code](ShardThread& thread) { promise.give(thread.core()->kick(client, code)); });
  return set->await(reply) && reply.take().value_or(false);
}

std::vector<SessionInfo> HouseBroker::sessions() const {
  std::vector<SessionInfo> all;
  const auto set = running();
  if (!set) return all;
  std::vector<Reply<std::vector<SessionInfo>>> replies(set->size());
  for (core::ShardId shard = 0; shard < set->size(); ++shard) {
    set->inbox(shard)->post([promise = replies[shard].promise()](ShardThread& thread) {
      promise.give(thread.core()->sessions());
    });
  }
  for (const auto& reply : replies) {
    if (!set->await(reply)) continue;
    if (auto part = reply.take()) std::move(part->begin(), part->end(), std::back_inserter(all));
  }
  return all;
}

std::vector<SubscriptionInfo> HouseBroker::subscriptions(std::string_view client_id) const {
  const auto set = running();
  if (!set) return {};
  const Reply<std::vector<SubscriptionInfo>> reply;
  set->inbox(set->home_of(client_id))
      ->post([promise = reply.promise(), client = std::string(client_id)](ShardThread& thread) {
        promise.give(thread.core()->subscriptions(client));
      });
  if (!set->await(reply)) return {};
  return reply.take().value_or(std::vector<SubscriptionInfo>());
}

Statistics HouseBroker::statistics() const {
  if (const auto set = running()) return set->statistics();
  Statistics sum;
  complete(sum);
  return sum;
}

void HouseBroker::complete(Statistics& sum) const {
  complete_sinks(sum);
  const std::scoped_lock lock(mutex_);
  for (std::size_t i = 0; i < kMetricCount; ++i) sum.values[i] += past_.values[i];
  sum[Metric::CallbacksSlow] += watchdog_->slow_calls();
  sum[Metric::CertificateExpiry] = certificate_expiry_;
  if (started_at_ == Instant()) return;
  const auto up = std::chrono::duration_cast<Seconds>(read_clocks().steady - started_at_);
  sum.uptime_seconds = static_cast<std::uint64_t>(up.count());
}

}  // namespace app
}  // namespace twinmq
