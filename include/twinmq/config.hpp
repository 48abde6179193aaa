#pragma once
// What a broker can be told, as plain values whose defaults are the documented ones. A file is one
// way to make a Config (the daemon's); a host program sets the fields.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <twinmq/result.hpp>
#include <twinmq/store.hpp>
#include <twinmq/time.hpp>

namespace twinmq {

/// The file of a Unix socket.
struct UnixSocketConfig {
  std::string owner;          ///< "user", "user:group" or ":group"; empty: the process's own
  std::string mode = "0660";  ///< octal
  bool identity = false;      ///< a client without user name is the user its process runs as
};

/// What a WebSocket listener asks of its clients.
struct WebSocketConfig {
  std::vector<std::string> origins;            ///< of pages that may connect; empty: all
  std::uint32_t frame_bytes_max = 33'554'432;  ///< 125..2147483647
  std::uint32_t request_bytes_max = 8192;      ///< of the HTTP request, 1024..65536
};

/// What a TLS listener asks of its clients' certificates.
enum class TlsVerify : std::uint8_t {
  None,      ///< it asks for none
  Optional,  ///< one that is sent must be good
  Required,
};

/// Which part of a client's certificate names the user.
enum class TlsIdentity : std::uint8_t { None, CommonName, AlternativeName, Fingerprint };

enum class TlsVersion : std::uint8_t { Tls12, Tls13 };

/// TLS of a listener (mqtts, wss). Files are PEM unless said otherwise, and are read again when
/// they change.
struct TlsConfig {
  std::string certificate;                     ///< with its chain, the server's own first
  std::string key;                             ///< empty: in the file of the certificate
  std::string key_password_file;               ///< first line: what the keys are encrypted with
  std::vector<std::string> more_certificates;  ///< for other names (SNI) or kinds of key
  std::vector<std::string> more_keys;  ///< in the same order; empty: in the certificates' files
  std::string ca;                      ///< authorities whose clients may enter
  std::string crl;                     ///< certificates they have revoked
  TlsVerify verify = TlsVerify::None;
  TlsIdentity identity = TlsIdentity::None;
  std::string fingerprints;   ///< SHA-256, one per line; empty: any certificate of the authorities
  bool recheck_live = false;  ///< changed trust closes connections it would refuse
  std::string ocsp;           ///< a response for stapling, DER
  std::string psk_file;       ///< "identity:hexadecimal key" per line
  TlsVersion version_min = TlsVersion::Tls12;
  std::string ciphers;       ///< of TLS 1.2, OpenSSL's notation; empty: forward secret AEAD
  std::string ciphersuites;  ///< of TLS 1.3; empty: all
  std::string groups;        ///< for the key exchange; empty: OpenSSL's
  std::vector<std::string>
      protocols;        ///< ALPN; empty: mqtt and x-amzn-mqtt-ca, or http/1.1 with wss
  bool tickets = true;  ///< clients may resume sessions
};

/// One address the broker listens on.
struct ListenerConfig {
  /// mqtt://host:port, ws://host:port/path or unix:///path; port 0 picks a free one.
  std::string url = "mqtt://127.0.0.1:1883";
  std::string name;                      ///< for logs and access rules; empty: the url
  std::optional<bool> anonymous;         ///< unset: access.anonymous
  std::optional<Durability> durability;  ///< of what is published here; unset: storage.durability
  std::uint32_t connections_max = 0;     ///< 0: limits.connections_max alone counts
  bool proxy_protocol = false;           ///< a PROXY header comes first, from a trusted proxy
  std::vector<std::string> trusted_proxies;  ///< empty: access.trusted_proxies
  UnixSocketConfig unix_socket;
  WebSocketConfig websocket;
  TlsConfig tls;
};

struct NodeConfig {
  std::uint32_t shards = 0;  ///< event loops, one thread each; 0: one per core, at most 64
  bool watch_config = true;  ///< the daemon reloads when its configuration file changes, as on HUP
};

/// What the store on disk is tuned for.
enum class StorageProfile : std::uint8_t {
  Gateway,  ///< a device with 256 MB and flash: small buffers, few writes
  Server,   ///< throughput
};

enum class StorageCompression : std::uint8_t { None, Lz4, Zstd };

struct StorageConfig {
  /// Unset: the strongest the store can give, which is fsync with a data directory.
  std::optional<Durability> durability;
  /// Topic filters whose messages have a level of their own, the strongest that matches.
  std::vector<std::string> fsync_filters;
  std::vector<std::string> os_filters;
  std::vector<std::string> none_filters;
  StorageProfile profile = StorageProfile::Server;
  std::optional<std::uint64_t>
      cache_bytes;  ///< blocks and write buffers together; unset: by profile
  std::optional<std::uint64_t>
      write_buffer_bytes;  ///< what is not yet in tables; unset: by profile
  std::optional<std::uint64_t>
      log_bytes_max;  ///< write-ahead log, read at start; unset: by profile
  StorageCompression compression = StorageCompression::Lz4;
  /// Below it the broker refuses what would have to be stored; unset: by profile.
  std::optional<std::uint64_t> free_bytes_min;
  std::uint64_t bytes_max = 0;  ///< the store may take on disk, beyond it the same; 0: all there is
  bool strict = false;          ///< damaged data refuse the start instead of being set aside
  std::string encryption_key;   ///< 64 hexadecimal digits; empty: nothing is encrypted
  std::string encryption_previous_key;  ///< the one so far, when encryption_key is a new one

