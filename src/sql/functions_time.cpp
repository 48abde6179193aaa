// Functions over times.

#include "sql/conversion.hpp"
#include "sql/functions.hpp"
#include "sql/time_pattern.hpp"

namespace twinmq::sql {
namespace {

using json::Value;

Value timestamp(const Call& call) {
  return Value::integer(call.evaluation.event.now);
}

Value parse_time(const Call& call) {
  Evaluation& evaluation = call.evaluation;
  const auto pattern = text_of(call[0], evaluation);
  const auto time = int_of(call[1]);
  const auto name =
      call.size() == 3 ? text_of(call[2], evaluation) : std::optional<std::string_view>("UTC");
  if (!pattern || !time || !name || !evaluation.spend(50)) return {};
  const TimeZone* zone = evaluation.caches.zone(*name, evaluation.world);
  if (zone == nullptr) return {};
  const auto text = format_time(*pattern, *time, *zone);
  return text ? text_value(*text, evaluation) : Value();
}

Value time_to_epoch(const Call& call) {
  Evaluation& evaluation = call.evaluation;
  const auto text = text_of(call[0], evaluation);
  const auto pattern = text_of(call[1], evaluation);
  if (!text || !pattern || !evaluation.spend(50)) return {};
  const auto time = read_time(*text, *pattern, [&](std::string_view name) {
    return evaluation.caches.zone(name, evaluation.world);
  });
  return time ? Value::integer(*time) : Value();
}

constexpr Function kFunctions[] = {
    {"timestamp", 0, 0, timestamp},
    {"parse_time", 2, 3, parse_time},
    {"time_to_epoch", 2, 2, time_to_epoch},
};

}  // namespace

std::span<const Function> time_functions() {
  return kFunctions;
}

}  // namespace twinmq::sql
