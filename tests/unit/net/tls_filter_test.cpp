#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "net/filter_chain.hpp"
#include "unit/net/certificates.hpp"

namespace {

using namespace twinmq;
using namespace twinmq::net;

/// A server's and a client's side, and the wire between them.
class Talk {
 public:
  explicit Talk(const std::shared_ptr<TlsServer>& server,
                TlsClient::Options options = client_options()) {
    auto opened = TlsClient::open(std::move(options));
    INFO((opened ? std::string() : opened.error().detail));
    REQUIRE(opened.has_value());
    client_ = *opened;
    near = std::make_unique<TlsServerFilter>(server);
    far = client_->filter();
    far->start(up_);
    while (carry()) {
    }
  }

  /// Both directions once; false: nothing is on the way.
  bool carry() {
    if (up_.empty() && down_.empty()) return false;
    ByteBuffer up = std::move(up_);
    ByteBuffer down = std::move(down_);
    up_ = ByteBuffer();
    down_ = ByteBuffer();
    if (!up.empty()) near->receive(up.view(), at_server, down_);
    if (!down.empty()) far->receive(down.view(), at_client, up_);
    return true;
  }
  void client_says(std::string text) {
    const iovec part{text.data(), text.size()};
    far->send({&part, 1}, up_);
  }
  void server_says(std::vector<std::string> texts) {
    std::vector<iovec> parts;
    for (std::string& text : texts) parts.push_back({text.data(), text.size()});
    near->send(parts, down_);
  }
  /// Lengths of the records that wait for the client.
  std::vector<std::size_t> records() const {
    std::vector<std::size_t> all;
    ByteView rest = down_.view();
    while (rest.size() >= 5) {
      const std::size_t size = std::size_t{rest[3]} * 256 + rest[4];
      all.push_back(size);
      rest = rest.subspan(5 + size);
    }
    return all;
  }
  bool open() const {
    return near->state() == FilterState::Open && far->state() == FilterState::Open;
  }
  ConnectionFacts facts() const {
    ConnectionFacts told;
    near->tell(told);
    return told;
  }

  ByteBuffer at_server;
  ByteBuffer at_client;
  ByteBuffer up_;
  ByteBuffer down_;
  std::unique_ptr<TlsServerFilter> near;
  std::unique_ptr<Filter> far;