  bool operator==(const StorageConfig&) const = default;
};

struct ModulesConfig {
  bool sessions = true;  ///< QoS persistence; off: every session ends with its connection
  bool retained = true;
  bool access = true;  ///< off: everybody may do everything
  bool sys = true;     ///< $SYS topics
  bool shadow = true;  ///< device shadows
  bool events = true;  ///< $aws/events: who connects, disconnects, subscribes
  bool rules = true;   ///< rules over messages, where there are any
};

/// What the broker offers to clients; announced in CONNACK where MQTT 5 has a field.
struct MqttConfig {
  std::uint16_t receive_maximum =
      1000;                           ///< unacknowledged QoS 1/2 messages from one client, 1..65535
  std::uint16_t inflight_max = 1000;  ///< unacknowledged QoS 1/2 messages to one client, 1..65535
  std::uint16_t topic_alias_maximum = 64;  ///< aliases a client may set, 0..65535
  std::uint16_t topic_alias_send_max =
      16;                            ///< aliases the broker sets towards a client that allows them
  std::uint16_t keep_alive_max = 0;  ///< seconds; 0: whatever the client asks, also none
  std::uint32_t packet_size_max = 16'777'216;  ///< bytes, 1024..268435460
  std::uint8_t qos_max = 2;                    ///< 0..2
  bool retain_available = true;
  bool wildcard_available = true;
  bool shared_available = true;
  std::uint32_t session_expiry_max = 604'800;  ///< seconds; 4294967295: no limit
  std::uint32_t session_expiry_v3 = 604'800;   ///< seconds, of 3.1.1 sessions with clean session 0
  std::uint32_t client_id_bytes_max = 256;     ///< 23..65535
  /// Receive Maximum exceeded by a client: "enforce" (0x93 and close) or "warn" (log and go on).
  bool receive_maximum_enforced = true;
};

/// What one message does when the queue of a session is full.
enum class QueueFullV3 : std::uint8_t {
  Close,   ///< the MQTT 3.1.1 publisher is closed without acknowledgement: nothing acknowledged is
           ///< lost
  Accept,  ///< it is acknowledged; the drop is counted and logged
};

struct LimitsConfig {
  std::uint32_t connections_max = 1'000'000;
  std::uint32_t connections_per_address_max = 0;    ///< of one client address; 0: no limit
  std::uint32_t connect_timeout_seconds = 10;       ///< from accept to CONNECT
  std::uint32_t handshake_timeout_seconds = 10;     ///< of TLS, WebSocket and PROXY, from accept
  std::uint32_t handshakes_max = 1024;              ///< at the same time; further clients wait
  std::uint32_t connect_packet_size_max = 262'144;  ///< bytes, before authentication
  std::uint32_t authentication_timeout_seconds = 30;
  std::uint32_t queue_messages_max = 100'000;   ///< waiting for one session, in flight included
  std::uint64_t queue_bytes_max = 268'435'456;  ///< of the same
  std::uint64_t queue_messages_total_max = 1'000'000'000;  ///< of all sessions together
  std::uint64_t queue_bytes_total_max = 1'099'511'627'776;
  std::uint64_t queue_memory_bytes =
      67'108'864;  ///< of all queues together; the rest waits on disk
  std::uint64_t output_bytes_max =
      16'777'216;  ///< encoded and not yet taken by one client's socket
  QueueFullV3 queue_full_v3 = QueueFullV3::Close;
  std::vector<std::string>
      queue_back_pressure;  ///< topic filters whose publishers wait for a full queue
  std::vector<std::string>
      queue_drop_oldest;  ///< topic filters whose messages make room in a full queue
  std::vector<std::string> queue_drop_newest;    ///< and those that give way to what waits
  std::uint32_t subscriptions_max = 1'000'000;   ///< of one session
  std::uint32_t subscribe_entries_max = 10'000;  ///< filters in one SUBSCRIBE or UNSUBSCRIBE
  std::uint32_t topic_levels_max = 128;
  std::uint32_t user_properties_max = 1'000;  ///< in one packet
  std::uint64_t retained_messages_max = 10'000'000;
  std::uint64_t retained_bytes_max = 4'294'967'296;
  std::uint32_t turn_packets_max = 2'000;  ///< of one connection before others get their turn
  std::uint32_t callback_warning_milliseconds =
      100;  ///< a host callback that takes longer is named
  std::uint8_t hops_max =
      8;  ///< services of the broker that a message may set off one after the other
  std::uint32_t log_repeats_max =
      100;  ///< lines of one kind about refused or closed clients, in ten seconds and shard
};

struct AccessConfig {
  /// Unset: allowed on loopback listeners while no file names users.
  std::optional<bool> anonymous;
  std::string password_file;  ///< Mosquitto's format; empty: none
  std::string scram_file;     ///< users and keys for SCRAM-SHA-256 and -512; empty: none
  std::string token_file;     ///< hashed tokens that serve as passwords; empty: none
  std::string acl_file;       ///< Mosquitto's format; empty: everything is allowed
  /// Addresses, networks and "unix" that may tell another address than their own, by PROXY headers
  /// and X-Forwarded-For.
  std::vector<std::string> trusted_proxies = {"127.0.0.0/8", "::1", "unix"};
  bool client_id_bound = true;  ///< a client identifier belongs to the principal that first used it
};

enum class ShadowProfile : std::uint8_t {
  TwinMq,
  Aws,  ///< with AWS's quotas where nothing else is set
};

/// What documents must keep to: JSON Schema, draft 2020-12, of {"desired": …, "reported": …}.
struct ShadowSchemaConfig {
  std::string thing = "*";  ///< of which things, each * standing for any characters
  std::string name;         ///< of which of their shadows, likewise; empty: the classic one
  std::string file;         ///< where it was read
  std::string document;     ///< JSON

