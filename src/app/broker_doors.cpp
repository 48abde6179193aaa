// What the shards are made of: their plan, the parts of each, the host's doors as a shard calls
// them, and what they ask of the broker.

#include <algorithm>
#include <thread>
#include <utility>

#include "app/broker.hpp"
#include "app/config_validate.hpp"
#include "app/house_parts.hpp"
#include "app/http_api.hpp"
#include "app/listener_options.hpp"
#include "core/ids.hpp"
#include "modules/shadow/shadow_service.hpp"
#include "plugins/transformations.hpp"
#include "storage/storage_sizes.hpp"

namespace twinmq::app {

ShardSet::Plan HouseBroker::plan(bool on_caller) {
  ShardSet::Plan plan;
  plan.shards = config_.node.shards;
  if (plan.shards == 0)
    plan.shards = std::clamp(std::thread::hardware_concurrency(), 1u, core::kShardsMax);
  if (on_caller) plan.shards = 1;
  plan.on_caller = on_caller;
  plan.limits = config_.limits;
  plan.listeners = listener_plans(config_, true);
  plan.store = store_.get();
  plan.durability = durability_;
  if (!parts_.store) plan.free_bytes_min = storage::storage_sizes(config_.storage).free_bytes_min;
  plan.store_is_memory = store_is_memory_;
  plan.keeps_records = config_.modules.sessions || config_.modules.retained ||
                       !parts_.services.empty() ||
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
  plan.http = [doors = http_doors()](ShardThread& thread, net::HttpExchange exchange,
                                     net::HttpRequest request, const net::HttpPeer& peer) {
    serve_http(thread, doors, exchange, std::move(request), peer);
  };
  plan.log = [log = log_](const LogLine& line) { (*log)(line); };
  return plan;
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
  if (config.modules.sessions)
    made.journal = parts_.sessions ? parts_.sessions() : house_sessions();
  made.services = house_services(config, static_cast<unsigned>(doors_.size()), rules_->placed(),
                                 sink_queues_, presence_, outside_of(doors));
  for (const auto& service : parts_.services) made.services.push_back(service());
  return made;
}

// The host's own comes first.
PublishFilter* HouseBroker::publish_filter_of(ShardDoors& doors) {
  if (doors.publish_filters.empty()) {
    for (const auto& [filter, name] : {std::pair(parts_.publish_filter, "PublishFilter"),
                                       std::pair(transformations_, "plugin transformation")})
      if (filter)
        doors.publish_filters.push_back(
            std::make_unique<WatchedPublishFilter>(*filter, watchdog_, name));
    doors.publish_filter = std::make_unique<PublishFilters>(doors.publish_filters);
  }
  return doors.publish_filters.empty() ? nullptr : doors.publish_filter.get();
}

Authorizer* HouseBroker::authorizer_of(core::ShardId shard) const {
  if (doors_[shard].authorizer) return doors_[shard].authorizer.get();
  return authorizer_.get();
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
                       const std::string& thing, std::string name,
                       std::function<void(std::string)> done) {
    way->post(core::home_of(thing, shards),
              [thing, name = std::move(name), done = std::move(done)](ShardThread& thread) {
                Service* service = thread.core() ? thread.core()->service("shadow") : nullptr;
                if (service == nullptr) return done({});
                static_cast<shadow::ShadowService*>(service)->peek(
                    {thing, name}, [done](const shadow::DirectAnswer& answer) {
                      done(answer.code == 200 ? answer.body : "");
                    });
              });
  };
  return outside;
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

}  // namespace twinmq::app
