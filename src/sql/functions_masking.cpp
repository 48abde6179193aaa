// Functions that hide or vouch for values.

#include <algorithm>
#include <string>

#include "sql/base64.hpp"
#include "sql/conversion.hpp"
#include "sql/digest.hpp"
#include "sql/functions.hpp"
#include "sql/utf8.hpp"

namespace twinmq::sql {
namespace {

using json::Kind;
using json::Value;

constexpr std::size_t kTokenBytes = 12;

// mask(x[, keep]): every character a star but the last `keep`.
Value mask(const Call& call) {
  const auto text = text_of(call[0], call.evaluation);
  const auto keep = call.size() == 2 ? int_of(call[1]) : std::optional<std::int64_t>(0);
  if (!text || !keep || !call.evaluation.spend(text->size() / 16)) return {};
  const std::size_t count = character_count(*text);
  const std::size_t shown =
      std::min(count, static_cast<std::size_t>(std::max<std::int64_t>(*keep, 0)));
  std::string masked(count - shown, '*');
  masked += text->substr(character_offset(*text, count - shown));
  return text_value(masked, call.evaluation);
}

std::optional<std::string> algorithm(const Value& value) {
  if (value.is_undefined()) return "sha256";
  return value.is(Kind::String) ? std::optional<std::string>(value.text()) : std::nullopt;
}

// hash(x[, algorithm]): the digest in hexadecimal digits, by SHA-256 unless told.
Value hash(const Call& call) {
  const auto text = text_of(call[0], call.evaluation);
  const auto name = algorithm(call[1]);
  if (!text || !name || !call.evaluation.spend(text->size() / 4 + 20)) return {};
  const auto bytes = digest(*name, *text);
  return bytes ? text_value(to_hex(*bytes), call.evaluation) : Value();
}

// hmac(text, key[, algorithm])
Value hmac(const Call& call) {
  const auto text = text_of(call[0], call.evaluation);
  const auto key = text_of(call[1], call.evaluation);
  const auto name = algorithm(call[2]);
  if (!text || !key || !name || !call.evaluation.spend(text->size() / 4 + 40)) return {};
  const auto bytes =
      keyed_digest(*name, *key, call.star(0) ? call.evaluation.payload.text() : *text);
  return bytes ? text_value(to_hex(*bytes), call.evaluation) : Value();
}

// tokenize(x, key): a short token that stands for x and tells nothing of it without the key.
Value tokenize(const Call& call) {
  const auto text = text_of(call[0], call.evaluation);
  const auto key = text_of(call[1], call.evaluation);
  if (!text || !key || !call.evaluation.spend(text->size() / 4 + 40)) return {};
  const auto bytes = keyed_digest("sha256", *key, *text);
  return bytes ? text_value("tok_" + to_hex(bytes->substr(0, kTokenBytes)), call.evaluation)
               : Value();
}

constexpr Function kFunctions[] = {
    {"mask", 1, 2, mask, true},
    {"hash", 1, 2, hash, true},
    {"hmac", 2, 3, hmac, true},
    {"tokenize", 2, 2, tokenize, true},
};

}  // namespace

std::span<const Function> masking_functions() {
  return kFunctions;
}

}  // namespace twinmq::sql