  bool operator==(const ShadowSchemaConfig&) const = default;
};

/// Device shadows. What AWS documents is not for choice; the rest is.
struct ShadowConfig {
  ShadowProfile profile = ShadowProfile::TwinMq;
  std::uint32_t document_bytes_max = 8192;  ///< desired and reported as compact JSON
  std::uint32_t depth_max = 8;              ///< levels of desired and reported, 1..256
  std::uint32_t token_bytes_max = 64;
  std::uint32_t payload_bytes_max = 131'072;  ///< of a request
  std::optional<std::uint32_t>
      requests_per_second_max;  ///< of one shadow; 0: any; unset: by profile
  std::optional<std::uint32_t>
      inflight_max;                    ///< unanswered, of one client about one thing; as above
  std::uint32_t tombstone_hours = 48;  ///< how long the version of a deleted shadow counts on
  bool strict_state = false;         ///< members of state but desired, reported, delta are refused
  bool first_version_one = false;    ///< version 1 may create a shadow, as 0 may
  bool delta_metadata = false;       ///< a full document repeats the metadata of its delta
  bool cbor_events = false;          ///< delta, documents and removed are told in CBOR, too
  bool missing_names_thing = false;  ///< "thing~shadow" in the 404 of a named shadow
  bool keep_null_objects = false;    ///< a new object of nulls only is kept as {}
  std::uint64_t cache_bytes = 67'108'864;  ///< documents kept in memory, all shards together
  std::vector<ShadowSchemaConfig> schemas;
  std::uint32_t history_versions = 0;  ///< kept of each shadow, 0..1000
  std::uint32_t history_hours = 0;     ///< older ones go; 0: any
  bool queries = false;                ///< queries over all shadows
  std::vector<std::string> indexes;    ///< paths that queries find quickly: "reported.battery"

