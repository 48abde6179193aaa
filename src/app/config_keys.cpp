#include "app/config_keys.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <type_traits>
#include <vector>

#include <fmt/format.h>

namespace twinmq::app {
namespace {

constexpr std::int64_t kU32Max = std::numeric_limits<std::uint32_t>::max();
constexpr std::int64_t kI64Max = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kPacketBytesMax = 268'435'460;
constexpr std::int64_t kCacheBytesMin = 1'048'576;
constexpr std::int64_t kWriteBufferBytesMin = 262'144;

/// The words of an enumeration, in its order.
template <typename Enum>
constexpr std::array<std::string_view, 0> kWords{};
template <>
constexpr std::array<std::string_view, 3> kWords<Durability>{"none", "os", "fsync"};
template <>
constexpr std::array<std::string_view, 2> kWords<StorageProfile>{"gateway", "server"};
template <>
constexpr std::array<std::string_view, 3> kWords<StorageCompression>{"none", "lz4", "zstd"};
template <>
constexpr std::array<std::string_view, 2> kWords<QueueFullV3>{"close", "accept"};
template <>
constexpr std::array<std::string_view, 3> kWords<TlsVerify>{"none", "optional", "required"};
template <>
constexpr std::array<std::string_view, 4> kWords<TlsIdentity>{"none", "cn", "san", "fingerprint"};
template <>
constexpr std::array<std::string_view, 2> kWords<TlsVersion>{"1.2", "1.3"};
template <>
constexpr std::array<std::string_view, 2> kWords<ShadowProfile>{"twinmq", "aws"};
template <>
constexpr std::array<std::string_view, 4> kWords<LogLevel>{"debug", "info", "warning", "error"};

template <typename T>
struct Plain {
  using Type = T;
  static constexpr bool kOptional = false;
};
template <typename T>
struct Plain<std::optional<T>> {
  using Type = T;
  static constexpr bool kOptional = true;
};

template <typename T>
ConfigValue to_value(const T& field) {
  if constexpr (Plain<T>::kOptional) {
    return field ? to_value(*field) : ConfigValue();
  } else if constexpr (std::is_enum_v<T>) {
    const auto index = static_cast<std::size_t>(field);
    return std::string(index < kWords<T>.size() ? kWords<T>[index] : "?");
  } else if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, std::string> ||
                       std::is_same_v<T, std::vector<std::string>>) {
    return field;
  } else {
    return static_cast<std::int64_t>(std::min<std::uint64_t>(field, kI64Max));
  }
}

template <typename T>
T from_value(const ConfigValue& value) {
  if constexpr (Plain<T>::kOptional) {
    if (std::holds_alternative<std::monostate>(value)) return std::nullopt;
    return from_value<typename Plain<T>::Type>(value);
  } else if constexpr (std::is_enum_v<T>) {
    const auto word = std::find(kWords<T>.begin(), kWords<T>.end(), std::get<std::string>(value));
    return static_cast<T>(word - kWords<T>.begin());
  } else if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, std::string> ||
                       std::is_same_v<T, std::vector<std::string>>) {
    return std::get<T>(value);
  } else {
    return static_cast<T>(std::get<std::int64_t>(value));
  }
}

/// The field that a path of member pointers leads to; a path into ListenerConfig starts at a
/// listener.
template <auto First, auto... Rest, typename ConfigType>
auto& field_of(ConfigType& config, std::size_t listener) {
  if constexpr (std::is_invocable_v<decltype(First), ListenerConfig&>) {
    return ((config.listeners[listener].*First).*....*Rest);
  } else {
    return ((config.*First).*....*Rest);
  }
}

template <auto... Path>
ConfigKey key_of(std::string_view name, std::string_view sentence) {
  using Field = std::remove_reference_t<decltype(field_of<Path...>(std::declval<Config&>(), 0))>;
  using Type = typename Plain<Field>::Type;
  ConfigKey key{.name = name, .sentence = sentence, .optional = Plain<Field>::kOptional};
  if constexpr (std::is_same_v<Type, bool>) key.kind = KeyKind::Boolean;
  if constexpr (std::is_same_v<Type, std::vector<std::string>>) key.kind = KeyKind::List;
  if constexpr (std::is_enum_v<Type>) {
    key.kind = KeyKind::Choice;
    key.choices = kWords<Type>;
  }
  key.get = [](const Config& config, std::size_t listener) {
    return to_value(field_of<Path...>(config, listener));
  };
  key.set = [](Config& config, std::size_t listener, const ConfigValue& value) {
    field_of<Path...>(config, listener) = from_value<Field>(value);
  };
  return key;
}

