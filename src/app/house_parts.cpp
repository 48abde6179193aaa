#include "app/house_parts.hpp"

#include <random>
#include <utility>

#include <twinmq/version.hpp>

#include "app/config_validate.hpp"
#include "app/zone_files.hpp"
#include "modules/access/access_sources.hpp"
#include "modules/access/acl_file.hpp"
#include "modules/access/current_access.hpp"
#include "modules/access/password_file.hpp"
#include "modules/retained/retained_module.hpp"
#include "modules/rules/drop_events.hpp"
#include "modules/sessions/session_module.hpp"
#include "modules/shadow/lifecycle_events.hpp"
#include "modules/shadow/shadow_service.hpp"
#include "modules/sys/sys_module.hpp"
#include "records/key_runs.hpp"
#include "records/session_record.hpp"
#include "storage/memory_store.hpp"
#include "storage/rocksdb_store.hpp"

namespace twinmq::app {

Result<HouseStore> open_store(const Config& config, std::function<void(const LogLine&)> log) {
  if (!keeps_store(config)) return HouseStore{std::make_shared<storage::MemoryStore>(), true};
  storage::RocksDbParts parts;
  parts.config = config.storage;
  parts.form = store_form();
  parts.run_prefix = records::run_prefix;
  parts.log = [log = std::move(log)](LogLevel level, std::string_view event,
                                     const std::string& detail) {
    log({level, event, detail});
  };
  auto store = storage::RocksDbStore::open(config.data_dir, std::move(parts));
  if (!store) return store.error();
  return HouseStore{std::move(*store), false};
}

storage::StoreForm store_form() {
  // Since 2 a message may lie apart from its deliveries.
  return {records::kFormat, {nullptr}};
}

bool keeps_store(const Config& config) {
  return effective_durability(config, built_in_durability_max(config)) != Durability::None;
}

Result<AccessRules> house_access(const Config& config,
                                 const std::shared_ptr<access::HashWorker>& worker,
                                 std::uint64_t epoch) {
  AccessRules rules;
  std::unique_ptr<access::PasswordFile> passwords;
  if (!config.access.password_file.empty()) {
    auto file = access::PasswordFile::load(config.access.password_file, worker);
    if (!file) return file.error();
    passwords = std::move(*file);
  }
  std::unique_ptr<access::ScramFile> scram;
  if (!config.access.scram_file.empty()) {
    auto file = access::ScramFile::load(config.access.scram_file);
    if (!file) return file.error();
    scram = std::move(*file);
  }
  std::unique_ptr<access::TokenFile> tokens;
  if (!config.access.token_file.empty()) {
    auto file = access::TokenFile::load(config.access.token_file);
    if (!file) return file.error();
    tokens = std::move(*file);
  }
  if (passwords || scram || tokens) {
    rules.authenticator = std::make_shared<access::AccessSources>(
        std::move(passwords), std::move(scram), std::move(tokens));
  } else {
    rules.authenticator = std::make_shared<access::AnonymousOnly>();
  }
  if (config.access.acl_file.empty()) {
    rules.authorizer = std::make_shared<access::Unrestricted>();
  } else {
    Result<std::unique_ptr<access::AclFile>> file =
        access::AclFile::load(config.access.acl_file, epoch);
    if (!file) return file.error();
    rules.authorizer = std::move(*file);
  }
  return rules;
}

std::unique_ptr<RetainedMessages> house_retained(const LimitsConfig& limits, unsigned shards) {
  std::random_device chance;
  const std::uint64_t seed = (std::uint64_t{chance()} << 32) | chance();
  // Topics spread evenly over the shards, so that an equal share each comes close to the limit of
  // the whole.
  const retained::RetainedLimits share{(limits.retained_messages_max + shards - 1) / shards,
                                       (limits.retained_bytes_max + shards - 1) / shards};
  return std::make_unique<retained::RetainedModule>(share, seed);
}

std::unique_ptr<SessionJournal> house_sessions() {
  return std::make_unique<sessions::SessionModule>();
}

std::unique_ptr<SystemTopics> house_system_topics() {
  return std::make_unique<sys::SysModule>(std::string(kVersion));
}

std::vector<std::unique_ptr<Service>> house_services(
    const Config& config, unsigned shards, const std::vector<rules::PlacedRule>& rules,
    const std::shared_ptr<SinkQueues>& sinks, const std::shared_ptr<shadow::Presence>& presence,
    const rules::Outside& outside) {
  std::vector<std::unique_ptr<Service>> services;
  if (config.modules.shadow) {
    services.push_back(std::make_unique<shadow::ShadowService>(
        config.shadow, config.shadow.cache_bytes / shards, presence));
  }
  if (config.modules.events) {
    services.push_back(std::make_unique<shadow::LifecycleEvents>());
    services.push_back(std::make_unique<rules::DropEvents>());
  }
  if (config.modules.rules)
    services.push_back(
        std::make_unique<rules::RulesService>(config.rules, rules, read_zone_file, sinks, outside));
  return services;
}

Result<void> check_rules(const Config& config, const plugins::PluginSet& plugins) {
  if (!config.modules.rules) return {};
  for (const RuleConfig& rule : config.rule) {
    if (const auto compiled = rules::CompiledRule::compile(rule, &plugins); !compiled)
      return compiled.error();
    for (const auto* actions : {&rule.actions, &rule.error_actions})
      for (const RuleActionConfig& action : *actions)
        if (action.kind == RuleActionKind::Plugin && !plugins.has_action(action.plugin))
          return Error{
              ErrorCode::InvalidConfig,
              "rule \"" + rule.name + "\": no plugin has the action \"" + action.plugin + "\""};
  }
  return {};
}

std::string needs_restart(const Config& now, const Config& next) {
  std::string keys;
  const auto compare = [&](bool same, std::string_view key) {
    if (same) return;
    if (!keys.empty()) keys += ' ';
    keys += key;
  };
  compare(now.data_dir == next.data_dir, "data_dir");
  compare(now.node.shards == next.node.shards, "node.shards");
  compare(now.storage == next.storage, "storage");
  compare(now.modules.sessions == next.modules.sessions &&
              now.modules.retained == next.modules.retained &&
              now.modules.access == next.modules.access && now.modules.sys == next.modules.sys &&
              now.modules.shadow == next.modules.shadow &&
              now.modules.events == next.modules.events && now.modules.rules == next.modules.rules,
          "modules");
  compare(now.shadow == next.shadow, "shadow");
  compare(now.sys == next.sys, "sys");
  compare(now.http == next.http, "http");
  compare(now.admin.enabled == next.admin.enabled && now.admin.socket == next.admin.socket,
          "admin");
  compare(now.plugin == next.plugin, "plugin");
  return keys;
}

}  // namespace twinmq::app
