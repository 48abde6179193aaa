// What rules and their queues need of the shards.

#include <algorithm>
#include <utility>
#include <vector>

#include "app/broker.hpp"
#include "app/reply.hpp"
#include "app/rule_files.hpp"
#include "app/shard_thread.hpp"
#include "base/escape.hpp"

namespace twinmq::app {

RuleBookDoors HouseBroker::rule_doors() {
  RuleBookDoors doors;
  doors.commit = [this](const Batch& changes) { return commit_and_wait(changes); };
  doors.on_every_shard = [this](const RuleBookDoors::Errand& errand) {
    return on_every_shard(errand);
  };
  doors.wall = [] { return read_clocks().wall; };
  doors.log = [log = log_](LogLevel level, std::string_view event, const std::string& detail) {
    (*log)({level, event, detail});
  };
  return doors;
}

bool HouseBroker::commit_and_wait(const Batch& changes) const {
  const auto set = running();
  if (!set || !set->may_wait()) return false;
  const Reply<bool> reply;
  set->inbox(0)->post([promise = reply.promise(), changes](ShardThread& thread) {
    if (thread.core()) thread.core()->write(changes, [promise] { promise.give(true); });
  });
  return set->await(reply) && reply.take().value_or(false);
}

bool HouseBroker::on_every_shard(const RuleBookDoors::Errand& errand) const {
  const auto set = running();
  if (!set || !set->may_wait()) return false;
  std::vector<Reply<bool>> replies(set->size());
  for (core::ShardId shard = 0; shard < set->size(); ++shard) {
    set->inbox(shard)->post(
        [promise = replies[shard].promise(), errand, shard](ShardThread& thread) {
          Service* const service = thread.core() ? thread.core()->service("rules") : nullptr;
          if (service != nullptr) errand(static_cast<rules::RulesService&>(*service), shard);
          promise.give(service != nullptr);
        });
  }
  bool all = true;
  for (const auto& reply : replies) all = set->await(reply) && reply.take().value_or(false) && all;
  return all;
}

bool HouseBroker::is_administrator(std::string_view principal) const {
  const std::scoped_lock lock(mutex_);
  const auto& named = config_.admin.principals;
  return !principal.empty() && std::find(named.begin(), named.end(), principal) != named.end();
}

bool HouseBroker::manage(std::function<void(Broker&)> work) {
  std::shared_ptr<CallbackThreads> callbacks;
  std::shared_ptr<CallbackThreads::Strand> strand;
  {
    const std::scoped_lock lock(mutex_);
    callbacks = callbacks_;
    strand = management_;
  }
  return callbacks && callbacks->post(strand, [this, work = std::move(work)] { work(*this); });
}

// What they deliver is erased by shard 0, which has it committed like anything else.
std::shared_ptr<sinks::DurableQueues> HouseBroker::make_sink_queues() {
  sinks::QueueParts parts;
  parts.store = store_.get();
  parts.write = [this](const Batch& changes, const std::function<void()>& done) {
    if (const auto set = running())
      set->inbox(0)->post([changes, done](ShardThread& thread) {
        if (thread.core()) thread.core()->write(changes, done);
      });
  };
  parts.log = [log = log_](const LogLine& line) { (*log)(line); };
  parts.wall = [] { return read_clocks().wall; };
  return std::make_shared<sinks::DurableQueues>(std::move(parts));
}

void HouseBroker::complete_sinks(Statistics& sum) const {
  std::shared_ptr<sinks::DurableQueues> queues;
  {
    const std::scoped_lock lock(mutex_);
    queues = sink_queues_;
  }
  if (!queues) return;
  for (const SinkStatistics& each : queues->statistics()) {
    sum[Metric::SinkWaitingEntries] += each.waiting_entries;
    sum[Metric::SinkWaitingBytes] += each.waiting_bytes;
    sum[Metric::SinkDelivered] += each.delivered;
    sum[Metric::SinkAttemptsFailed] += each.attempts_failed;
    sum[Metric::SinkDropped] += each.dropped;
    sum[Metric::SinkDeadLetters] += each.dead_letters;
  }
}

// --- Files that statements look into

std::shared_ptr<const sql::KnownFiles> HouseBroker::rule_files() const {
  const std::scoped_lock lock(mutex_);
  return rule_files_;
}

void HouseBroker::install_rule_files(std::shared_ptr<const sql::KnownFiles> files) {
  {
    const std::scoped_lock lock(mutex_);
    rule_files_ = files;
  }
  const auto set = running();
  if (!set) return;
  set->for_each_inbox([files](ShardThread& thread) {
    Service* const service = thread.core() ? thread.core()->service("rules") : nullptr;
    if (service != nullptr) static_cast<rules::RulesService&>(*service).set_files(files);
  });
}

void HouseBroker::watch_rule_files() {
  stop_watching_rule_files();
  std::vector<std::string> files = rule_file_paths(config_.rules);
  if (files.empty() || !config_.modules.rules) return;
  FileWatch::Hooks hooks;
  hooks.changed = [this] { renew_rule_files(); };
  hooks.hourly = [] {};
  hooks.files = [config = config_.rules] { return rule_file_paths(config); };
  auto watch = FileWatch::start(std::move(files), rule_files_read_, std::move(hooks));
  if (!watch)
    return log(LogLevel::Warning, "files are not watched",
               "reason=" + escaped(watch.error().detail));
  rule_file_watch_ = std::move(*watch);
}

void HouseBroker::stop_watching_rule_files() {
  rule_file_watch_.reset();
}

// On the thread of the watch, which ends before a reload or a stop goes on.
void HouseBroker::renew_rule_files() {
  RulesConfig config;
  {
    const std::scoped_lock lock(mutex_);
    config = config_.rules;
  }
  auto files = read_rule_files(config);
  if (!files)
    return log(LogLevel::Error, "rule files kept", "reason=" + escaped(files.error().detail));
  const std::string counted = (*files)->counted();
  install_rule_files(std::move(*files));
  log(LogLevel::Info, "rule files renewed", counted);
}

}  // namespace twinmq::app
