// [[listener]] and [http]: the doors for connections.

#include "app/config_key_rows.hpp"

namespace twinmq::app {

std::vector<ConfigKey> listener_keys() {
  using Li = ListenerConfig;
  using U = UnixSocketConfig;
  using W = WebSocketConfig;
  using T = TlsConfig;
  constexpr auto unix_socket = &Li::unix_socket;
  constexpr auto websocket = &Li::websocket;
  constexpr auto tls = &Li::tls;
  return {
      key_of<&Li::url>("listener.url",
                       "mqtt://host:port, mqtts://host:port, ws://host:port/path, "
                       "wss://host:port/path, http://host:port, https://host:port or unix:///path; "
                       "port 0 picks a free one, which the "
                       "log names."),
      key_of<&Li::name>("listener.name", "Name for logs and access rules; empty: the url."),
      with_example(
          key_of<&Li::anonymous>(
              "listener.anonymous",
              "Whether clients without a user name may connect here; not set: access.anonymous."),
          "true"),
      with_example(key_of<&Li::durability>("listener.durability",
                                           "What an acknowledgement of a publish over this "
                                           "listener promises: fsync, os or none; not set: "
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
  };
}

std::vector<ConfigKey> http_keys() {
  using Ht = HttpConfig;
  constexpr auto http = &Config::http;
  return {
      number<http, &Ht::request_bytes_max>(
          "http.request_bytes_max", 1024, 65'536,
          "Bytes of the request line and the headers of an HTTP request."),
      number<http, &Ht::body_bytes_max>("http.body_bytes_max", 0, kPacketBytesMax,
                                        "Bytes of its body."),
      number<http, &Ht::request_timeout_seconds>(
          "http.request_timeout_seconds", 1, 3600,
          "Time from its first byte to its last, in seconds."),
      number<http, &Ht::idle_timeout_seconds>(
          "http.idle_timeout_seconds", 1, 86'400,
          "Time between two requests of a connection, in seconds."),
  };
}

}  // namespace twinmq::app
