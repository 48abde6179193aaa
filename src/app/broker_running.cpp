// Starting, stopping, and taking over another configuration meanwhile.

#include <algorithm>
#include <utility>

#include "app/broker.hpp"
#include "app/config_validate.hpp"
#include "app/house_parts.hpp"
#include "app/rule_files.hpp"

namespace twinmq::app {

Result<void> HouseBroker::start(bool on_caller) {
  const std::scoped_lock control(control_mutex_);
  if (running()) return Error{ErrorCode::InvalidArgument, "the broker is already running"};
  Result<void> begun = begin(on_caller);
  if (begun) return begun;
  if (running()) {
    end(Milliseconds(0));
  } else {
    rules_->end();
    close_house_store();
  }
  return begun;
}

// What began before a failure is ended by start().
Result<void> HouseBroker::begin(bool on_caller) {
  if (!store_) {
    if (const Result<void> opened = open_house_store(); !opened) return opened;
  }
  start_callbacks();
  {
    auto queues = make_sink_queues();
    const std::scoped_lock lock(mutex_);
    sink_queues_ = std::move(queues);
  }
  if (Result<void> begun = rules_->begin(config_, *store_, sink_queues_); !begun) return begun;
  ShardSet::Plan made = plan(on_caller);
  doors_.clear();
  doors_.resize(made.shards);
  way_to_shards_->begin();
  Result<std::shared_ptr<ShardSet>> set = ShardSet::start(std::move(made));
  if (!set) return set.error();
  {
    const std::scoped_lock lock(mutex_);
    running_ = std::move(*set);
    std::vector<std::shared_ptr<Inbox>> inboxes;
    for (core::ShardId shard = 0; shard < running_->size(); ++shard)
      inboxes.push_back(running_->inbox(shard));
    way_to_shards_->lead_to(std::move(inboxes));
  }
  if (Result<void> begun = sink_queues_->begin(); !begun) return begun;
  watch_tls();
  watch_rule_files();
  running_->announce();
  return {};
}

void HouseBroker::start_callbacks() {
  const std::scoped_lock lock(mutex_);
  started_at_ = read_clocks().steady;
  callbacks_ = std::make_shared<CallbackThreads>(watchdog_);
  outcomes_ = callbacks_->strand("publish completion");
  management_ = callbacks_->strand("management over HTTP");
}

void HouseBroker::stop(Milliseconds deadline) {
  const std::scoped_lock control(control_mutex_);
  end(deadline);
}

void HouseBroker::end(Milliseconds deadline) {
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

void HouseBroker::log_plugins() const {
  for (const PluginStatistics& each : plugins())
    log(LogLevel::Info, "plugin counted",
        "plugin=" + each.name + " calls=" + std::to_string(each.calls) + " errors=" +
            std::to_string(each.errors) + " timeouts=" + std::to_string(each.timeouts) +
            " disabled=" + (each.disabled ? "true" : "false"));
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
    set->set_connection_limits(config.limits);
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

}  // namespace twinmq::app
