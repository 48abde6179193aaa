// [modules], and what each of them can be told: [access], [rules], [shadow], [sys].

#include "app/config_key_rows.hpp"

namespace twinmq::app {

std::vector<ConfigKey> modules_keys() {
  using Mo = ModulesConfig;
  constexpr auto modules = &Config::modules;
  return {
      key_of<modules, &Mo::sessions>(
          "modules.sessions",
          "Sessions that outlive their connection; false: none does, and CONNACK says so."),
      key_of<modules, &Mo::retained>(
          "modules.retained", "Retained messages; false: there are none, and CONNACK says so."),
      key_of<modules, &Mo::access>(
          "modules.access", "The checks under [access]; false: everybody may do everything."),
      key_of<modules, &Mo::sys>("modules.sys", "The $SYS topics with facts about the broker."),
      key_of<modules, &Mo::shadow>("modules.shadow", "Device shadows."),
      key_of<modules, &Mo::events>(
          "modules.events",
          "The $aws/events topics: who connects, disconnects, subscribes and unsubscribes; "
          "and $twinmq/events/dropped: messages that somebody does not get."),
      key_of<modules, &Mo::rules>("modules.rules",
                                  "The rules under [[rule]]; conf/rules.toml shows some."),
  };
}

std::vector<ConfigKey> access_keys() {
  using A = AccessConfig;
  constexpr auto access = &Config::access;
  return {
      with_example(key_of<access, &A::anonymous>("access.anonymous",
                                                 "Whether clients without a user name may connect; "
                                                 "not set: on loopback listeners, and only while "
                                                 "no file names users."),
                   "true"),
      key_of<access, &A::password_file>("access.password_file",
                                        "Users and passwords in Mosquitto's format (make entries "
                                        "with twinmq passwd FILE USER); empty: none."),
      key_of<access, &A::scram_file>("access.scram_file",
                                     "Users for SCRAM-SHA-256 and SCRAM-SHA-512, the enhanced "
                                     "authentication of MQTT 5 (make entries with twinmq passwd "
                                     "--scram FILE USER); empty: none."),
      key_of<access, &A::token_file>(
          "access.token_file",
          "Tokens that serve as passwords, each with its user and its end "
          "(make them with twinmq token FILE USER); empty: none."),
      key_of<access, &A::acl_file>(
          "access.acl_file",
          "Who may use which topics, in Mosquitto's format; empty: everything is allowed."),
      key_of<access, &A::trusted_proxies>("access.trusted_proxies",
                                          "Addresses, networks and \"unix\" (Unix sockets) that "
                                          "may tell another address than their "
                                          "own, by PROXY headers and X-Forwarded-For."),
      key_of<access, &A::client_id_bound>("access.client_id_bound",
                                          "Whether a client identifier belongs to the user who "
                                          "first used it while its session lives."),
  };
}

std::vector<ConfigKey> rules_keys() {
  using Ru = RulesConfig;
  constexpr auto rules = &Config::rules;
  return {
      number<rules, &Ru::steps_max>("rules.steps_max", 1000, kU32Max,
                                    "Instructions that one evaluation of a rule may take."),
      number<rules, &Ru::memory_bytes_max>("rules.memory_bytes_max", 65'536, kPacketBytesMax,
                                           "Bytes that one evaluation of a rule may take."),
      number<rules, &Ru::state_cells_max>("rules.state_cells_max", 16, 100'000'000,
                                          "What functions such as lag() and once() of one rule may "
                                          "remember; beyond, the oldest goes."),
      key_of<rules, &Ru::account_id>("rules.account_id",
                                     "What accountid() says in statements: 12 digits."),
      key_of<rules, &Ru::file_directories>(
          "rules.file_directories",
          "Directories below which file actions may write; none: nowhere."),
      key_of<rules, &Ru::http_targets>(
          "rules.http_targets",
          "Addresses that http actions may reach: below each that ends with \"/\"; none: nothing."),
      key_of<rules, &Ru::secrets>("rules.secrets",
                                  "What ${get_secret('NAME')} in headers of http actions stands "
                                  "for: \"NAME=file:/PATH\" or \"NAME=env:VARIABLE\"."),
      key_of<rules, &Ru::lookup_directory>(
          "rules.lookup_directory",
          "Directory of the tables that lookup() reads, *.csv and *.json; empty: none."),
      key_of<rules, &Ru::descriptor_directory>(
          "rules.descriptor_directory",
          "Directory of FileDescriptorSets for decode(…, 'proto', …); empty: none."),
      number<rules, &Ru::files_bytes_max>(
          "rules.files_bytes_max", 4096, std::int64_t{1} << 40,
          "Bytes that tables and descriptors may take in memory; beyond, they are refused."),
  };
}

std::vector<ConfigKey> shadow_keys() {
  using Sh = ShadowConfig;
  constexpr auto shadow = &Config::shadow;
  return {
      key_of<shadow, &Sh::profile>(
          "shadow.profile",
          "Whether requests have the quotas of AWS, where nothing else is set below."),
      number<shadow, &Sh::document_bytes_max>(
          "shadow.document_bytes_max", 64, 268'435'456,
          "Bytes of a document: desired and reported as compact JSON."),
      number<shadow, &Sh::depth_max>("shadow.depth_max", 1, 256,
                                     "Levels of desired and of reported."),
      number<shadow, &Sh::token_bytes_max>("shadow.token_bytes_max", 1, 65'535,
                                           "Bytes of a clientToken."),
      number<shadow, &Sh::payload_bytes_max>("shadow.payload_bytes_max", 64, kPacketBytesMax,
                                             "Bytes of a request."),
      with_example(number<shadow, &Sh::requests_per_second_max>(
                       "shadow.requests_per_second_max", 0, kU32Max,
                       "Requests about one shadow in a second, 0 for any number; not set: 20 with "
                       "the profile aws, "
                       "otherwise any number."),
                   "20"),
      with_example(
          number<shadow, &Sh::inflight_max>("shadow.inflight_max", 0, kU32Max,
                                            "Requests of one client about one thing that wait for "
                                            "their answers, 0 for any number; not set: "
                                            "10 with the profile aws, otherwise any number."),
          "10"),
      number<shadow, &Sh::tombstone_hours>(
          "shadow.tombstone_hours", 0, 87'600,
          "How long the version of a deleted shadow counts on, in hours."),
      key_of<shadow, &Sh::strict_state>(
          "shadow.strict_state",
          "Whether members of state other than desired, reported and delta are refused."),
      key_of<shadow, &Sh::first_version_one>(
          "shadow.first_version_one",
          "Whether a request with version 1 may create a shadow, as one with 0 may."),
      key_of<shadow, &Sh::delta_metadata>(
          "shadow.delta_metadata", "Whether a full document repeats the metadata of its delta."),
      key_of<shadow, &Sh::cbor_events>("shadow.cbor_events",
                                       "Whether delta, documents and removed are told in CBOR too, "
                                       "below $twinmq/things/+/shadow/cbor."),
      key_of<shadow, &Sh::missing_names_thing>(
          "shadow.missing_names_thing",
          "Whether the 404 of a named shadow says 'thing~shadow' instead of 'shadow'."),
      key_of<shadow, &Sh::keep_null_objects>(
          "shadow.keep_null_objects",
          "Whether a new object with nothing but nulls in it is kept as {}."),
      number<shadow, &Sh::history_versions>(
          "shadow.history_versions", 0, 1000,
          "Versions of each shadow that are kept with who made them, when and from where."),
      number<shadow, &Sh::history_hours>("shadow.history_hours", 0, 876'000,
                                         "Hours after which such versions go, 0 for never."),
      key_of<shadow, &Sh::queries>("shadow.queries",
                                   "Whether queries over all shadows are answered, for those who "
                                   "may publish to $twinmq/shadows/query."),
      key_of<shadow, &Sh::indexes>("shadow.indexes",
                                   "Paths such as \"reported.battery\" by which queries find "
                                   "documents without looking at all; at most 16."),
      number<shadow, &Sh::cache_bytes>(
          "shadow.cache_bytes", kCacheBytesMin, kI64Max,
          "Bytes of documents kept in memory; the others are read when asked for."),
  };
}

std::vector<ConfigKey> sys_keys() {
  return {
      number<&Config::sys, &SysConfig::interval_seconds>(
          "sys.interval_seconds", 1, 86'400,
          "Time between updates of the $SYS topics, in seconds."),
  };
}

}  // namespace twinmq::app
