// encode and decode.

#include <string>

#include "sql/base64.hpp"
#include "sql/conversion.hpp"
#include "sql/functions.hpp"
#include "sql/packed.hpp"
#include "sql/utf8.hpp"

namespace twinmq::sql {
namespace {

using json::Kind;
using json::Value;

// The payload's very bytes for *, the text form for everything else.
std::optional<std::string_view> bytes_of(const Call& call) {
  if (call.star(0)) return call.evaluation.payload.text();
  return text_of(call[0], call.evaluation);
}

Value encode(const Call& call) {
  const auto bytes = bytes_of(call);
  if (!bytes || !call[1].is(Kind::String) || !call.evaluation.spend(bytes->size() / 8)) return {};
  if (call[1].text() == "base64") return text_value(to_base64(*bytes), call.evaluation);
  if (call[1].text() == "hex") return text_value(to_hex(*bytes), call.evaluation);
  return {};
}

// A JSON document where the bytes are one, their text otherwise.
Value json_or_text(std::string_view bytes, Evaluation& evaluation) {
  const std::string_view kept = evaluation.arena.copy(bytes);
  if (kept.size() != bytes.size()) return {};
  const json::ReadResult read = json::read(kept, evaluation.arena);
  if (read) return read.value;
  return is_utf8(kept) ? Value::string(kept) : Value::null();
}

Value unpacked(std::optional<Value> value) {
  return value ? *value : Value::null();
}

Value decode(const Call& call) {
  Evaluation& evaluation = call.evaluation;
  const auto text = bytes_of(call);
  if (!text || !call[1].is(Kind::String) || !evaluation.spend(text->size() / 2)) return {};
  const std::string_view scheme = call[1].text();
  if (scheme == "base64" || scheme == "hex") {
    const auto bytes = scheme == "hex" ? from_hex(*text) : from_base64(*text);
    return bytes ? json_or_text(*bytes, evaluation) : Value::null();
  }
  if (scheme == "json") {
    const json::ReadResult read = json::read(*text, evaluation.arena);
    return read ? read.value : Value::null();
  }
  if (scheme != "cbor" && scheme != "msgpack") return {};
  std::string_view bytes = *text;
  if (!call.star(0)) {
    const auto packed = from_base64(*text);
    if (!packed) return Value::null();
    bytes = evaluation.arena.copy(*packed);
  }
  return unpacked(scheme == "cbor" ? read_cbor(bytes, evaluation.arena) : read_msgpack(bytes, evaluation.arena));
}

constexpr Function kFunctions[] = {
    {"encode", 2, 2, encode},
    {"decode", 2, 6, decode},
};

}  // namespace

std::span<const Function> codec_functions() {
  return kFunctions;
}

}  // namespace twinmq::sql
