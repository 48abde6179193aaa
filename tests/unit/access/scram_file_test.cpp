#include "modules/access/scram_file.hpp"

#include <catch2/catch.hpp>

#include <memory>
#include <optional>
#include <string>

#include "modules/access/base64.hpp"
#include "modules/access/scram.hpp"

using namespace twinmq;
using namespace twinmq::access;

namespace {

std::string entry_of(const std::string& password, ScramHash hash) {
  return scram_entry(scram_keys(hash, password, "0123456789abcdef", 4096));
}

std::unique_ptr<ScramFile> parsed(const std::string& text) {
  auto file = ScramFile::parse(text, "scram");
  if (!file) FAIL(file.error().detail);
  return std::move(*file);
}

/// A client that knows how to prove a password.
struct Login {
  Login(ScramFile& file, const std::string& method) : hash(*scram_hash_of(method)) {
    conversation = file.start(method);
    REQUIRE(conversation);
  }

  AuthenticationResult first(const std::string& user) {
    bare = "n=" + user + ",r=clientnonce";
    const std::string message = "n,," + bare;
    Credentials credentials;
    credentials.authentication_data = message;
    conversation->begin(credentials, [this](AuthenticationResult got) { result = got; });
    return result;
  }

  AuthenticationResult prove(const std::string& password) {
    const std::string challenge = result.authentication_data;
    const std::size_t salt_at = challenge.find(",s=");
    const std::size_t count_at = challenge.find(",i=");
    const std::string salt = *decode_base64(challenge.substr(salt_at + 3, count_at - salt_at - 3));
    const ScramKeys keys =
        scram_keys(hash, password, salt,
                   static_cast<std::uint32_t>(std::stoul(challenge.substr(count_at + 3))));
    const std::string without_proof = "c=biws," + challenge.substr(0, salt_at);
    const std::string text = bare + "," + challenge + "," + without_proof;
    // The proof is the client key, which only the password gives, masked by the signature. The keys
    // hold its hash alone: it is made again here.
    std::string proof = client_key(password, salt, keys.iterations);
    const std::string signature = scram_hmac(hash, keys.stored_key, text);
    for (std::size_t i = 0; i < proof.size(); ++i)
      proof[i] = static_cast<char>(proof[i] ^ signature[i]);
    conversation->proceed(without_proof + ",p=" + encode_base64(proof),
                          [this](AuthenticationResult got) { result = got; });
    return result;
  }

  /// PBKDF2 by hand, from the HMAC alone.
  std::string client_key(const std::string& password, const std::string& salt,
                         std::uint32_t count) {
    std::string round = scram_hmac(hash, password, salt + std::string("\0\0\0\1", 4));
    std::string salted = round;
    for (std::uint32_t i = 1; i < count; ++i) {
      round = scram_hmac(hash, password, round);
      for (std::size_t k = 0; k < salted.size(); ++k)
        salted[k] = static_cast<char>(salted[k] ^ round[k]);
    }
    return scram_hmac(hash, salted, "Client Key");
  }

  ScramHash hash;
  std::unique_ptr<Authentication> conversation;
  std::string bare;
  AuthenticationResult result;
};

const std::string kBoth = "# staff\n\nalice:" + entry_of("pw", ScramHash::Sha256) + " " +
                          entry_of("pw", ScramHash::Sha512) +
                          "\nbob:" + entry_of("other", ScramHash::Sha256) + "\n";

}  // namespace

TEST_CASE("a user proves a password by both hashes and hears the broker's own proof") {
  const auto file = parsed(kBoth);
  for (const char* method : {"SCRAM-SHA-256", "SCRAM-SHA-512"}) {
    Login login(*file, method);
    CHECK(login.first("alice").code == ReasonCode::ContinueAuthentication);
    const AuthenticationResult result = login.prove("pw");
    CHECK(result.code == ReasonCode::Success);
    CHECK(result.principal == "alice");
    CHECK(result.authentication_data.starts_with("v="));
  }
}

