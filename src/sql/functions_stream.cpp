// Functions that remember earlier messages. Each place in a statement has its own memory, one for
// each partition that OVER (PARTITION BY …) names; OVER (WHEN …) keeps a message from being
// remembered.

#include <algorithm>
#include <cmath>
#include <string>

#include "json/write.hpp"
#include "sql/conversion.hpp"
#include "sql/duration.hpp"
#include "sql/functions.hpp"

namespace twinmq::sql {
namespace {

using json::Kind;
using json::Value;

constexpr std::int64_t kRememberedMax = 10'000;

Cell& cell_of(const Call& call) {
  return call.evaluation.state.cell(call.slot, call.partition, call.evaluation.event.now);
}

std::string kept(const Value& value) {
  return value.is_undefined() ? std::string() : json::text_of(value, json::Numbers::AsWritten);
}

Value restored(const std::string& text, Evaluation& evaluation) {
  if (text.empty()) return {};
  return json::read(evaluation.arena.copy(text), evaluation.arena).value;
}

std::optional<double> double_of(const Value& value) {
  const auto number = number_of(value);
  return number ? std::optional<double>(json::to_double(*number)) : std::nullopt;
}

std::optional<std::int64_t> count_of(const Value& value, std::int64_t otherwise) {
  if (value.is_undefined()) return otherwise;
  const auto count = int_of(value);
  return count && *count >= 1 && *count <= kRememberedMax ? count : std::nullopt;
}

std::optional<std::int64_t> duration_of(const Value& value) {
  if (value.is(Kind::String)) return read_duration(value.text());
  const auto milliseconds = int_of(value);
  return milliseconds && *milliseconds >= 0 ? milliseconds : std::nullopt;
}

// lag(x[, n[, default]]): the value n messages ago.
Value lag(const Call& call) {
  const auto back = count_of(call[1], 1);
  if (!back) return {};
  Cell& cell = cell_of(call);
  const auto wanted = static_cast<std::size_t>(*back);
  const Value earlier = cell.texts.size() >= wanted
                            ? restored(cell.texts[cell.texts.size() - wanted], call.evaluation)
                            : call[2];
  if (call.when) {
    if (cell.texts.size() >= wanted) cell.texts.erase(cell.texts.begin());
    cell.texts.push_back(kept(call[0]));
  }
  return earlier;
}

// latest(x[, default]): the value, or the last one there was.
Value latest(const Call& call) {
  Cell& cell = cell_of(call);
  if (call.when && !call[0].is_undefined() && !call[0].is_null()) {
    cell.texts.assign(1, kept(call[0]));
    return call[0];
  }
  return cell.texts.empty() ? call[1] : restored(cell.texts[0], call.evaluation);
}

bool exchange(Cell& cell, std::string value) {
  const bool other = cell.texts.empty() || cell.texts[0] != value;
  if (other) cell.texts.assign(1, std::move(value));
  return other;
}

// changed(x): whether x differs from the last message's; true for the first.
Value changed(const Call& call) {
  if (call[0].is_undefined() || !call.when) return Value::boolean(false);
  return Value::boolean(exchange(cell_of(call), kept(call[0])));
}

// changed_col(x): x when it differs from the last message's, else Undefined.
Value changed_col(const Call& call) {
  return changed(call).is_true() ? call[0] : Value();
}

// had_changed(a, b, …): whether any differs from the last message's.
Value had_changed(const Call& call) {
  if (!call.when) return Value::boolean(false);
  std::string all;
  for (const Value& value : call.arguments) {
    all += kept(value);
    all += '\n';
  }
  return Value::boolean(exchange(cell_of(call), std::move(all)));
}

// rate(x): how much x changes in a second since the last message.
Value rate(const Call& call) {
  const auto value = double_of(call[0]);
  if (!value) return {};
  Cell& cell = cell_of(call);
  const std::int64_t now = call.evaluation.event.now;
  Value result;
  if (!cell.numbers.empty() && now > cell.time)
    result = number_value((*value - cell.numbers[0]) * 1000 / static_cast<double>(now - cell.time),
                          call.evaluation);
  if (call.when && (cell.numbers.empty() || now > cell.time)) {
    cell.numbers.assign(1, *value);
    cell.time = now;
  }
  return result;
}

// hysteresis(x, low, high): true from x > high on, until x < low.
Value hysteresis(const Call& call) {
  const auto value = double_of(call[0]);
  const auto low = double_of(call[1]);
  const auto high = double_of(call[2]);
  if (!value || !low || !high) return {};
  Cell& cell = cell_of(call);
  if (call.when && *value > *high) cell.count = 1;
  if (call.when && *value < *low) cell.count = 0;
  return Value::boolean(cell.count != 0);
}

// throttle('10s'): true at most once in the time.
Value throttle(const Call& call) {
  const auto pause = duration_of(call[0]);
  if (!pause || !call.when) return call.when ? Value() : Value::boolean(false);
  Cell& cell = cell_of(call);
  const std::int64_t now = call.evaluation.event.now;
  const bool passes = cell.count == 0 || now - cell.time >= *pause || now < cell.time;
  if (passes) {
    cell.count = 1;
    cell.time = now;
  }
  return Value::boolean(passes);
}

// every_nth(n): true for the first message and each nth after it.
Value every_nth(const Call& call) {
  const auto nth = int_of(call[0]);
  if (!nth || *nth < 1) return {};
  if (!call.when) return Value::boolean(false);
  Cell& cell = cell_of(call);
  const bool passes = cell.count == 0;
  cell.count = (cell.count + 1) % *nth;
  return Value::boolean(passes);
}

// deadband(x, band): true when x is further than the band from the value that passed last.
Value deadband(const Call& call) {
  const auto value = double_of(call[0]);
  const auto band = double_of(call[1]);
  if (!value || !band) return {};
  if (!call.when) return Value::boolean(false);
  Cell& cell = cell_of(call);
  const bool passes = cell.numbers.empty() || std::abs(*value - cell.numbers[0]) > *band;
  if (passes) cell.numbers.assign(1, *value);
  return Value::boolean(passes);
}

// once(id, '1h'): true for an id that was not seen within the time.
Value once(const Call& call) {
  const auto id = text_of(call[0], call.evaluation);
  const auto time = duration_of(call[1]);
  if (!id || !time || !call.when) return {};
  const std::string partition = std::string(call.partition) + '\x1F' + std::string(*id);
  const std::int64_t now = call.evaluation.event.now;
  Cell& cell = call.evaluation.state.cell(call.slot, partition, now);
  if (cell.count != 0 && now - cell.time < *time) return Value::boolean(false);
  cell.count = 1;
  cell.time = now;
  return Value::boolean(true);
}

// The newest n values; answers whether the value was a number.
bool slide(const Call& call, Cell& cell, double value, std::size_t count) {
  if (!call.when) return false;
  if (cell.numbers.size() >= count)
    cell.numbers.erase(
        cell.numbers.begin(),
        cell.numbers.begin() + static_cast<std::ptrdiff_t>(cell.numbers.size() - count + 1));
  cell.numbers.push_back(value);
  return true;
}

struct Spread {
  double mean = 0;
  double deviation = 0;
};

Spread spread_of(const std::vector<double>& numbers) {
  Spread spread;
  for (const double number : numbers) spread.mean += number;
  spread.mean /= static_cast<double>(numbers.size());
  for (const double number : numbers)
    spread.deviation += (number - spread.mean) * (number - spread.mean);
  spread.deviation = std::sqrt(spread.deviation / static_cast<double>(numbers.size()));
  return spread;
}

// moving_avg(x, n): the mean of the newest n values.
Value moving_avg(const Call& call) {
  const auto value = double_of(call[0]);
  const auto count = count_of(call[1], 10);
  if (!value || !count || !call.evaluation.spend(static_cast<std::size_t>(*count) / 4)) return {};
  Cell& cell = cell_of(call);
  slide(call, cell, *value, static_cast<std::size_t>(*count));
  return cell.numbers.empty() ? Value()
                              : number_value(spread_of(cell.numbers).mean, call.evaluation);
}

// ewma(x, alpha): the exponentially weighted mean.
Value ewma(const Call& call) {
  const auto value = double_of(call[0]);
  const auto alpha = double_of(call[1]);
  if (!value || !alpha || *alpha <= 0 || *alpha > 1) return {};
  Cell& cell = cell_of(call);
  if (call.when) {
    if (cell.numbers.empty())
      cell.numbers.push_back(*value);
    else
      cell.numbers[0] += *alpha * (*value - cell.numbers[0]);
  }
  return cell.numbers.empty() ? Value() : number_value(cell.numbers[0], call.evaluation);
}

std::optional<double> score(const Call& call, std::size_t needed) {
  const auto value = double_of(call[0]);
  const auto count = count_of(call[1], 100);
  if (!value || !count || !call.evaluation.spend(static_cast<std::size_t>(*count) / 4))
    return std::nullopt;
  Cell& cell = cell_of(call);
  std::optional<double> result;
  if (cell.numbers.size() >= needed) {
    const Spread spread = spread_of(cell.numbers);
    const double apart = *value - spread.mean;
    // Values that never varied make any other one as strange as can be told.
    constexpr double kStrangest = 1000;
    result = spread.deviation > 0 ? apart / spread.deviation
             : apart == 0         ? 0
                                  : std::copysign(kStrangest, apart);
  }
  slide(call, cell, *value, static_cast<std::size_t>(*count));
  return result;
}

// zscore(x[, n]): how many standard deviations x is from the mean of the n values before it.
Value zscore(const Call& call) {
  const auto result = score(call, 2);
  return result ? number_value(*result, call.evaluation) : Value();
}

// anomaly(x[, n[, threshold]]): whether |zscore| exceeds the threshold (3), once ten values are
// known.
Value anomaly(const Call& call) {
  const auto threshold = call[2].is_undefined() ? std::optional<double>(3) : double_of(call[2]);
  const auto result = score(call, 10);
  if (!threshold) return {};
  return Value::boolean(result && std::abs(*result) > *threshold);
}

// debounce(condition, '5s'): true once the condition has held that long.
Value debounce(const Call& call) {
  const auto time = duration_of(call[1]);
  if (!time) return {};
  Cell& cell = cell_of(call);
  const std::int64_t now = call.evaluation.event.now;
  if (!call[0].is_true()) {
    cell.count = 0;
    return Value::boolean(false);
  }
  if (cell.count == 0) {
    cell.count = 1;
    cell.time = now;
  }
  return Value::boolean(now - cell.time >= *time);
}

constexpr Function kFunctions[] = {
    {"lag", 1, 3, lag, true, true},
    {"latest", 1, 2, latest, true, true},
    {"changed", 1, 1, changed, true, true},
    {"changed_col", 1, 1, changed_col, true, true},
    {"had_changed", 1, kAnyNumber, had_changed, true, true},
    {"rate", 1, 1, rate, true, true},
    {"hysteresis", 3, 3, hysteresis, true, true},
    {"throttle", 1, 1, throttle, true, true},
    {"debounce", 2, 2, debounce, true, true},
    {"every_nth", 1, 1, every_nth, true, true},
    {"deadband", 2, 2, deadband, true, true},
    {"once", 2, 2, once, true, true},
    {"moving_avg", 1, 2, moving_avg, true, true},
    {"ewma", 2, 2, ewma, true, true},
    {"zscore", 1, 2, zscore, true, true},
    {"anomaly", 1, 3, anomaly, true, true},
};

}  // namespace

std::span<const Function> stream_functions() {
  return kFunctions;
}

}  // namespace twinmq::sql
