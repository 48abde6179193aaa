// What statements ask of the world outside. A look-up without an answer ends the rule, unless
// get_or_default() catches it.

#include "sql/conversion.hpp"
#include "sql/functions.hpp"

namespace twinmq::sql {
namespace {

using json::Kind;
using json::Value;

Value failed(const Call& call) {
  call.evaluation.lookup_failed = true;
  return {};
}

Value document(const std::optional<std::string>& text, const Call& call) {
  if (!text) return failed(call);
  const json::ReadResult read =
      json::read(call.evaluation.arena.copy(*text), call.evaluation.arena);
  return read ? read.value : failed(call);
}

// (thing[, shadow][, role]); a role begins with arn: and means nothing here.
Value get_thing_shadow(const Call& call) {
  if (call.evaluation.world == nullptr || !call[0].is(Kind::String)) return failed(call);
  if (call.size() > 1 && !call[1].is(Kind::String)) return failed(call);
  const bool named = call.size() == 3 || (call.size() == 2 && !call[1].text().starts_with("arn:"));
  return document(call.evaluation.world->thing_shadow(call[0].text(), named ? call[1].text() : ""),
                  call);
}

Value call_outside(const Call& call) {
  if (call.evaluation.world == nullptr || !call[0].is(Kind::String)) return failed(call);
  const auto answer = call.evaluation.world->call(outside_name(call[0].text()),
                                                  call.arguments.subspan(1), call.evaluation.arena);
  return answer ? *answer : failed(call);
}

// The key of a table, its column meaning nothing: (table, column, key, …).
Value get_dynamodb(const Call& call) {
  if (call.evaluation.world == nullptr || !call[0].is(Kind::String)) return failed(call);
  const auto key = text_of(call[2], call.evaluation);
  if (!key) return failed(call);
  const auto row = call.evaluation.world->look_up(call[0].text(), *key, call.evaluation.arena);
  return row ? *row : failed(call);
}

// (table, key[, column]); Undefined where there is none.
Value lookup(const Call& call) {
  const auto key = text_of(call[1], call.evaluation);
  if (call.evaluation.world == nullptr || !call[0].is(Kind::String) || !key) return {};
  const auto row = call.evaluation.world->look_up(call[0].text(), *key, call.evaluation.arena);
  if (!row || call.size() < 3) return row.value_or(Value());
  return call[2].is(Kind::String) ? row->member(call[2].text()) : Value();
}

Value get_secret(const Call& call) {
  if (call.evaluation.world == nullptr || !call[0].is(Kind::String)) return failed(call);
  const auto secret = call.evaluation.world->secret(call[0].text());
  if (!secret) return failed(call);
  const bool keyed = call.size() == 4 && call[2].is(Kind::String);
  if (!keyed) return text_value(*secret, call.evaluation);
  return document(secret, call).member(call[2].text());
}

constexpr Function kFunctions[] = {
    {"get_thing_shadow", 1, 3, get_thing_shadow},
    {"aws_lambda", 2, 2, call_outside},
    {"call", 1, kAnyNumber, call_outside, true},
    {"get_dynamodb", 3, 6, get_dynamodb},
    {"lookup", 2, 3, lookup, true},
    {"get_secret", 1, 4, get_secret},
};

}  // namespace

std::span<const Function> lookup_functions() {
  return kFunctions;
}

}  // namespace twinmq::sql