template <auto... Path>
ConfigKey number(std::string_view name, std::int64_t min, std::int64_t max,
                 std::string_view sentence) {
  ConfigKey key = key_of<Path...>(name, sentence);
  key.kind = KeyKind::Integer;
  key.min = min;
  key.max = max;
  return key;
}

ConfigKey with_example(ConfigKey key, std::string_view example) {
  key.example = example;
  return key;
}

std::vector<ConfigKey> make_keys() {
  using N = NodeConfig;
  using S = StorageConfig;
  using Li = ListenerConfig;
  using U = UnixSocketConfig;
  using W = WebSocketConfig;
  using T = TlsConfig;
  using Mo = ModulesConfig;
  using M = MqttConfig;
  using L = LimitsConfig;
  using A = AccessConfig;
  using Sh = ShadowConfig;
  using Ht = HttpConfig;
  constexpr auto node = &Config::node;
  constexpr auto shadow = &Config::shadow;
  constexpr auto http = &Config::http;
  constexpr auto rules = &Config::rules;
  using Ru = RulesConfig;
  constexpr auto unix_socket = &Li::unix_socket;
  constexpr auto tls = &Li::tls;
  constexpr auto storage = &Config::storage;
  constexpr auto websocket = &Li::websocket;
  constexpr auto modules = &Config::modules;
  constexpr auto mqtt = &Config::mqtt;
  constexpr auto limits = &Config::limits;
  constexpr auto access = &Config::access;
  return {
      key_of<&Config::data_dir>(
          "data_dir",
          "Directory of everything the broker keeps; empty: none, nothing outlives the process."),

      number<node, &N::shards>("node.shards", 0, 64,
                               "Event loops, one thread each; 0: one per core, at most 64."),

      with_example(
          key_of<storage, &S::durability>(
              "storage.durability",
              "What an acknowledgement promises: fsync (survives a power cut), os (survives the "
              "end of the process) or none (memory only, the data directory stays unused); not "
              "set: fsync with a data_dir, none without."),
          "\"fsync\""),
      key_of<storage, &S::fsync_filters>(
          "storage.fsync_filters",
          "Topic filters: publishes to such topics are acknowledged as with durability fsync, whatever the "
          "listener's or the broker's is."),
      key_of<storage, &S::os_filters>(
          "storage.os_filters",
          "Topic filters: publishes to such topics are acknowledged as with durability os, unless a stronger level "
          "is meant for them, too."),
      key_of<storage, &S::none_filters>(
          "storage.none_filters",
          "Topic filters: QoS 1 publishes to such topics are acknowledged at once and stored a moment later, unless "
          "a stronger level is meant for them, too."),
      key_of<storage, &S::profile>(
          "storage.profile",
          "What the store is tuned for: gateway (a device with 256 MB and flash) or server."),
      with_example(number<storage, &S::cache_bytes>(
                       "storage.cache_bytes", kCacheBytesMin, kI64Max,
                       "Memory of the store, write buffers included, in bytes; not set: 4 MiB for "
                       "gateway, 256 MiB for server."),
                   "268435456"),
      with_example(number<storage, &S::write_buffer_bytes>(
                       "storage.write_buffer_bytes", kWriteBufferBytesMin, kI64Max,
                       "Memory for what is written and not yet in tables, in bytes; not set: 2 MiB "
                       "for gateway, 128 MiB for server. More means fewer writes in all."),
                   "134217728"),
      with_example(number<storage, &S::log_bytes_max>(
                       "storage.log_bytes_max", kWriteBufferBytesMin, kI64Max,
                       "Write-ahead log, in bytes; each MiB takes about 20 ms at start; not set: 8 "
                       "MiB for gateway, 128 MiB for server."),
                   "134217728"),
      key_of<storage, &S::compression>("storage.compression",
                                       "Compression of tables on disk; zstd takes less room and "
                                       "more time than lz4."),
      with_example(number<storage, &S::free_bytes_min>(
                       "storage.free_bytes_min", 0, kI64Max,
                       "Free bytes on the disk below which messages that would have to be stored "
                       "are refused (0x97) until there is room again; not set: 16 MiB for gateway, "
                       "256 MiB for server."),
                   "268435456"),
      number<storage, &S::bytes_max>(
          "storage.bytes_max", 0, kI64Max,
          "Bytes the store may take on disk; beyond it messages are refused in the same way; 0: all that is free."),
      key_of<storage, &S::strict>(
          "storage.strict",
          "Whether damaged data refuse the start; false: what is damaged is set aside in "
          "quarantine/ under data_dir, the log says exactly what, and the rest is served."),
      key_of<storage, &S::encryption_key>(
          "storage.encryption_key",
          "Key of everything on disk (AES-256), 64 hexadecimal digits, made for instance by openssl "
          "rand -hex 32; best taken from elsewhere, as \"${file:PATH}\" or \"${env:NAME}\"; empty: "
          "nothing is encrypted. Set it before the first start."),
      key_of<storage, &S::encryption_previous_key>(
          "storage.encryption_previous_key",
          "The key so far, when encryption_key is a new one; needed for one start."),

      key_of<&Li::url>("listener.url",
                       "mqtt://host:port, mqtts://host:port, ws://host:port/path, "
                       "wss://host:port/path, http://host:port, https://host:port or unix:///path; port 0 picks a free one, which the "
                       "log names."),
      key_of<&Li::name>("listener.name", "Name for logs and access rules; empty: the url."),
      with_example(
          key_of<&Li::anonymous>(
              "listener.anonymous",
              "Whether clients without a user name may connect here; not set: access.anonymous."),
          "true"),
      with_example(key_of<&Li::durability>(
                       "listener.durability",
                       "What an acknowledgement of a publish over this listener promises: fsync, os or none; not set: "
                       "storage.durability."),
                   "\"os\""),
      number<&Li::connections_max>(
          "listener.connections_max", 0, kU32Max,
          "Connections on this listener; 0: limits.connections_max alone counts."),
      key_of<unix_socket, &U::owner>("listener.unix.owner",
                                     "Who owns the file of a Unix socket: \"user\", \"user:group\" "
                                     "or \":group\"; empty: whoever runs the broker."),
      key_of<unix_socket, &U::mode>("listener.unix.mode",
                                    "Permissions of that file, in octal: who may write to it may "
                                    "connect."),

      key_of<unix_socket, &U::identity>("listener.unix.identity",
                                        "Whether a client of a Unix socket that sends no user name "
                                        "is the user its process runs as."),
      key_of<&Li::proxy_protocol>(
          "listener.proxy_protocol",
          "Whether every connection begins with a PROXY header (version 1 or "
          "2), which tells the client's address; only trusted proxies may "
          "connect then."),
      key_of<&Li::trusted_proxies>("listener.trusted_proxies",
                                   "Instead of access.trusted_proxies; empty: those."),
      key_of<websocket, &W::origins>("listener.websocket.origins",
                                     "Origins of the web pages that may connect, like "
                                     "\"https://example.org\"; empty: all."),
      number<websocket, &W::frame_bytes_max>("listener.websocket.frame_bytes_max", 125,
                                             2'147'483'647,
                                             "Longest WebSocket frame of a client, in bytes."),
      number<websocket, &W::request_bytes_max>("listener.websocket.request_bytes_max", 1024, 65'536,
                                               "Longest HTTP request that opens a WebSocket, in "
                                               "bytes."),
      key_of<tls, &T::certificate>("listener.tls.certificate",
                                   "Certificate of a mqtts listener, PEM, followed by those of its "
                                   "chain. All files of tls are read again when they change."),
      key_of<tls, &T::key>("listener.tls.key", "Key of the certificate; empty: in the same file."),
      key_of<tls, &T::key_password_file>(
          "listener.tls.key_password_file",
          "File whose first line is the password of the keys; empty: they are not encrypted."),
      key_of<tls, &T::more_certificates>("listener.tls.more_certificates",
                                         "Further certificates, for other names that clients ask "
                                         "for (SNI), or with another kind of "
                                         "key for the same names."),
      key_of<tls, &T::more_keys>("listener.tls.more_keys",
                                 "Their keys, in the same order; empty: in the same files."),
      key_of<tls, &T::verify>(
          "listener.tls.verify",
          "Whether clients show a certificate: none, optional (one that is shown "
          "must be good) or required."),
      key_of<tls, &T::ca>("listener.tls.ca",
                          "Authorities whose clients may enter, PEM, with verify."),
      key_of<tls, &T::crl>("listener.tls.crl",
                           "Lists of revoked certificates, PEM, one for each authority that issues "
                           "to clients; empty: none is asked."),
      key_of<tls, &T::fingerprints>(
          "listener.tls.fingerprints",
          "File with the SHA-256 fingerprints of the only certificates that "
          "may enter, one per line; empty: all that are good."),
      key_of<tls, &T::identity>("listener.tls.identity",
                                "What of a client's certificate is its user name, and stands for a "
                                "password: none, cn, san (the first DNS name, URI or mail address) "
                                "or fingerprint."),
      key_of<tls, &T::recheck_live>("listener.tls.recheck_live",
                                    "Whether changed ca, crl, fingerprints or psk_file close live "
                                    "connections that could not enter any more."),
      key_of<tls, &T::psk_file>(
          "listener.tls.psk_file",
          "Pre-shared keys, identity:hexadecimal digits per line; the identity "
          "is the user name. Then there are no tickets; empty: none."),
      key_of<tls, &T::ocsp>("listener.tls.ocsp",
                            "OCSP response for the certificate, DER, stapled for clients that ask; "
                            "empty: none."),
      key_of<tls, &T::version_min>("listener.tls.version_min", "Oldest version of TLS."),
      key_of<tls, &T::ciphers>(
          "listener.tls.ciphers",
          "Ciphers of TLS 1.2 in OpenSSL's notation; empty: ECDHE with AES-GCM or "
          "ChaCha20."),
      key_of<tls, &T::ciphersuites>("listener.tls.ciphersuites",
                                    "Ciphers of TLS 1.3, colons between; empty: OpenSSL's."),
      key_of<tls, &T::groups>("listener.tls.groups",
                              "Groups for the key exchange, colons between; empty: OpenSSL's."),
      key_of<tls, &T::protocols>(
          "listener.tls.protocols",
          "Protocols a client that uses ALPN must name one of; empty: mqtt and "
          "x-amzn-mqtt-ca, or http/1.1 and x-amzn-http-ca with wss and https."),
      key_of<tls, &T::tickets>("listener.tls.tickets",
                               "Whether clients may resume TLS sessions, for two hours."),

      key_of<modules, &Mo::sessions>(
          "modules.sessions",
          "Sessions that outlive their connection; false: none does, and CONNACK says so."),
      key_of<modules, &Mo::retained>(
          "modules.retained", "Retained messages; false: there are none, and CONNACK says so."),
      key_of<modules, &Mo::access>(
          "modules.access", "The checks under [access]; false: everybody may do everything."),
      key_of<modules, &Mo::sys>("modules.sys", "The $SYS topics with facts about the broker."),
      key_of<modules, &Mo::shadow>("modules.shadow", "Device shadows."),
      key_of<modules, &Mo::events>("modules.events",
                                   "The $aws/events topics: who connects, disconnects, subscribes and unsubscribes."),
      key_of<modules, &Mo::rules>("modules.rules", "The rules under [[rule]]; conf/rules.toml shows some."),

      number<mqtt, &M::receive_maximum>(
          "mqtt.receive_maximum", 1, 65535,
          "Unacknowledged QoS 1 and 2 messages accepted from one client."),
      number<mqtt, &M::inflight_max>(
          "mqtt.inflight_max", 1, 65535,
          "Unacknowledged QoS 1 and 2 messages sent to one client, whatever its "
          "protocol version."),
      number<mqtt, &M::topic_alias_maximum>("mqtt.topic_alias_maximum", 0, 65535,
                                            "Topic aliases a client may set; 0: none."),
      number<mqtt, &M::topic_alias_send_max>(
          "mqtt.topic_alias_send_max", 0, 65535,
          "Topic aliases the broker sets towards a client that allows them; 0: none."),
      number<mqtt, &M::keep_alive_max>(
          "mqtt.keep_alive_max", 0, 65535,
          "Longest keep alive in seconds, and what a client gets that asked for "
          "none; 0: whatever the client asks."),
      number<mqtt, &M::packet_size_max>("mqtt.packet_size_max", 1024, kPacketBytesMax,
                                        "Largest packet accepted from a client, in bytes."),
      number<mqtt, &M::qos_max>("mqtt.qos_max", 0, 2, "Highest QoS a client may publish with."),
      key_of<mqtt, &M::retain_available>("mqtt.retain_available",
                                         "Whether clients may publish retained messages."),
      key_of<mqtt, &M::wildcard_available>("mqtt.wildcard_available",
                                           "Whether clients may subscribe with + and #."),
      key_of<mqtt, &M::shared_available>("mqtt.shared_available",
                                         "Whether clients may subscribe with $share."),
      number<mqtt, &M::session_expiry_max>(
          "mqtt.session_expiry_max", 0, kU32Max,
          "Longest life of a session without connection, in seconds; 4294967295: no limit."),
      number<mqtt, &M::session_expiry_v3>("mqtt.session_expiry_v3", 0, kU32Max,
                                          "The same for MQTT 3.1 and 3.1.1 clients with clean "
                                          "session 0, which cannot say how long."),
      number<mqtt, &M::client_id_bytes_max>("mqtt.client_id_bytes_max", 23, 65535,
                                            "Longest client identifier, in bytes."),
      key_of<mqtt, &M::receive_maximum_enforced>("mqtt.receive_maximum_enforced",
                                                 "Whether a client that exceeds receive_maximum is "
                                                 "closed (0x93); false: it is logged and served."),

      number<limits, &L::connections_max>("limits.connections_max", 1, kU32Max,
                                          "Connections at the same time, over all listeners."),
      number<limits, &L::connect_timeout_seconds>(
          "limits.connect_timeout_seconds", 1, 3600,
          "Time from accepting a connection to its CONNECT, in seconds."),
      number<limits, &L::handshake_timeout_seconds>("limits.handshake_timeout_seconds", 1, 3600,
                                                    "Time from accepting a connection to the end "
                                                    "of its handshakes (TLS, WebSocket, PROXY), in "
                                                    "seconds."),
      number<limits, &L::handshakes_max>(
          "limits.handshakes_max", 1, kU32Max,
          "Connections in their handshakes at the same time; further clients wait to be accepted."),
      number<limits, &L::connect_packet_size_max>(
          "limits.connect_packet_size_max", 1024, kPacketBytesMax,
          "Largest packet before the client is authenticated, in bytes."),
      number<limits, &L::authentication_timeout_seconds>(
          "limits.authentication_timeout_seconds", 1, 3600,
          "Time an authenticator may take, its exchange with the client included, in seconds."),
      number<limits, &L::queue_messages_max>(
          "limits.queue_messages_max", 1, kU32Max,
          "Messages waiting for one session, those in flight included."),
      number<limits, &L::queue_bytes_max>("limits.queue_bytes_max", 1024, kI64Max,
                                          "Bytes of messages waiting for one session."),
      number<limits, &L::queue_messages_total_max>(
          "limits.queue_messages_total_max", 1, kI64Max,
          "Messages waiting for all sessions together; each shard has its part of it."),
      number<limits, &L::queue_bytes_total_max>(
          "limits.queue_bytes_total_max", 1024, kI64Max,
          "Bytes of messages waiting for all sessions together; each shard has its part of it."),
      number<limits, &L::queue_memory_bytes>(
          "limits.queue_memory_bytes", 0, kI64Max,
          "Bytes of all waiting messages together that are kept in memory; beyond it, what is stored and "
          "nobody is about to get is read back from disk when its client takes it."),
      number<limits, &L::output_bytes_max>("limits.output_bytes_max", 4096, kI64Max,
                                           "Encoded bytes that one client's socket has not taken "
                                           "yet; beyond it QoS 0 messages are dropped."),
      key_of<limits, &L::queue_full_v3>("limits.queue_full_v3",
                                        "What an MQTT 3.1.1 publisher meets when a session's queue "
                                        "is full: close (no acknowledgement, so "
                                        "nothing acknowledged is lost) or accept (acknowledged; "
                                        "the drop is counted and logged)."),
      key_of<limits, &L::queue_back_pressure>(
          "limits.queue_back_pressure",
          "Topic filters: where such a message of a client meets a session's full queue, it still enters, but its "
          "publisher is answered only when the queue has room again. Asked before the two below."),
      key_of<limits, &L::queue_drop_oldest>(
          "limits.queue_drop_oldest",
          "Topic filters: where such a message meets a full queue, the oldest one there that is not yet on its "
          "way is dropped for it, counted and logged. Anything else is refused, as the publisher is told."),
      key_of<limits, &L::queue_drop_newest>(
          "limits.queue_drop_newest",
          "Topic filters: such a message is dropped where it meets a full queue, counted and logged, and its "
          "publisher is told of success. queue_drop_oldest is asked first."),
      number<limits, &L::subscriptions_max>("limits.subscriptions_max", 1, kU32Max,
                                            "Subscriptions of one session."),
      number<limits, &L::subscribe_entries_max>("limits.subscribe_entries_max", 1, kU32Max,
                                                "Topic filters in one SUBSCRIBE or UNSUBSCRIBE."),
      number<limits, &L::topic_levels_max>("limits.topic_levels_max", 1, 65535,
                                           "Levels of a topic name or topic filter."),
      number<limits, &L::user_properties_max>("limits.user_properties_max", 0, kU32Max,
                                              "User properties in one packet."),
      number<limits, &L::retained_messages_max>("limits.retained_messages_max", 0, kI64Max,
                                                "Retained messages kept."),
      number<limits, &L::retained_bytes_max>("limits.retained_bytes_max", 0, kI64Max,
                                             "Bytes of retained messages kept."),
      number<limits, &L::turn_packets_max>(
          "limits.turn_packets_max", 1, kU32Max,
          "Packets handled of one connection before others get their turn."),
      number<limits, &L::callback_warning_milliseconds>(
          "limits.callback_warning_milliseconds", 1, 3'600'000,
          "A host program's callback that takes longer than this is named in the log, in "
          "milliseconds."),
      number<limits, &L::hops_max>(
          "limits.hops_max", 1, 255,
          "Messages in a row that rules and shadows may set off; what is beyond is dropped."),
      number<limits, &L::log_repeats_max>(
          "limits.log_repeats_max", 0, kU32Max,
          "Log lines of one kind about clients that are refused, closed or lost, in ten seconds and "
          "shard; the rest is counted."),

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
      key_of<access, &A::token_file>("access.token_file",
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

      number<rules, &Ru::steps_max>("rules.steps_max", 1000, kU32Max,
                                    "Instructions that one evaluation of a rule may take."),
      number<rules, &Ru::memory_bytes_max>("rules.memory_bytes_max", 65'536, kPacketBytesMax,
                                           "Bytes that one evaluation of a rule may take."),
      number<rules, &Ru::state_cells_max>(
          "rules.state_cells_max", 16, 100'000'000,
          "What functions such as lag() and once() of one rule may remember; beyond, the oldest goes."),
      key_of<rules, &Ru::file_directories>(
          "rules.file_directories", "Directories below which file actions may write; none: nowhere."),
      key_of<rules, &Ru::http_targets>(
          "rules.http_targets",
          "Beginnings of addresses, up to a \"/\", that http actions may reach; none: nothing."),
      key_of<rules, &Ru::secrets>(
          "rules.secrets",
          "What ${get_secret('NAME')} in headers of http actions stands for: \"NAME=file:/PATH\" or \"NAME=env:VARIABLE\"."),
      key_of<rules, &Ru::lookup_directory>(
          "rules.lookup_directory", "Directory of the tables that lookup() reads, *.csv and *.json; empty: none."),
      key_of<rules, &Ru::descriptor_directory>(
          "rules.descriptor_directory",
          "Directory of FileDescriptorSets for decode(…, 'proto', …); empty: none."),
      number<rules, &Ru::files_bytes_max>(
          "rules.files_bytes_max", 4096, std::int64_t{1} << 40,
          "Bytes that tables and descriptors may take in memory; beyond, they are refused."),

      key_of<shadow, &Sh::profile>(
          "shadow.profile", "Whether requests have the quotas of AWS, where nothing else is set below."),
      number<shadow, &Sh::document_bytes_max>("shadow.document_bytes_max", 64, 268'435'456,
                                              "Bytes of a document: desired and reported as compact JSON."),
      number<shadow, &Sh::depth_max>("shadow.depth_max", 1, 256, "Levels of desired and of reported."),
      number<shadow, &Sh::token_bytes_max>("shadow.token_bytes_max", 1, 65'535, "Bytes of a clientToken."),
      number<shadow, &Sh::payload_bytes_max>("shadow.payload_bytes_max", 64, kPacketBytesMax,
                                             "Bytes of a request."),
      with_example(number<shadow, &Sh::requests_per_second_max>(
                       "shadow.requests_per_second_max", 0, kU32Max,
                       "Requests about one shadow in a second, 0 for any number; not set: 20 with the profile aws, "
                       "otherwise any number."),
                   "20"),
      with_example(number<shadow, &Sh::inflight_max>(
                       "shadow.inflight_max", 0, kU32Max,
                       "Requests of one client about one thing that wait for their answers, 0 for any number; not set: "
                       "10 with the profile aws, otherwise any number."),
                   "10"),
      number<shadow, &Sh::tombstone_hours>("shadow.tombstone_hours", 0, 87'600,
                                           "How long the version of a deleted shadow counts on, in hours."),
      key_of<shadow, &Sh::strict_state>(
          "shadow.strict_state", "Whether members of state other than desired, reported and delta are refused."),
      key_of<shadow, &Sh::first_version_one>(
          "shadow.first_version_one", "Whether a request with version 1 may create a shadow, as one with 0 may."),
      key_of<shadow, &Sh::delta_metadata>("shadow.delta_metadata",
                                          "Whether a full document repeats the metadata of its delta."),
      key_of<shadow, &Sh::cbor_events>(
          "shadow.cbor_events",
          "Whether delta, documents and removed are told in CBOR too, below $twinmq/things/+/shadow/cbor."),
      key_of<shadow, &Sh::missing_names_thing>(
          "shadow.missing_names_thing",
          "Whether the 404 of a named shadow says 'thing~shadow' instead of 'shadow'."),
      key_of<shadow, &Sh::keep_null_objects>(
          "shadow.keep_null_objects", "Whether a new object with nothing but nulls in it is kept as {}."),
      number<shadow, &Sh::history_versions>(
          "shadow.history_versions", 0, 1000,
          "Versions of each shadow that are kept with who made them, when and from where."),
      number<shadow, &Sh::history_hours>("shadow.history_hours", 0, 876'000,
                                         "Hours after which such versions go, 0 for never."),
      key_of<shadow, &Sh::queries>(
          "shadow.queries",
          "Whether queries over all shadows are answered, for those who may publish to $twinmq/shadows/query."),
      key_of<shadow, &Sh::indexes>(
          "shadow.indexes",
          "Paths such as \"reported.battery\" by which queries find documents without looking at all; at most 16."),
      number<shadow, &Sh::cache_bytes>("shadow.cache_bytes", kCacheBytesMin, kI64Max,
                                       "Bytes of documents kept in memory; the others are read when asked for."),

      number<http, &Ht::request_bytes_max>("http.request_bytes_max", 1024, 65'536,
                                           "Bytes of the request line and the headers of an HTTP request."),
      number<http, &Ht::body_bytes_max>("http.body_bytes_max", 0, kPacketBytesMax, "Bytes of its body."),
      number<http, &Ht::request_timeout_seconds>("http.request_timeout_seconds", 1, 3600,
                                                 "Time from its first byte to its last, in seconds."),
      number<http, &Ht::idle_timeout_seconds>("http.idle_timeout_seconds", 1, 86'400,
                                              "Time between two requests of a connection, in seconds."),

      number<&Config::sys, &SysConfig::interval_seconds>(
          "sys.interval_seconds", 1, 86'400,
          "Time between updates of the $SYS topics, in seconds."),

      key_of<&Config::admin, &AdminConfig::enabled>(
          "admin.enabled", "Whether the daemon listens for the command twinmq on a local socket."),
      key_of<&Config::admin, &AdminConfig::socket>(
          "admin.socket",
          "Path of that socket, which only its owner may use; empty: twinmq.sock in data_dir, or "
          "$XDG_RUNTIME_DIR/twinmq-PORT.sock when nothing is kept there."),
      key_of<&Config::admin, &AdminConfig::principals>(
          "admin.principals",
          "Authenticated users who may manage over HTTP, rules for example; none: nobody."),

      key_of<&Config::log, &LogConfig::level>("log.level",
                                              "Least serious kind of line that is logged."),
      key_of<&Config::log, &LogConfig::json>("log.json",
                                             "Whether lines are JSON objects instead of text."),
      key_of<&Config::log, &LogConfig::file>("log.file",
                                             "File that is appended to; empty: standard error."),
  };
}

}  // namespace

std::string_view ConfigKey::section() const {
  if (of_listener()) return "listener";
  const auto dot = name.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : name.substr(0, dot);
}

std::string_view ConfigKey::last_name() const {
  const std::size_t before = section().size();
  return before == 0 ? name : name.substr(before + 1);
}

std::span<const ConfigKey> config_keys() {
  static const std::vector<ConfigKey> keys = make_keys();
  return keys;
}

const ConfigKey* find_config_key(std::string_view name) {
  for (const ConfigKey& key : config_keys()) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

bool is_config_section(std::string_view name) {
  for (const ConfigKey& key : config_keys()) {
    if (key.name.size() > name.size() && key.name.starts_with(name) &&
        key.name[name.size()] == '.') {
      return true;
    }
  }
  return false;
}

std::string allowed_values(const ConfigKey& key) {
  switch (key.kind) {
    case KeyKind::Boolean:
      return "true or false";
    case KeyKind::Integer:
      return fmt::format("an integer from {} to {}", key.min, key.max);
    case KeyKind::Text:
      return "a text in quotes";
    case KeyKind::List:
      return "a list of texts, [\"one\", \"two\"]";
    case KeyKind::Choice:
      break;
  }
  std::string all;
  for (const std::string_view choice : key.choices) {
    if (!all.empty()) all += choice == key.choices.back() ? " or " : ", ";
    all += fmt::format("\"{}\"", choice);
  }
  return all;
}

std::optional<std::string> value_complaint(const ConfigKey& key, const ConfigValue& value,
                                           std::string_view found) {
  bool fits = false;
  switch (key.kind) {
    case KeyKind::Boolean:
      fits = std::holds_alternative<bool>(value);
      break;
    case KeyKind::Integer:
      if (const auto* number = std::get_if<std::int64_t>(&value)) {
        fits = *number >= key.min && *number <= key.max;
      }
      break;
    case KeyKind::Text:
      fits = std::holds_alternative<std::string>(value);
      break;
    case KeyKind::List:
      fits = std::holds_alternative<std::vector<std::string>>(value);
      break;
    case KeyKind::Choice:
      if (const auto* word = std::get_if<std::string>(&value)) {
        fits = std::find(key.choices.begin(), key.choices.end(), *word) != key.choices.end();
      }
      break;
  }
  if (fits || (key.optional && std::holds_alternative<std::monostate>(value))) return std::nullopt;
  return fmt::format("found {}, allowed: {}", found, allowed_values(key));
}

std::string config_key_path(const ConfigKey& key, std::size_t listener) {
  if (!key.of_listener()) return std::string(key.name);
  return fmt::format("listener[{}].{}", listener,
                     key.name.substr(std::string_view("listener.").size()));
}

std::string toml_value(const ConfigValue& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* number = std::get_if<std::int64_t>(&value)) return fmt::format("{}", *number);
  if (const auto* text = std::get_if<std::string>(&value)) return toml_quoted(*text);
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
    std::vector<std::string> quoted;
    for (const std::string& each : *list) quoted.push_back(toml_quoted(each));
    return fmt::format("[{}]", fmt::join(quoted, ", "));
  }
  return "";
}

std::string toml_quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (byte < 0x20 || byte == 0x7F) {
      quoted += fmt::format("\\u{:04X}", byte);
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

}  // namespace twinmq::app
