#include "app/broker.hpp"

#include <random>
#include <utility>

#include "app/config_validate.hpp"
#include "app/house_parts.hpp"
#include "app/rule_files.hpp"
#include "plugins/access_doors.hpp"
#include "plugins/transformations.hpp"

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

}  // namespace

// --- Building

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
  if (!broker->watchdog_->started()) return broker->watchdog_->started().error();
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

Result<void> HouseBroker::check(const Config& config, Durability store_max) {
  std::vector<std::string> complaints;
  for (const Error& each : config.validate()) complaints.push_back(each.detail);
  for (const ConfigComplaint& each : durability_complaints(config, store_max)) {
    complaints.push_back(each.key + ": " + each.text);
  }
  if (!complaints.empty()) return join_complaints(complaints);
  return {};
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
      config_.plugin,
      [log = log_](LogLevel level, std::string_view event, const std::string& detail) {
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
  if (auto sound = check_rules(config_, *plugins_); !sound) return sound;
  const auto log = [log = log_](LogLevel level, std::string_view event, const std::string& detail) {
    (*log)({level, event, detail});
  };
  for (const rules::PlacedRule& each :
       rules::compile_all(config_.modules.rules ? config_.rule : std::vector<RuleConfig>()))
    log_warnings(*each.rule, log);
  return {};
}

// --- Its store

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

// --- Looking inside

std::vector<ListenerInfo> HouseBroker::listeners() const {
  const auto set = running();
  return set ? set->listeners() : std::vector<ListenerInfo>();
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

void HouseBroker::log(LogLevel level, std::string_view event, const std::string& detail) const {
  (*log_)({level, event, detail});
}

Error HouseBroker::not_running() {
  return {ErrorCode::Unavailable, "the broker is not running"};
}

}  // namespace app
}  // namespace twinmq
