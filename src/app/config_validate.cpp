#include "app/config_validate.hpp"

#include <algorithm>
#include <charconv>
#include <map>

#include <fmt/format.h>

#include "app/config_keys.hpp"
#include "app/rule_secrets.hpp"
#include "modules/rules/compiled_rule.hpp"
#include "modules/shadow/schema.hpp"
#include "mqtt/topic.hpp"
#include "net/address_list.hpp"
#include "net/listener_url.hpp"
#include "sinks/file_sink.hpp"
#include "sinks/http_target.hpp"
#include "storage/key_ring.hpp"

namespace twinmq {
namespace app {
namespace {

void check_ranges(const Config& config, std::vector<ConfigComplaint>& complaints) {
  for (const ConfigKey& key : config_keys()) {
    const std::size_t count = key.of_listener() ? config.listeners.size() : 1;
    for (std::size_t i = 0; i < count; ++i) {
      const ConfigValue value = key.get(config, i);
      if (auto complaint = value_complaint(key, value, toml_value(value))) {
        complaints.push_back({config_key_path(key, i), *std::move(complaint)});
      }
    }
  }
}

/// Whoever enters has shown who it is, whatever else is configured.
bool certificates_name_users(const ListenerConfig& listener, const net::ListenerUrl& url) {
  const TlsConfig& tls = listener.tls;
  if (!url.encrypted()) return false;
  return tls.certificate.empty()
             ? !tls.psk_file.empty()
             : tls.verify == TlsVerify::Required && tls.identity != TlsIdentity::None;
}

bool names_users(const AccessConfig& access) {
  return !access.password_file.empty() || !access.scram_file.empty() || !access.token_file.empty();
}

/// An open port that nobody configured access for is the oldest way to lose a plant.
void check_exposure(const Config& config, std::size_t index, const net::ListenerUrl& url,
                    std::vector<ConfigComplaint>& complaints) {
  const ListenerConfig& listener = config.listeners[index];
  if (url.loopback() || certificates_name_users(listener, url) || listener.anonymous ||
      config.access.anonymous || names_users(config.access)) {
    return;
  }
  complaints.push_back({fmt::format("listener[{}].url", index),
                        fmt::format("found {}, which other machines can reach while nothing says "
                                    "who may connect; add one of: "
                                    "password_file = \"FILE\" under [access] (make its entries "
                                    "with: twinmq passwd FILE USER), "
                                    "anonymous = true under [access] (everybody may connect), or "
                                    "anonymous = true or false to "
                                    "this [[listener]]",
                                    toml_quoted(listener.url))});
}

void check_filters(std::string_view key, const std::vector<std::string>& filters,
                   std::vector<ConfigComplaint>& complaints) {
  for (const std::string& filter : filters)
    if (!mqtt::is_valid_topic_filter(filter, 65'535))
      complaints.push_back(
          {std::string(key), fmt::format("found {}, which is no topic filter; allowed: "
                                         "one like \"telemetry/#\"",
                                         toml_quoted(filter))});
}

void check_proxies(const std::string& key, const std::vector<std::string>& entries,
                   std::vector<ConfigComplaint>& complaints) {
  const auto list = net::AddressList::parse(entries);
  if (!list) complaints.push_back({key, list.error().detail});
}

void check_tls(const ListenerConfig& listener, std::size_t index, const net::ListenerUrl& url,
               std::vector<ConfigComplaint>& complaints) {
  const TlsConfig& tls = listener.tls;
  const auto complain = [&](std::string_view key, std::string text) {
    complaints.push_back({fmt::format("listener[{}].tls.{}", index, key), std::move(text)});
  };
  if (!url.encrypted()) {
    if (!tls.certificate.empty() || !tls.psk_file.empty() || tls.verify != TlsVerify::None) {
      complain("certificate",
               fmt::format("found TLS for {}, which is not encrypted; allowed: a url "
                           "of mqtts://, or no keys of tls",
                           toml_quoted(listener.url)));
    }
    return;
  }
  if (tls.certificate.empty() && tls.psk_file.empty())
    complain("certificate", "found none; allowed: a file, or a psk_file");
  if (!tls.more_keys.empty() && tls.more_keys.size() != tls.more_certificates.size()) {
    complain("more_keys", fmt::format("found {} for {} certificates; allowed: as many, or none",
                                      tls.more_keys.size(), tls.more_certificates.size()));
  }
  if (tls.verify != TlsVerify::None && tls.ca.empty())
    complain("ca", "found none while certificates are verified; allowed: a file of authorities");
}

void check_listeners(const Config& config, std::vector<ConfigComplaint>& complaints) {
  std::map<std::string, std::size_t> urls;
  std::map<std::string, std::size_t> names;
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    const ListenerConfig& listener = config.listeners[i];
    auto url = net::parse_listener_url(listener.url);
    if (!url) {
      complaints.push_back({fmt::format("listener[{}].url", i), url.error().detail});
      continue;
    }
    check_exposure(config, i, *url, complaints);
    check_proxies(fmt::format("listener[{}].trusted_proxies", i), listener.trusted_proxies,
                  complaints);
    check_tls(listener, i, *url, complaints);
    if (!unix_mode(listener)) {
      complaints.push_back({fmt::format("listener[{}].unix.mode", i),
                            fmt::format("found {}, allowed: an octal number like \"0660\"",
                                        toml_quoted(listener.unix_socket.mode))});
    }
    if (const auto [other, fresh] = urls.emplace(listener.url, i); !fresh && url->port != 0) {
      complaints.push_back(
          {fmt::format("listener[{}].url", i),
           fmt::format("found {}, which listener[{}] has already; allowed: an address of its own",
                       toml_quoted(listener.url), other->second)});
    }
    if (listener.name.empty()) continue;
    if (const auto [other, fresh] = names.emplace(listener.name, i); !fresh) {
      complaints.push_back(
          {fmt::format("listener[{}].name", i),
           fmt::format("found {}, which listener[{}] has already; allowed: a name of its own",
                       toml_quoted(listener.name), other->second)});
    }
  }
}

/// Files that name users and rules, and a switch that ignores them: one of the two is a mistake.
void check_access(const Config& config, std::vector<ConfigComplaint>& complaints) {
  if (config.modules.access) return;
  const auto ignored = [&](std::string_view key, const std::string& value) {
    if (value.empty()) return;
    complaints.push_back(
        {std::string(key), fmt::format("found {} while modules.access is false, which would let "
                                       "everybody do everything; allowed: modules.access = true, "
                                       "or no file",
                                       toml_quoted(value))});
  };
  ignored("access.password_file", config.access.password_file);
  ignored("access.scram_file", config.access.scram_file);
  ignored("access.token_file", config.access.token_file);
  ignored("access.acl_file", config.access.acl_file);
}

void check_encryption(const Config& config, std::vector<ConfigComplaint>& complaints) {
  const auto check = [&](const char* name, const std::string& text) {
    if (text.empty()) return;
    if (const auto key = storage::parse_cipher_key(text); !key)
      complaints.push_back({name, key.error().detail});
  };
  check("storage.encryption_key", config.storage.encryption_key);
  check("storage.encryption_previous_key", config.storage.encryption_previous_key);
  if (config.storage.encryption_key.empty() && !config.storage.encryption_previous_key.empty()) {
    complaints.push_back({"storage.encryption_previous_key",
                          "found while storage.encryption_key is empty; what is encrypted stays "
                          "encrypted"});
  }
}

}  // namespace

namespace {

bool has_secret(const RulesConfig& rules, const std::string& name) {
  return std::any_of(rules.secrets.begin(), rules.secrets.end(),
                     [&](const std::string& entry) { return entry.starts_with(name + "="); });
}

void check_secrets(const RulesConfig& rules, const std::string& key, const std::string& header,
                   std::vector<ConfigComplaint>& complaints) {
  const auto names = secret_names(header);
  if (!names) {
    complaints.push_back({key, "headers: " + names.error().detail});
    return;
  }
  for (const std::string& name : *names)
    if (!has_secret(rules, name))
      complaints.push_back(
          {key, fmt::format("headers: the secret \"{}\" is none of rules.secrets", name)});
}

// Rules write files and call servers only where the administrator said so.
void check_reach(const RulesConfig& limits, const std::string& key, const RuleActionConfig& action,
                 std::vector<ConfigComplaint>& complaints) {
  if (action.kind == RuleActionKind::File) {
    if (const auto place = sinks::check_file_place(action.path, limits.file_directories); !place)
      complaints.push_back({key, "path: " + place.error().detail});
  }
  if (action.kind == RuleActionKind::Http) {
    if (const auto reached = sinks::check_http_template(action.url, limits.http_targets); !reached)
      complaints.push_back({key, "url: " + reached.error().detail});
    for (const std::string& header : action.headers)
      if (!rules::depends_on_message(header)) check_secrets(limits, key, header, complaints);
  }
}

void check_rules(const Config& config, std::vector<ConfigComplaint>& complaints) {
  if (const auto sound = RuleSecrets::check(config.rules.secrets); !sound)
    complaints.push_back({"rules.secrets", sound.error().detail});
  for (const std::string& target : config.rules.http_targets)
    if (const auto sound = sinks::check_http_target(target); !sound)
      complaints.push_back({"rules.http_targets", sound.error().detail});
  for (std::size_t i = 0; i < config.rule.size(); ++i) {
    const RuleConfig& rule = config.rule[i];
    const std::string key = fmt::format("rule[{}]", i);
    for (std::size_t k = 0; k < i; ++k)
      if (config.rule[k].name == rule.name)
        complaints.push_back({key, fmt::format("the name \"{}\" is taken", rule.name)});
    if (const auto compiled = rules::CompiledRule::compile(rule); !compiled)
      complaints.push_back({key, compiled.error().detail});
    for (const auto* actions : {&rule.actions, &rule.error_actions})
      for (const RuleActionConfig& action : *actions)
        check_reach(config.rules, key, action, complaints);
  }
}

void check_account(const RulesConfig& rules, std::vector<ConfigComplaint>& complaints) {
  if (rules.account_id.size() != 12 ||
      rules.account_id.find_first_not_of("0123456789") != std::string::npos)
    complaints.push_back(
        {"rules.account_id", fmt::format("found \"{}\", allowed: 12 digits", rules.account_id)});
}

void check_schemas(const Config& config, std::vector<ConfigComplaint>& complaints) {
  if (const auto compiled = shadow::SchemaSet::compile(config.shadow.schemas); !compiled)
    complaints.push_back({"shadow.schema", compiled.error().detail});
  constexpr std::size_t kIndexesMax = 16;
  if (config.shadow.indexes.size() > kIndexesMax)
    complaints.push_back({"shadow.indexes", "allowed: at most 16 paths"});
  for (const std::string& path : config.shadow.indexes) {
    const bool below = path.starts_with("desired.") || path.starts_with("reported.");
    if (!below || path.ends_with('.') || path.find("..") != path.npos ||
        path.find('\0') != path.npos)
      complaints.push_back(
          {"shadow.indexes", fmt::format("\"{}\": allowed: a path below desired or reported, "
                                         "such as \"reported.battery\"",
                                         path)});
  }
}

void check_plugins(const Config& config, std::vector<ConfigComplaint>& complaints) {
  for (std::size_t i = 0; i < config.plugin.size(); ++i) {
    const PluginConfig& plugin = config.plugin[i];
    const std::string key = fmt::format("plugin[{}]", i);
    const bool named = !plugin.name.empty() && plugin.name.size() <= 128 &&
                       std::all_of(plugin.name.begin(), plugin.name.end(), [](char c) {
                         return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                                (c >= 'A' && c <= 'Z');
                       });
    if (!named) complaints.push_back({key, "name: allowed: 1 to 128 letters, digits and _"});
    if (plugin.path.empty())
      complaints.push_back({key, "path: allowed: the file of a shared library"});
    if (plugin.deadline_milliseconds == 0 || plugin.workers == 0 || plugin.workers > 64)
      complaints.push_back({key, "allowed: deadline_milliseconds from 1, workers from 1 to 64"});
    for (std::size_t k = 0; k < i; ++k)
      if (config.plugin[k].name == plugin.name)
        complaints.push_back({key, fmt::format("the name \"{}\" is taken", plugin.name)});
  }
}

}  // namespace

std::vector<ConfigComplaint> config_complaints(const Config& config) {
  std::vector<ConfigComplaint> complaints;
  check_ranges(config, complaints);
  check_listeners(config, complaints);
  check_access(config, complaints);
  check_encryption(config, complaints);
  check_filters("storage.fsync_filters", config.storage.fsync_filters, complaints);
  check_filters("storage.os_filters", config.storage.os_filters, complaints);
  check_filters("storage.none_filters", config.storage.none_filters, complaints);
  check_filters("limits.queue_back_pressure", config.limits.queue_back_pressure, complaints);
  check_filters("limits.queue_drop_oldest", config.limits.queue_drop_oldest, complaints);
  check_filters("limits.queue_drop_newest", config.limits.queue_drop_newest, complaints);
  check_proxies("access.trusted_proxies", config.access.trusted_proxies, complaints);
  check_rules(config, complaints);
  check_account(config.rules, complaints);
  check_schemas(config, complaints);
  check_plugins(config, complaints);
  return complaints;
}

Durability built_in_durability_max(const Config& config) {
  return config.data_dir.empty() ? Durability::None : Durability::Fsync;
}

std::vector<ConfigComplaint> durability_complaints(const Config& config, Durability store_max) {
  std::vector<ConfigComplaint> complaints;
  if (config.storage.durability && *config.storage.durability > store_max) {
    complaints.push_back(
        {"storage.durability",
         fmt::format("found \"{}\", but {}; allowed: \"{}\", or no such line",
                     durability_word(*config.storage.durability),
                     durability_reason(config, store_max), durability_word(store_max))});
  }
  // Without a store on disk no message can be kept better than others.
  if (effective_durability(config, store_max) != Durability::None) return complaints;
  const auto refuse = [&](std::string key) {
    complaints.push_back({std::move(key),
                          "with durability none everything is in memory; allowed: no such line, or "
                          "storage.durability \"os\" or \"fsync\""});
  };
  if (!config.storage.fsync_filters.empty()) refuse("storage.fsync_filters");
  if (!config.storage.os_filters.empty()) refuse("storage.os_filters");
  for (std::size_t i = 0; i < config.listeners.size(); ++i)
    if (config.listeners[i].durability.value_or(Durability::None) != Durability::None)
      refuse(fmt::format("listener[{}].durability", i));
  return complaints;
}

Durability effective_durability(const Config& config, Durability store_max) {
  return config.storage.durability.value_or(store_max);
}

std::string durability_reason(const Config& config, Durability store_max) {
  if (store_max == Durability::None) return "the store in use keeps everything in memory";
  if (!config.storage.durability) return "it is the strongest the store gives";
  return *config.storage.durability > store_max
             ? fmt::format("the strongest the store in use gives is \"{}\"",
                           durability_word(store_max))
             : "it was asked for";
}

std::string_view durability_word(Durability durability) {
  switch (durability) {
    case Durability::None: return "none";
    case Durability::OperatingSystem: return "os";
    case Durability::Fsync: return "fsync";
  }
  return "?";
}

std::optional<std::uint32_t> unix_mode(const ListenerConfig& listener) {
  const std::string& text = listener.unix_socket.mode;
  std::uint32_t mode = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
  if (fault != std::errc() || end != text.data() + text.size() || mode > 0777) return std::nullopt;
  return mode;
}

bool anonymous_allowed(const Config& config, const ListenerConfig& listener) {
  if (listener.anonymous) return *listener.anonymous;
  if (config.access.anonymous) return *config.access.anonymous;
  if (names_users(config.access)) return false;
  const auto url = net::parse_listener_url(listener.url);
  return url && url->loopback();
}

}  // namespace app

std::vector<Error> Config::validate() const {
  std::vector<Error> errors;
  for (const app::ConfigComplaint& complaint : app::config_complaints(*this)) {
    errors.push_back(
        {ErrorCode::InvalidConfig, fmt::format("{}: {}", complaint.key, complaint.text)});
  }
  return errors;
}

}  // namespace twinmq
