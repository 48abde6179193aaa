#pragma once
// The house's own implementation behind each public door, as the Config asks for it.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <twinmq/broker.hpp>
#include <twinmq/retained.hpp>
#include <twinmq/service.hpp>
#include <twinmq/session_journal.hpp>
#include <twinmq/sink.hpp>
#include <twinmq/system_topics.hpp>

#include "app/broker.hpp"
#include "modules/access/hash_worker.hpp"
#include "modules/rules/rules_service.hpp"
#include "plugins/plugin_set.hpp"
#include "storage/rocksdb_store.hpp"

namespace twinmq::app {

struct HouseStore {
  std::shared_ptr<Store> store;
  bool memory = false;  ///< neither blocks nor fails
};
/// On disk if the Config asks for any durability. Blocks while it opens and recovers; `log` may be
/// called on any thread as long as the store lives.
Result<HouseStore> open_store(const Config& config, std::function<void(const LogLine&)> log);
bool keeps_store(const Config& config);
/// What this version's records look like, as data_dir notes it.
storage::StoreForm store_form();

/// By the files the Config names. Blocks while reading them.
Result<AccessRules> house_access(const Config& config,
                                 const std::shared_ptr<access::HashWorker>& worker,
                                 std::uint64_t epoch);

/// For one of so many shards.
std::unique_ptr<RetainedMessages> house_retained(const LimitsConfig& limits, unsigned shards);
std::unique_ptr<SessionJournal> house_sessions();

std::unique_ptr<SystemTopics> house_system_topics();

/// Those the Config switches on, for one of that many shards.
std::vector<std::unique_ptr<Service>> house_services(
    const Config& config, unsigned shards, const std::vector<rules::PlacedRule>& rules,
    const std::shared_ptr<SinkQueues>& sinks, const std::shared_ptr<shadow::Presence>& presence,
    const rules::Outside& outside);

/// Whether every rule can be run with these plugins. The error names the rule.
Result<void> check_rules(const Config& config, const plugins::PluginSet& plugins);

/// Keys that differ and that a reload does not change, with spaces between; empty: none.
std::string needs_restart(const Config& now, const Config& next);

}  // namespace twinmq::app