TEST_CASE("a wrong password, an unknown user and a missing hash get the same answers") {
  const auto file = parsed(kBoth);
  const auto refused = [&](const char* method, const std::string& user,
                           const std::string& password) {
    Login login(*file, method);
    const AuthenticationResult first = login.first(user);
    CHECK(first.code == ReasonCode::ContinueAuthentication);
    const AuthenticationResult result = login.prove(password);
    CHECK(result.code == ReasonCode::NotAuthorized);
    CHECK(result.principal.empty());
    CHECK(result.authentication_data.empty());
    CHECK(result.reason.empty());
    return first.authentication_data.size();
  };
  const std::size_t known = refused("SCRAM-SHA-256", "alice", "wrong");
  CHECK(refused("SCRAM-SHA-256", "nobody", "pw") == known + 1);  // 10000 rounds instead of 4096
  refused("SCRAM-SHA-512", "bob", "other");
  refused("SCRAM-SHA-256", "alice", "");
}

TEST_CASE("a user that does not exist has one salt, also after a reload") {
  const std::string text = "#decoy:" + encode_base64("a secret of some length") + "\n" + kBoth;
  const auto salt = [](ScramFile& file, const std::string& user) {
    Login login(file, "SCRAM-SHA-256");
    const std::string challenge = login.first(user).authentication_data;
    return challenge.substr(challenge.find(",s="));
  };
  const auto one = parsed(text);
  const auto two = parsed(text + "carol:" + entry_of("x", ScramHash::Sha256) + "\n");
  CHECK(salt(*one, "nobody") == salt(*one, "nobody"));
  CHECK(salt(*one, "nobody") == salt(*two, "nobody"));
  CHECK(salt(*one, "nobody") != salt(*one, "somebody"));
  CHECK(salt(*parsed(kBoth), "nobody") != salt(*one, "nobody"));
}

TEST_CASE("messages out of turn are protocol errors") {
  const auto file = parsed(kBoth);
  Login login(*file, "SCRAM-SHA-256");
  AuthenticationResult got;
  const auto keep = [&got](AuthenticationResult result) { got = std::move(result); };
  login.conversation->proceed("c=biws,r=x,p=AAAA", keep);
  CHECK(got.code == ReasonCode::ProtocolError);
  CHECK(login.first("a=b").code == ReasonCode::ProtocolError);
  CHECK(login.first("alice").code == ReasonCode::ContinueAuthentication);
  CHECK(login.prove("pw").code == ReasonCode::Success);
  login.conversation->proceed("c=biws,r=x,p=AAAA", keep);
  CHECK(got.code == ReasonCode::ProtocolError);
  Login without_data(*file, "SCRAM-SHA-256");
  without_data.conversation->begin({}, keep);
  CHECK(got.code == ReasonCode::ProtocolError);
}

TEST_CASE("methods that are not SCRAM are not known") {
  const auto file = parsed(kBoth);
  CHECK(file->start("SCRAM-SHA-1") == nullptr);
  CHECK(file->start("") == nullptr);
  CHECK(file->start("scram-sha-256") == nullptr);
}

TEST_CASE("a broken line of keys is told with its place") {
  const std::string entry = entry_of("x", ScramHash::Sha256);
  for (const std::string& text : {std::string("alice\n"), ":" + entry, std::string("alice:\n"),
                                  "alice:" + entry + " " + entry, "a:" + entry + "\na:" + entry,
                                  std::string("alice:$7$1$AAAA$AAAA\n")}) {
    INFO(text);
    const auto file = ScramFile::parse(text, "scram");
    REQUIRE_FALSE(file);
    CHECK(file.error().code == ErrorCode::InvalidConfig);
    CHECK(file.error().detail.find("scram:") != std::string::npos);
  }
}

TEST_CASE("what the tool writes can be used") {
  const auto file = parsed("alice:" + scram_entries("secret"));
  Login login(*file, "SCRAM-SHA-512");
  login.first("alice");
  CHECK(login.prove("secret").code == ReasonCode::Success);
}