  bool operator==(const ShadowConfig&) const = default;
};

/// The HTTP listeners.
struct HttpConfig {
  std::uint32_t request_bytes_max = 8192;  ///< request line and headers, 1024..65536
  std::uint32_t body_bytes_max = 1'048'576;
  std::uint32_t request_timeout_seconds = 10;  ///< from the first byte of a request to its last
  std::uint32_t idle_timeout_seconds = 60;     ///< between requests of one connection

  bool operator==(const HttpConfig&) const = default;
};

/// What one evaluation of a rule may take.
struct RulesConfig {
  std::uint32_t steps_max = 500'000;  ///< instructions, and a share for each byte worked on
  std::uint32_t memory_bytes_max = 4'194'304;
  std::uint32_t state_cells_max =
      100'000;  ///< remembered by one rule: a function's and a partition's each
  std::string account_id = "123456789012";  ///< what accountid() says: 12 digits
  std::vector<std::string>
      file_directories;                   ///< below which file actions may write; empty: nowhere
  std::vector<std::string> http_targets;  ///< beginnings of addresses that http actions may reach
  std::vector<std::string> secrets;       ///< "NAME=file:/PATH" or "NAME=env:VARIABLE"
  std::string lookup_directory;           ///< of the tables of lookup(); empty: none
  std::string descriptor_directory;  ///< of the descriptors of decode(…, 'proto', …); empty: none
  std::uint64_t files_bytes_max = 67'108'864;  ///< what both take in memory

  bool operator==(const RulesConfig&) const = default;
};

enum class RuleActionKind : std::uint8_t {
  Republish,  ///< publishes the result
  Shadow,     ///< updates a device shadow with the result
  Log,        ///< a line in the broker's log
  File,       ///< a line in a file, through a durable queue
  Http,       ///< a POST to a server, through a durable queue
  Plugin,     ///< a plugin's action, through a durable queue
};

/// What a rule does with its result. Texts marked T may hold ${expressions} over the message.
struct RuleActionConfig {
  RuleActionKind kind = RuleActionKind::Republish;
  std::string topic;         ///< Republish, T; "$$" at its begin means "$"
  std::string payload;       ///< Republish, T; empty: the result as JSON
  std::uint8_t qos = 0;      ///< Republish
  bool retain = false;       ///< Republish
  std::string content_type;  ///< Republish, T; so are the next three
  std::string response_topic;
  std::string correlation_data;
  std::string message_expiry;  ///< Republish, T: seconds; empty: never
  std::string payload_format;  ///< Republish, T: "UTF8_DATA"; empty: "UNSPECIFIED_BYTES"
  std::vector<std::string> user_properties;  ///< "name=value"
  std::string thing;                         ///< Shadow, T
  std::string shadow;                        ///< Shadow, T; empty: the classic one
  std::string message;                       ///< Log, T; empty: the result
  std::string path;                  ///< File: absolute, below one of rules.file_directories
  std::string format = "json";       ///< File: "json" or "csv"
  std::vector<std::string> columns;  ///< File: of CSV, members of the result
  std::uint64_t rotate_bytes = 104'857'600;  ///< File: a new one beyond; 0: never
  std::uint64_t rotate_seconds = 0;          ///< File: a new one when so old; 0: never
  std::uint64_t files_max = 10;              ///< File: older ones are removed; 0: never
  std::string url;                           ///< Http, T: below one of rules.http_targets
  std::vector<std::string> headers;          ///< Http, T: "Name: value"
  std::string body = "single";               ///< Http: "single", "array" (of JSON) or "lines"
  bool gzip = false;                         ///< Http
  bool batch_across_topics = true;    ///< Http: false: a request's results come from one topic
  std::string ca_file;                ///< Http: authorities in PEM; empty: the system's
  std::string plugin;                 ///< Plugin: the action's name
  std::string plugin_options = "{}";  ///< Plugin: a JSON object
  std::uint64_t timeout_milliseconds = 30'000;  ///< Http, Plugin
  std::uint64_t batch_max = 100;                ///< File, Http, Plugin: results delivered together
  std::uint64_t batch_bytes_max = 1'048'576;    ///< File, Http, Plugin: bytes delivered together
  std::uint64_t linger_milliseconds =
      0;                                ///< File, Http, Plugin: waits that long for a batch to fill
  std::uint64_t queue_max = 1'000'000;  ///< File, Http, Plugin: results that may wait
  std::uint64_t queue_bytes_max = 1'073'741'824;
  std::string queue_full =
      "reject";  ///< File, Http, Plugin: "reject", "drop_oldest" or "drop_newest"

