#pragma once
// Who may connect, and who may publish and receive what. An embedder implements these doors; the
// house's own implementations read Mosquitto's password and ACL files.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <twinmq/message.hpp>
#include <twinmq/reason_code.hpp>

namespace twinmq {

/// Who a connection acts for, after authentication.
struct Identity {
  std::string principal;  ///< the authenticated name; empty for an anonymous client
  std::string client_id;
  std::string username;  ///< as sent in CONNECT; may differ from the principal
  std::string peer;      ///< remote address, "127.0.0.1:50712"; empty for an in-process client
  std::string listener;  ///< name of the listener the client came through
};

/// What the layers below MQTT (TLS, a PROXY header, WebSocket, a Unix socket) learned of the peer.
struct ConnectionFacts {
  std::string peer;  ///< the client's address as a trusted proxy told it; empty: the socket's own
  std::string
      principal;  ///< the name the transport proved, where the listener takes one; empty: none
  std::string tls_version;      ///< "TLSv1.3"; empty: not encrypted
  std::string tls_cipher;       ///< "TLS_AES_256_GCM_SHA384"
  std::string tls_server_name;  ///< asked for by the client (SNI); empty: none
  std::string tls_protocol;     ///< agreed on by ALPN; empty: none
  std::string
      certificate_subject;  ///< RFC 2253, "CN=device7,O=Plant"; empty: no client certificate
  std::string certificate_fingerprint;  ///< SHA-256 in lower-case hexadecimal digits
  bool tls_resumed = false;             ///< an earlier TLS session was resumed
};

/// What a client presented. Views are valid during the call only.
struct Credentials {
  std::string_view client_id;
  bool has_username = false;
  std::string_view username;
  bool has_password = false;
  std::string_view password;
  std::string_view authentication_method;  ///< empty unless MQTT 5 enhanced authentication is used
  std::string_view authentication_data;
  std::string_view peer;
  std::string_view listener;
  std::string_view certificate_subject;  ///< empty without a client certificate
  /// The name that the transport proved, where the listener's configuration takes it for the
  /// user's; the house's authenticators then ask for no password. Empty: none.
  std::string_view transport_principal;
  const ConnectionFacts* facts = nullptr;  ///< null: a plain connection
  bool anonymous_allowed = false;          ///< the listener lets clients in without a user name
};

/// An authenticator's verdict.
struct AuthenticationResult {
  ReasonCode code = ReasonCode::NotAuthorized;  ///< Success, ContinueAuthentication, or the refusal
  std::string principal;                        ///< who this is, with Success
  std::string authentication_data;              ///< to send in AUTH or CONNACK
  std::string reason;                           ///< reason string for the client; empty: none
};

/// One conversation with an authenticator. It lives as long as the connection (re-authentication,
/// section 4.12.1, begins a new one) and is destroyed when the connection ends, which cancels it.
class Authentication {
 public:
  using Done = std::function<void(AuthenticationResult)>;
  virtual ~Authentication() = default;

  /// Called first, with what CONNECT carried (or the first AUTH of a re-authentication). `done` is
  /// called exactly once per call, at once or later, from any thread; after destruction it does
  /// nothing.
  virtual void begin(const Credentials& credentials, Done done) = 0;

  /// Called for each further AUTH packet of an enhanced authentication.
  virtual void proceed(std::string_view authentication_data, Done done) = 0;
};

/// Decides who may connect. Called on shard threads: must not block; what takes time answers later.
class Authenticator {
 public:
  virtual ~Authenticator() = default;

  /// The verdict on a plain CONNECT, if it can be given at once; otherwise start() is called.
  virtual std::optional<AuthenticationResult> decide(const Credentials&) { return std::nullopt; }

  /// A new conversation. An empty `method` is plain CONNECT with or without user name. Null: this
  /// authentication method is not known (0x8C) [MQTT-4.12.0-1].
  virtual std::unique_ptr<Authentication> start(std::string_view method) = 0;
};

enum class Action : std::uint8_t {
  Publish,  ///< topic is a topic name; also asked for wills and for the host's publishes on behalf
            ///< of a client
  Subscribe,  ///< topic is a topic filter, without its $share/name/ prefix
  Receive,    ///< topic is a topic name about to be delivered
};

/// Decides what an identity may do. Called on shard threads, several at once; answers at once.
class Authorizer {
 public:
  virtual ~Authorizer() = default;

  /// Any error inside must answer false: rights fail closed.
  virtual bool may(const Identity& identity, Action action, std::string_view topic, QoS qos,
                   bool retain) = 0;

  /// Grows when rights change, so that cached answers are dropped. Deliveries are asked again then.
  virtual std::uint64_t epoch() const { return 0; }

  /// True while every answer is yes: then the broker need not ask. May change only together with
  /// epoch().
  virtual bool allows_everything() const { return false; }

  /// False when Receive needs no question of its own: whatever was allowed to subscribe may be
  /// received.
  virtual bool checks_receive() const { return true; }
};

}  // namespace twinmq
