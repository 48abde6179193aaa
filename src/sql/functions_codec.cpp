// encode and decode.

#include <string>

#include "sql/base64.hpp"
#include "sql/conversion.hpp"
#include "sql/functions.hpp"
#include "sql/packed.hpp"
#include "sql/protobuf.hpp"
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

// What decode() cannot read is Null.
Value read_or_null(std::optional<Value> value, Evaluation& evaluation) {
  if (value) return *value;
  if (evaluation.world != nullptr) evaluation.world->note_undecodable();
  return Value::null();
}

// The payload's very bytes for *, what the base64 text holds otherwise.
std::optional<std::string_view> packed_bytes(const Call& call, std::string_view text) {
  if (call.star(0)) return text;
  const auto bytes = from_base64(text);
  if (!bytes) return std::nullopt;
  return call.evaluation.arena.copy(*bytes);
}

// ('proto', descriptor, message), or as AWS: ('proto', bucket, key, file, message), where the
// descriptor is called bucket/key, or key alone.
std::optional<Value> read_proto(const Call& call, std::string_view bytes) {
  World* const world = call.evaluation.world;
  for (std::size_t i = 2; i < call.size(); ++i)
    if (!call[i].is(Kind::String)) return std::nullopt;
  if (world == nullptr || (call.size() != 4 && call.size() != 6)) return std::nullopt;
  const bool ours = call.size() == 4;
  const ProtobufTypes* types = nullptr;
  if (!ours)
    types = world->protobuf_types(std::string(call[2].text()) + "/" + std::string(call[3].text()));
  if (types == nullptr) types = world->protobuf_types(call[ours ? 2 : 3].text());
  const auto* const type = types == nullptr ? nullptr
                           : ours           ? types->find(call[3].text())
                                            : types->find(call[5].text(), call[4].text());
  return type == nullptr ? std::nullopt
                         : ProtobufTypes::decode(*type, bytes, call.evaluation.arena);
}

std::optional<Value> read_packed(const Call& call, std::string_view scheme, std::string_view text) {
  const auto bytes = packed_bytes(call, text);
  if (!bytes) return std::nullopt;
  if (scheme == "proto") return read_proto(call, *bytes);
  return scheme == "cbor" ? read_cbor(*bytes, call.evaluation.arena)
                          : read_msgpack(*bytes, call.evaluation.arena);
}

Value decode(const Call& call) {
  Evaluation& evaluation = call.evaluation;
  const auto text = bytes_of(call);
  if (!text || !call[1].is(Kind::String) || !evaluation.spend(text->size() / 2)) return {};
  const std::string_view scheme = call[1].text();
  if (scheme == "base64" || scheme == "hex") {
    const auto bytes = scheme == "hex" ? from_hex(*text) : from_base64(*text);
    return read_or_null(bytes ? std::optional(json_or_text(*bytes, evaluation)) : std::nullopt,
                        evaluation);
  }
  if (scheme == "json") {
    const json::ReadResult read = json::read(*text, evaluation.arena);
    return read_or_null(read ? std::optional(read.value) : std::nullopt, evaluation);
  }
  if (scheme != "cbor" && scheme != "msgpack" && scheme != "proto") return {};
  return read_or_null(read_packed(call, scheme, *text), evaluation);
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
