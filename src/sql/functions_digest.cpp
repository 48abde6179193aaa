// Digests as functions.

#include "sql/base64.hpp"
#include "sql/conversion.hpp"
#include "sql/digest.hpp"
#include "sql/functions.hpp"

namespace twinmq::sql {
namespace {

using json::Value;

constexpr char kMd2[] = "md2";
constexpr char kMd5[] = "md5";
constexpr char kSha1[] = "sha1";
constexpr char kSha224[] = "sha224";
constexpr char kSha256[] = "sha256";
constexpr char kSha384[] = "sha384";
constexpr char kSha512[] = "sha512";

template <const char* kAlgorithm>
Value digested(const Call& call) {
  const auto text = text_of(call[0], call.evaluation);
  if (!text || !call.evaluation.spend(text->size() / 4 + 20)) return {};
  const auto bytes = digest(kAlgorithm, *text);
  return bytes ? text_value(to_hex(*bytes), call.evaluation) : Value();
}

constexpr Function kFunctions[] = {
    {"md2", 1, 1, digested<kMd2>},       {"md5", 1, 1, digested<kMd5>},
    {"sha1", 1, 1, digested<kSha1>},     {"sha224", 1, 1, digested<kSha224>},
    {"sha256", 1, 1, digested<kSha256>}, {"sha384", 1, 1, digested<kSha384>},
    {"sha512", 1, 1, digested<kSha512>},
};

}  // namespace

std::span<const Function> digest_functions() {
  return kFunctions;
}

}  // namespace twinmq::sql
