#include "sql/window_group.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>

#include "json/read.hpp"
#include "json/write.hpp"
#include "sql/aggregate.hpp"
#include "sql/conversion.hpp"

namespace twinmq::sql {

using json::Value;

namespace {

constexpr std::uint8_t kForm = 1;

// Fifteen digits: sums of decimals do not show that they were doubles.
Value shown(double number, json::Arena& arena) {
  char text[40];
  const int size = std::snprintf(text, sizeof text, "%.15g", number);
  const auto decimal =
      json::read_decimal({text, static_cast<std::size_t>(size)}, json::Exponents::Signed);
  return decimal ? Value::number(json::stripped(*decimal), arena) : Value();
}

void write_double(base::ByteWriter& out, double number) {
  out.number(std::bit_cast<std::uint64_t>(number));
}

double read_double(base::ByteReader& in) {
  return std::bit_cast<double>(in.number<std::uint64_t>());
}

void write_texts(base::ByteWriter& out, const std::vector<std::string>& texts) {
  out.number(static_cast<std::uint32_t>(texts.size()));
  for (const std::string& text : texts) out.text(text);
}

std::vector<std::string> read_texts(base::ByteReader& in) {
  std::vector<std::string> texts;
  for (auto count = std::min<std::uint32_t>(in.number<std::uint32_t>(), kWindowValuesMax);
       count > 0 && in.ok(); --count)
    texts.emplace_back(in.text());
  return texts;
}

}  // namespace

void WindowAccumulator::take(std::string_view text, std::optional<double> number,
                             const ArgumentPlan& plan) {
  ++count;
  if ((plan.keep || plan.spread) && !detail) detail = std::make_unique<Detail>();
  if (plan.keep) {
    if (detail->values.size() < kWindowValuesMax)
      detail->values.emplace_back(text);
    else
      detail->values.back() = text;
  }
  if (!number) return;
  ++numbers;
  sum += *number;
  min = numbers == 1 ? *number : std::min(min, *number);
  max = numbers == 1 ? *number : std::max(max, *number);
  if (!plan.spread) return;
  const double apart = *number - detail->mean;
  detail->mean += apart / static_cast<double>(numbers);
  detail->squares += apart * (*number - detail->mean);
}

void WindowAccumulator::write(base::ByteWriter& out) const {
  out.number(std::uint64_t{count});
  out.number(std::uint64_t{numbers});
  for (const double number :
       {sum, min, max, detail ? detail->mean : 0, detail ? detail->squares : 0})
    write_double(out, number);
  out.flag(detail != nullptr);
  if (detail) write_texts(out, detail->values);
}

void WindowAccumulator::read(base::ByteReader& in) {
  count = static_cast<std::uint32_t>(in.number<std::uint64_t>());
  numbers = static_cast<std::uint32_t>(in.number<std::uint64_t>());
  Detail read;
  for (double* number : {&sum, &min, &max, &read.mean, &read.squares}) *number = read_double(in);
  if (in.flag()) read.values = read_texts(in);
  if (read.mean != 0 || read.squares != 0 || !read.values.empty())
    detail = std::make_unique<Detail>(std::move(read));
}

std::vector<double> WindowAccumulator::sorted_numbers() const {
  std::vector<double> sorted;
  if (!detail) return sorted;
  json::Arena arena;
  for (const std::string& text : detail->values)
    if (const auto number = number_of(json::read(text, arena).value))
      sorted.push_back(json::to_double(*number));
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

// Between two values the one in proportion.
Value WindowAccumulator::percentile(double share, json::Arena& arena) const {
  const std::vector<double> sorted = sorted_numbers();
  if (sorted.empty()) return {};
  const double place = std::clamp(share, 0.0, 1.0) * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return shown(
      sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]),
      arena);
}

Value WindowAccumulator::list(bool distinct, json::Arena& arena) const {
  std::vector<std::string> texts = detail ? detail->values : std::vector<std::string>();
  if (distinct) {
    std::vector<std::string> once;
    for (const std::string& text : texts)
      if (std::find(once.begin(), once.end(), text) == once.end()) once.push_back(text);
    texts = std::move(once);
  }
  Value* items = arena.array<Value>(texts.size());
  if (items == nullptr) return {};
  for (std::size_t i = 0; i < texts.size(); ++i)
    items[i] = json::read(arena.copy(texts[i]), arena).value;
  return Value::array({items, texts.size()});
}

Value WindowAccumulator::value(const AggregatePlan& plan, json::Arena& arena) const {
  switch (plan.kind) {
    case Aggregate::Count: return Value::integer(static_cast<std::int64_t>(count));
    case Aggregate::First:
    case Aggregate::Last: {
      if (!detail || detail->values.empty()) return {};
      const std::string& text =
          plan.kind == Aggregate::First ? detail->values.front() : detail->values.back();
      return json::read(arena.copy(text), arena).value;
    }
    case Aggregate::Collect: return list(false, arena);
    case Aggregate::Distinct: return list(true, arena);
    default: break;
  }
  if (numbers == 0) return {};
  switch (plan.kind) {
    case Aggregate::Sum: return shown(sum, arena);
    case Aggregate::Avg: return shown(sum / static_cast<double>(numbers), arena);
    case Aggregate::Min: return shown(min, arena);
    case Aggregate::Max: return shown(max, arena);
    case Aggregate::Stddev:
      return shown(std::sqrt((detail ? detail->squares : 0) / static_cast<double>(numbers)), arena);
    case Aggregate::Median: return percentile(0.5, arena);
    default: return percentile(plan.parameter, arena);
  }
}

std::string WindowGroup::text(std::size_t arguments) const {
  base::ByteWriter out;
  out.number(kForm);
  out.signed_number(begin);
  out.signed_number(end);
  out.number(messages);
  out.number(static_cast<std::uint32_t>(arguments));
  for (std::size_t i = 0; i < arguments; ++i) accumulators[i].write(out);
  out.number(static_cast<std::uint32_t>(recent ? recent->size() : 0));
  if (!recent) return out.take();
  for (const auto& [time, texts] : *recent) {
    out.signed_number(time);
    write_texts(out, texts);
  }
  return out.take();
}

bool WindowGroup::read(std::string_view text, std::size_t arguments) {
  base::ByteReader in(text);
  if (in.number<std::uint8_t>() != kForm) return false;
  begin = in.signed_number();
  end = in.signed_number();
  messages = in.number<std::uint32_t>();
  if (in.number<std::uint32_t>() != arguments) return false;
  accumulators = std::make_unique<WindowAccumulator[]>(arguments);
  for (std::size_t i = 0; i < arguments; ++i) accumulators[i].read(in);
  for (auto count = std::min<std::uint32_t>(in.number<std::uint32_t>(), kWindowValuesMax);
       count > 0 && in.ok(); --count) {
    const std::int64_t time = in.signed_number();
    if (!recent) recent = std::make_unique<RecentMessages>();
    recent->emplace_back(time, read_texts(in));
    if (recent->back().second.size() != arguments) return false;
  }
  return in.finished();
}

}  // namespace twinmq::sql