  bool operator==(const RuleActionConfig&) const = default;
};

struct RuleConfig {
  std::string name;  ///< letters, digits and _, 1..128
  std::string sql;
  std::string sql_version;         ///< empty: "twinmq" in the dialect twinmq, else 2016-03-23
  std::string dialect = "twinmq";  ///< or "aws"
  std::string description;
  bool enabled = true;
  bool persist = false;                         ///< what its functions remember survives a restart
  std::vector<RuleActionConfig> actions;        ///< at most 10
  std::vector<RuleActionConfig> error_actions;  ///< at most one; it sees failures of the others

  bool operator==(const RuleConfig&) const = default;
};

/// A plugin to load: <twinmq/plugin.hpp>.
struct PluginConfig {
  std::string name;  ///< for the log; letters, digits and _, 1..128
  std::string path;  ///< of the shared library; a name without folder: one of the shipped
  std::uint64_t deadline_milliseconds = 100;  ///< for a call that is not fast
  std::uint64_t workers = 2;                  ///< threads for such calls, 1..64
  std::string options = "{}";                 ///< a JSON object; the plugin says what it may hold
  std::string place;  ///< for complaints: "twinmq.toml:12:1"; empty: not from a file

  bool operator==(const PluginConfig& other) const {
    return name == other.name && path == other.path &&
           deadline_milliseconds == other.deadline_milliseconds && workers == other.workers &&
           options == other.options;
  }
};

struct SysConfig {
  std::uint32_t interval_seconds = 10;

  bool operator==(const SysConfig&) const = default;
};

enum class LogLevel : std::uint8_t { Debug, Info, Warning, Error };

/// How administrators reach a daemon.
struct AdminConfig {
  bool enabled = true;
  std::string socket;  ///< path; empty: twinmq.sock in data_dir, or in the user's runtime directory
                       ///< without one
  std::vector<std::string> principals;  ///< who may manage over HTTP; empty: nobody
};

struct LogConfig {
  LogLevel level = LogLevel::Info;
  bool json = false;  ///< JSON lines instead of text
  std::string file;   ///< empty: standard error
};

struct Config {
  std::string data_dir;  ///< empty: none, nothing outlives the process
  NodeConfig node;
  StorageConfig storage;
  std::vector<ListenerConfig>
      listeners;  ///< empty is legal for a host that publishes in-process only
  ModulesConfig modules;
  MqttConfig mqtt;
  LimitsConfig limits;
  AccessConfig access;
  SysConfig sys;
  ShadowConfig shadow;
  HttpConfig http;
  RulesConfig rules;
  std::vector<RuleConfig> rule;  ///< those of the file
  std::vector<PluginConfig> plugin;
  AdminConfig admin;
  LogConfig log;

  /// Every complaint, each naming the key, what was found and what is allowed; empty: the Config is
  /// sound.
  std::vector<Error> validate() const;
};

}  // namespace twinmq
