#include "modules/access/scram.hpp"

#include <catch2/catch.hpp>

#include <string>

#include "modules/access/base64.hpp"

using namespace twinmq;
using namespace twinmq::access;
using Verdict = ScramExchange::Verdict;

namespace {

// The example of RFC 7677, section 3.
constexpr const char* kFirst = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
constexpr const char* kOurs = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const std::string kNonce = std::string("rOprNGfwEbeRWgbNEkqO") + kOurs;
const std::string kFinal = "c=biws,r=" + kNonce + ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

ScramKeys rfc_keys() {
  return scram_keys(ScramHash::Sha256, "pencil", *decode_base64("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096);
}

ScramExchange rfc_exchange(bool real = true) {
  return {*parse_scram_first(kFirst), rfc_keys(), kOurs, real};
}

}  // namespace

TEST_CASE("the exchange of RFC 7677 is spoken word by word") {
  ScramExchange exchange = rfc_exchange();
  CHECK(exchange.challenge() == "r=" + kNonce + ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
  CHECK(exchange.judge(kFinal) == Verdict::Proved);
  CHECK(exchange.confirmation() == "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

TEST_CASE("a proof counts for this user, this nonce and this channel alone") {
  CHECK(rfc_exchange(false).judge(kFinal) == Verdict::Wrong);
  std::string other_proof = kFinal;
  other_proof[other_proof.size() - 5] = 'A';
  CHECK(rfc_exchange().judge(other_proof) == Verdict::Wrong);
  CHECK(rfc_exchange().judge("c=eSws" + kFinal.substr(6)) == Verdict::Wrong);
  std::string other_nonce = kFinal;
  other_nonce.replace(other_nonce.find("hvYD"), 4, "xxxx");
  CHECK(rfc_exchange().judge(other_nonce) == Verdict::Wrong);
  ScramExchange other_user(*parse_scram_first("n,,n=eve,r=rOprNGfwEbeRWgbNEkqO"), rfc_keys(), kOurs,
                           true);
  CHECK(other_user.judge(kFinal) == Verdict::Wrong);
}

TEST_CASE("a second message that is none is told from a wrong proof") {
  const std::string nonce = "c=biws,r=" + kNonce;
  for (const std::string& message :
       {std::string(), std::string("c=biws"), nonce, nonce + ",p=", nonce + ",p=AAAA",
        nonce + ",p=!!!!", std::string("r=x,c=biws,p=AAAA"), std::string(100'000, ',')}) {
    CHECK(rfc_exchange().judge(message) == Verdict::Malformed);
  }
}

TEST_CASE("names may have commas and equals signs") {
  const auto first = parse_scram_first("n,,n=a=2Cb=3Dc,r=x");
  REQUIRE(first);
  CHECK(first->user == "a,b=c");
  CHECK(first->gs2_header == "n,,");
  CHECK(first->bare == "n=a=2Cb=3Dc,r=x");
  CHECK(parse_scram_first("y,a=user,n=user,r=x"));
}

TEST_CASE("a first message that is malformed or asks for too much is refused") {
  for (const char* message :
       {"", "n", "n,", "n,,", "n,,n=user", "n,,r=x", "n,,n=,r=x", "n,,n=a=2cb,r=x", "n,,n=a=,r=x",
        "n,,n=user,r=", "n,,n=user,r=a b", "p=tls-unique,,n=user,r=x", "n,a=other,n=user,r=x",
        "n,,m=ext,n=user,r=x", "x,,n=user,r=x", "n,x,n=user,r=x"}) {
    INFO(message);
    CHECK_FALSE(parse_scram_first(message));
  }
  CHECK_FALSE(parse_scram_first("n,,n=user,r=" + std::string(2000, 'x')));
}

TEST_CASE("an entry reads back as it was written") {
  for (const ScramHash hash : {ScramHash::Sha256, ScramHash::Sha512}) {
    const ScramKeys keys = scram_keys(hash, "secret", "0123456789abcdef", 4096);
    const auto read = parse_scram_entry(scram_entry(keys));
    REQUIRE(read);
    CHECK(read->hash == hash);
    CHECK(read->iterations == 4096);
    CHECK(read->salt == keys.salt);
    CHECK(read->stored_key == keys.stored_key);
    CHECK(read->server_key == keys.server_key);
  }
}

TEST_CASE("a broken entry is explained without being quoted") {
  const std::string good = scram_entry(rfc_keys());
  const std::string keys = good.substr(good.find(':'));
  for (const std::string& entry :
       {std::string(), std::string("SCRAM-SHA-1$4096") + keys, "SCRAM-SHA-256$100" + keys,
        "SCRAM-SHA-256$4096x" + keys, good + "AAAA", good.substr(0, good.rfind(':')),
        "SCRAM-SHA-512$4096" + keys, std::string("SCRAM-SHA-256$4096:!!!!$AAAA:AAAA")}) {
    const auto read = parse_scram_entry(entry);
    REQUIRE_FALSE(read);
    CHECK(read.error().find(keys) == std::string::npos);
  }
}