 private:
  std::shared_ptr<TlsClient> client_;
};

std::string text(const ByteBuffer& buffer) {
  return std::string(text_of(buffer.view()));
}

std::string refusal(const TlsConfig& config, const TlsClient::Options& options) {
  const Talk talk(tls_server(config), options);
  CHECK(talk.near->state() == FilterState::Failed);
  return std::string(talk.near->error());
}

TEST_CASE("bytes go both ways once the handshake is done") {
  const int version = GENERATE(12, 13);
  auto options = client_options();
  options.version = version;
  Talk talk(tls_server(), options);
  REQUIRE(talk.open());
  talk.client_says("question");
  talk.server_says({"ans", "wer"});
  talk.carry();
  CHECK(text(talk.at_server) == "question");
  CHECK(text(talk.at_client) == "answer");
  const ConnectionFacts facts = talk.facts();
  CHECK(facts.tls_version == (version == 12 ? "TLSv1.2" : "TLSv1.3"));
  CHECK(facts.tls_server_name == "localhost");
  CHECK_FALSE(facts.tls_cipher.empty());
  CHECK(facts.certificate_subject.empty());
  CHECK(facts.principal.empty());
}

TEST_CASE("a handshake that comes byte by byte succeeds") {
  const auto server = tls_server();
  auto client = TlsClient::open(client_options());
  REQUIRE(client.has_value());
  const auto far = (*client)->filter();
  TlsServerFilter near(server);
  ByteBuffer up, down, at_server, at_client;
  far->start(up);
  while (!up.empty() || !down.empty()) {
    const ByteBuffer rising = std::move(up);
    up = ByteBuffer();
    for (const std::uint8_t& byte : rising.view()) near.receive({&byte, 1}, at_server, down);
    const ByteBuffer sinking = std::move(down);
    down = ByteBuffer();
    for (const std::uint8_t& byte : sinking.view()) far->receive({&byte, 1}, at_client, up);
  }
  CHECK(near.state() == FilterState::Open);
  CHECK(far->state() == FilterState::Open);
}

TEST_CASE("what a turn has to say leaves in full records") {
  Talk talk(tls_server());
  std::vector<std::string> small(1000, std::string(100, 'x'));
  talk.server_says(small);
  auto records = talk.records();
  REQUIRE(records.size() == 7);
  CHECK(std::all_of(records.begin(), records.end() - 1,
                    [](std::size_t size) { return size >= 16384; }));
  talk.carry();
  CHECK(talk.at_client.size() == 100'000);

  talk.server_says({"head", std::string(40'000, 'y'), "tail"});
  records = talk.records();
  CHECK(records.size() == 3);
  talk.at_client.clear();
  talk.carry();
  CHECK(text(talk.at_client) == "head" + std::string(40'000, 'y') + "tail");
}

TEST_CASE("close_notify ends the stream behind its last bytes, in either direction") {
  Talk talk(tls_server());
  talk.client_says("last");
  talk.far->end(talk.up_);
  talk.carry();
  CHECK(text(talk.at_server) == "last");
  CHECK(talk.near->state() == FilterState::Ended);
  talk.near->end(talk.down_);
  talk.carry();
  CHECK(talk.far->state() == FilterState::Ended);
}

TEST_CASE("what is no TLS is refused, with an alert") {
  for (const std::string& bytes : {std::string("\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c", 12),
                                   std::string("GET / HTTP/1.1\r\n\r\n"), std::string(600, '\0')}) {
    TlsServerFilter filter(tls_server());
    ByteBuffer up, down;
    filter.receive(bytes_of(bytes), up, down);
    CHECK(filter.state() == FilterState::Failed);
    CHECK(filter.error().starts_with("TLS handshake: "));
    CHECK(up.empty());
    filter.receive(bytes_of(bytes), up, down);
    CHECK(up.empty());
  }
}

TEST_CASE("old versions and renegotiation are refused") {
  // A ClientHello that offers TLS 1.0 at most.
  TlsServerFilter filter(tls_server());
  std::string hello("\x03\x01", 2);
  hello += std::string(32, 'r') + '\0';
  hello += std::string("\x00\x04\xc0\x09\xc0\x13\x01\x00", 8);
  std::string message("\x01\x00\x00", 3);
  message += static_cast<char>(hello.size()) + hello;
  std::string record("\x16\x03\x01\x00", 4);
  record += static_cast<char>(message.size()) + message;
  ByteBuffer up, down;
  filter.receive(bytes_of(record), up, down);
  CHECK(filter.state() == FilterState::Failed);
  CHECK(filter.error() == "TLS handshake: unsupported protocol");
  TlsConfig config = server_config();
  config.version_min = TlsVersion::Tls13;
  auto options = client_options();
  options.version = 12;
  CHECK(refusal(config, options) == "TLS handshake: unsupported protocol");
}

TEST_CASE("a record that was tampered with ends the connection") {
  Talk talk(tls_server());
  talk.client_says("hello");
  std::string bytes(text(talk.up_));
  bytes[bytes.size() - 3] = static_cast<char>(bytes[bytes.size() - 3] ^ 1);
  talk.near->receive(bytes_of(bytes), talk.at_server, talk.down_);
  CHECK(talk.near->state() == FilterState::Failed);
  CHECK(talk.at_server.empty());
}

TEST_CASE("the certificate follows the name the client asks for, and its kind of key") {
  TlsConfig config = server_config();
  config.more_certificates = {certificate_file("second.pem"), certificate_file("server-rsa.pem")};
  config.more_keys = {certificate_file("second.key"), certificate_file("server-rsa.key")};
  const auto server = tls_server(config);
  auto options = client_options();
  CHECK(Talk(server, options).open());
  options.server_name = "second.example";
  CHECK(Talk(server, options).open());
  options.server_name = "third.example";
  CHECK_FALSE(Talk(server, options).open());
  options.server_name = "localhost";
  options.version = 12;
  options.ciphers = "ECDHE-RSA-AES128-GCM-SHA256";
  Talk rsa(server, options);
  CHECK(rsa.open());
  CHECK(rsa.facts().tls_cipher == "ECDHE-RSA-AES128-GCM-SHA256");
}

TEST_CASE("a chain is sent whole, an encrypted key is opened with the password of a file") {
  CHECK(Talk(tls_server(server_config("chained"))).open());
  TlsConfig config = server_config();
  config.key = certificate_file("server-encrypted.key");
  CHECK_FALSE(TlsServer::open(config, false).has_value());
  config.key_password_file = certificate_file("password");
  CHECK(Talk(tls_server(config)).open());
}

TEST_CASE("ALPN agrees on MQTT and refuses who speaks only something else") {
  auto options = client_options();
  options.protocol = GENERATE("mqtt", "x-amzn-mqtt-ca");
  CHECK(Talk(tls_server(), options).facts().tls_protocol == options.protocol);
  options.protocol = "h2";
  CHECK(refusal(server_config(), options) == "TLS handshake: no application protocol");
}

TEST_CASE("clients with a good certificate enter, named by the part of it that was chosen") {
  TlsConfig config = asking_config();
  config.crl = certificate_file("empty.crl");
  const auto options = client_options("client");
  const auto principal = [&](TlsIdentity kind) {
    config.identity = kind;
    Talk talk(tls_server(config), options);
    REQUIRE(talk.open());
    CHECK(talk.facts().certificate_subject == "CN=device7,O=Plant");
    return talk.facts().principal;
  };
  CHECK(principal(TlsIdentity::None).empty());
  CHECK(principal(TlsIdentity::CommonName) == "device7");
  CHECK(principal(TlsIdentity::AlternativeName) == "device7.example");
  CHECK(principal(TlsIdentity::Fingerprint).size() == 64);
}

TEST_CASE("clients without a good certificate stay out, and the reason is known") {
  TlsConfig config = asking_config();
  config.crl = certificate_file("ca.crl");
  CHECK(refusal(config, client_options()) == "TLS handshake: peer did not return a certificate");
  const auto reason = [&](const std::string& name) {
    return refusal(config, client_options(name));
  };
  using Catch::Contains;
  CHECK_THAT(reason("revoked"), Contains("certificate revoked"));
  CHECK_THAT(reason("stranger"), Contains("unable to get local issuer certificate"));
  CHECK_THAT(reason("expired"), Contains("certificate has expired"));
  CHECK_THAT(reason("wrong-usage"), Contains("unsuitable certificate purpose"));
  CHECK_THAT(reason("partial"), Contains("unable to get local issuer certificate"));
  CHECK(Talk(tls_server(config), client_options("client")).open());
}

TEST_CASE("a chain through an authority without a revocation list of its own is good") {
  TlsConfig config = asking_config();
  CHECK(Talk(tls_server(config), client_options("whole-chain")).open());
  config.crl = certificate_file("ca.crl");
  // The list of the issuer itself is missing: nobody can tell whether the client was revoked.
  CHECK_THAT(refusal(config, client_options("whole-chain")),
             Catch::Contains("unable to get certificate CRL"));
}

TEST_CASE("with optional certificates none is needed, but one that is shown must be good") {
  const auto server = tls_server(asking_config(TlsVerify::Optional));
  CHECK(Talk(server, client_options()).open());
  CHECK(Talk(server, client_options("client")).open());
  CHECK(Talk(server, client_options("stranger")).near->state() == FilterState::Failed);
}

TEST_CASE("a certificate without a sound name stays out where the name is wanted") {
  TlsConfig config = asking_config();
  config.identity = TlsIdentity::CommonName;
  CHECK(refusal(config, client_options("nameless")) == "the certificate has no CN");
  CHECK(refusal(config, client_options("two-names")) == "the certificate has more than one CN");
  CHECK_THAT(refusal(config, client_options("wildcard")), Catch::Contains("may not have"));
  config.identity = TlsIdentity::AlternativeName;
  CHECK_THAT(refusal(config, client_options("long-name")), Catch::Contains("too long"));
}

TEST_CASE("a list of fingerprints lets in only those on it") {
  TlsConfig config = asking_config();
  config.fingerprints = certificate_file("fingerprints");
  CHECK(Talk(tls_server(config), client_options("client")).open());
  config.crl = certificate_file("ca.crl");
  config.identity = TlsIdentity::CommonName;
  CHECK(refusal(asking_config(), client_options("stranger")) != "");
  CHECK(refusal(config, client_options("two-names")) ==
        "the certificate's fingerprint is not on the list");
}

TEST_CASE("a pre-shared key proves who the client is") {
  TlsConfig config;
  config.psk_file = certificate_file("psk");
  const auto server = tls_server(config);
  TlsClient::Options options;
  options.version = GENERATE(12, 13);
  options.psk_identity = "sensor";
  options.psk.assign("\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff", 16);
  if (options.version == 12) options.ciphers = "PSK";
  Talk talk(server, options);
  REQUIRE(talk.open());
  CHECK(talk.facts().principal == "sensor");
  options.psk[3] = 'x';
  CHECK(Talk(server, options).near->state() == FilterState::Failed);
  options.psk_identity = "stranger";
  CHECK(Talk(server, options).near->state() == FilterState::Failed);
}

TEST_CASE("files that cannot serve are named with their key") {
  const auto complaint = [](const TlsConfig& config) {
    const auto server = TlsServer::open(config, false);
    REQUIRE_FALSE(server.has_value());
    return server.error().detail;
  };
  using Catch::StartsWith;
  CHECK_THAT(complaint({}), StartsWith("tls.certificate: is needed"));
  TlsConfig config = server_config();
  config.certificate = "/nowhere";
  CHECK_THAT(complaint(config), StartsWith("tls.certificate: \"/nowhere\" cannot be read"));
  config = server_config();
  config.key = certificate_file("second.key");
  CHECK_THAT(complaint(config), StartsWith("tls.key: "));
  config = server_config();
  config.ca = certificate_file("password");
  CHECK_THAT(complaint(config), StartsWith("tls.ca: "));
  config.ca = certificate_file("ca.pem");
  config.crl = certificate_file("ca.pem");
  CHECK_THAT(complaint(config), StartsWith("tls.crl: "));
  config = server_config();
  config.ocsp = certificate_file("server.pem");
  CHECK_THAT(complaint(config), StartsWith("tls.ocsp: "));
  config = server_config("second");
  config.ocsp = certificate_file("server.ocsp");
  CHECK_THAT(complaint(config), Catch::Contains("another certificate"));
  config = server_config();
  config.psk_file = certificate_file("password");
  CHECK_THAT(complaint(config), StartsWith("tls.psk_file: "));
  config = server_config();
  config.fingerprints = certificate_file("password");
  CHECK_THAT(complaint(config), StartsWith("tls.fingerprints: "));
  config = server_config();
  config.ciphers = "NONSENSE";
  CHECK_THAT(complaint(config), StartsWith("tls.ciphers: "));
}

TEST_CASE("a new certificate serves new connections, and the old ones go on") {
  const auto server = tls_server();
  Talk old(server);
  auto next = server->prepare(server_config("server-next"));
  REQUIRE(next.has_value());
  server->install(*next);
  old.client_says("still here");
  old.carry();
  CHECK(text(old.at_server) == "still here");
  CHECK(Talk(server).open());
  CHECK(server->current()->expiry() > 0);
}

TEST_CASE("changed trust meets new clients at once, and live ones where it is asked for") {
  TlsConfig config = asking_config();
  config.crl = certificate_file("empty.crl");
  config.recheck_live = GENERATE(false, true);
  const auto server = tls_server(config);
  Talk live(server, client_options("revoked"));
  Talk good(server, client_options("client"));
  REQUIRE(live.open());
  config.crl = certificate_file("ca.crl");
  auto next = server->prepare(config);
  REQUIRE(next.has_value());
  server->install(*next);
  CHECK(Talk(server, client_options("revoked")).near->state() == FilterState::Failed);
  CHECK(live.near->objection() == (config.recheck_live ? "certificate revoked" : ""));
  CHECK(good.near->objection().empty());

  config.ca = certificate_file("other-ca.pem");
  next = server->prepare(config);
  REQUIRE(next.has_value());
  server->install(*next);
  CHECK(good.near->objection().empty() != config.recheck_live);
  CHECK(Talk(server, client_options("client")).near->state() == FilterState::Failed);
}

}  // namespace
