#include "sql/windows.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "json/write.hpp"
#include "sql/aggregate.hpp"
#include "sql/conversion.hpp"

namespace twinmq::sql {

using json::Kind;
using json::Value;

namespace {

constexpr std::size_t kValuesMax = 10'000;
constexpr std::int64_t kPanesMax = 1000;
constexpr std::int64_t kTimeMax = 9'000'000'000'000'000;  // milliseconds: sums of times stay within 64 bits

std::int64_t floor_to(std::int64_t time, std::int64_t step) {
  const std::int64_t left = time % step;
  return time - (left < 0 ? left + step : left);
}

// Fifteen digits: sums of decimals do not show that they were doubles.
Value shown(double number, json::Arena& arena) {
  char text[40];
  const int size = std::snprintf(text, sizeof text, "%.15g", number);
  const auto decimal = json::read_decimal({text, static_cast<std::size_t>(size)}, json::Exponents::Signed);
  return decimal ? Value::number(json::stripped(*decimal), arena) : Value();
}

}  // namespace

// What the aggregates over one argument need together.
struct Windows::Accumulator {
  std::uint64_t count = 0;    // values that are there
  std::uint64_t numbers = 0;  // of these, numbers
  double sum = 0, min = 0, max = 0, mean = 0, squares = 0;
  std::unique_ptr<std::vector<std::string>> values;  // as JSON, where an aggregate asks for them

  void take(const std::string& text, std::optional<double> number, bool keep) {
    if (text.empty()) return;
    ++count;
    if (keep) {
      if (!values) values = std::make_unique<std::vector<std::string>>();
      if (values->size() < kValuesMax) values->push_back(text);
      else values->back() = text;
    }
    if (!number) return;
    ++numbers;
    sum += *number;
    min = numbers == 1 ? *number : std::min(min, *number);
    max = numbers == 1 ? *number : std::max(max, *number);
    const double apart = *number - mean;
    mean += apart / static_cast<double>(numbers);
    squares += apart * (*number - mean);
  }

  std::vector<double> sorted_numbers() const {
    std::vector<double> sorted;
    if (!values) return sorted;
    json::Arena arena;
    for (const std::string& text : *values)
      if (const auto number = number_of(json::read(text, arena).value)) sorted.push_back(json::to_double(*number));
    std::sort(sorted.begin(), sorted.end());
    return sorted;
  }

  // Between two values the one in proportion.
  Value percentile(double share, json::Arena& arena) const {
    const std::vector<double> sorted = sorted_numbers();
    if (sorted.empty()) return {};
    const double place = std::clamp(share, 0.0, 1.0) * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, sorted.size() - 1);
    return shown(sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]), arena);
  }

  Value list(bool distinct, json::Arena& arena) const {
    std::vector<std::string> texts = values ? *values : std::vector<std::string>();
    if (distinct) {
      std::vector<std::string> once;
      for (const std::string& text : texts)
        if (std::find(once.begin(), once.end(), text) == once.end()) once.push_back(text);
      texts = std::move(once);
    }
    Value* items = arena.array<Value>(texts.size());
    if (items == nullptr) return {};
    for (std::size_t i = 0; i < texts.size(); ++i) items[i] = json::read(arena.copy(texts[i]), arena).value;
    return Value::array({items, texts.size()});
  }

  Value one(const std::string& text, json::Arena& arena) const { return json::read(arena.copy(text), arena).value; }

  Value value(const AggregatePlan& plan, json::Arena& arena) const {
    switch (plan.kind) {
      case Aggregate::Count: return Value::integer(static_cast<std::int64_t>(count));
      case Aggregate::First: return values ? one(values->front(), arena) : Value();
      case Aggregate::Last: return values ? one(values->back(), arena) : Value();
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
      case Aggregate::Stddev: return shown(std::sqrt(squares / static_cast<double>(numbers)), arena);
      case Aggregate::Median: return percentile(0.5, arena);
      default: return percentile(plan.parameter, arena);
    }
  }
};

struct Windows::Group {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::uint32_t messages = 0;
  std::vector<Accumulator> accumulators;
  std::vector<std::pair<std::int64_t, std::vector<std::string>>> recent;  // of SLIDING: the messages themselves
};

// A message reduced to what the groups need.
struct Windows::Input {
  std::int64_t time = 0;
  std::string key;
  std::vector<std::string> texts;
  std::vector<std::optional<double>> numbers;
};

Windows::Windows(const Statement& statement, std::size_t groups_max)
    : program_(statement.program()), groups_max_(groups_max) {}

Windows::~Windows() = default;

Outcome Windows::add(const Event& event, Payload& payload, Context& context, std::vector<std::string>& closed) {
  State state;
  const GroupPlan& plan = *program_.group;
  const GroupInput found = evaluate_group_input(program_, event, payload, context.world, state, context.scratch, context.budget);
  if (found.outcome != Outcome::Match) return found.outcome;
  Input input;
  input.time = event.now;
  if (plan.event_time != kNoBlock) {
    const auto time = int_of(found.event_time);
    if (!time || *time > kTimeMax || *time < -kTimeMax) return Outcome::WhereUndefined;
    input.time = *time;
  }
  json::write(Value::array(found.keys), input.key);
  for (const Value& value : found.arguments) {
    const bool absent = value.is_undefined() || value.is_null();
    input.texts.push_back(absent ? std::string() : json::text_of(value));
    const auto number = number_of(value);
    input.numbers.push_back(number ? std::optional<double>(json::to_double(*number)) : std::nullopt);
  }
  if (plan.event_time == kNoBlock) {
    close_until(event.now, context, closed);
  }
  place(input, context, closed);
  if (plan.event_time != kNoBlock && input.time - plan.window.late > watermark_)
    close_until(input.time - plan.window.late, context, closed);
  return Outcome::Match;
}

void Windows::place(const Input& input, Context& context, std::vector<std::string>& closed) {
  switch (program_.group->window.kind) {
    case WindowKind::Tumbling:
    case WindowKind::Hopping: return place_fixed(input);
    case WindowKind::Session: return place_session(input, context, closed);
    case WindowKind::Count: return place_count(input, context, closed);
    case WindowKind::Sliding: return place_sliding(input, context, closed);
  }
}

Windows::Group* Windows::open(Groups& groups, const std::string& key, std::int64_t begin, std::int64_t end) {
  auto found = groups.find(key);
  if (found != groups.end()) return &found->second;
  if (groups_ >= groups_max_) {
    ++dropped_;
    return nullptr;
  }
  ++groups_;
  found = groups.emplace(key, Group{}).first;
  found->second.begin = begin;
  found->second.end = end;
  found->second.accumulators.resize(program_.group->arguments.size());
  return &found->second;
}

void Windows::take(Group& group, const Input& input) const {
  ++group.messages;
  for (std::size_t i = 0; i < input.texts.size(); ++i)
    group.accumulators[i].take(input.texts[i], input.numbers[i], program_.group->arguments[i].keep);
}

void Windows::place_fixed(const Input& input) {
  const Window& window = program_.group->window;
  const std::int64_t step = window.kind == WindowKind::Tumbling ? window.length : window.step;
  bool placed = false;
  std::int64_t begin = floor_to(input.time, step);
  for (std::int64_t count = 0; begin > input.time - window.length && count < kPanesMax; begin -= step, ++count) {
    if (begin + window.length <= watermark_) break;
    placed = true;
    if (Group* group = open(panes_[begin], input.key, begin, begin + window.length)) take(*group, input);
  }
  if (!placed) ++late_;
}

void Windows::place_session(const Input& input, Context& context, std::vector<std::string>& closed) {
  const Window& window = program_.group->window;
  if (input.time + window.length <= watermark_) {
    ++late_;
    return;
  }
  const auto found = keyed_.find(input.key);
  const bool apart = found != keyed_.end() &&
                     (input.time >= found->second.end ||
                      (window.step > 0 && input.time - found->second.begin >= window.step));
  if (apart) {
    emit(input.key, found->second, context, closed);
    keyed_.erase(found);
    --groups_;
  }
  Group* group = open(keyed_, input.key, input.time, input.time + window.length);
  if (group == nullptr) return;
  if (group->messages == 0) due_[group->end].push_back(input.key);
  group->begin = std::min(group->begin, input.time);
  group->end = std::max(group->end, input.time + window.length);
  take(*group, input);
}

void Windows::place_count(const Input& input, Context& context, std::vector<std::string>& closed) {
  Group* group = open(keyed_, input.key, input.time, input.time);
  if (group == nullptr) return;
  group->end = input.time;
  take(*group, input);
  if (group->messages < static_cast<std::uint64_t>(program_.group->window.length)) return;
  emit(input.key, *group, context, closed);
  keyed_.erase(input.key);
  --groups_;
}

// Each message yields the aggregates over those of the time before it.
void Windows::place_sliding(const Input& input, Context& context, std::vector<std::string>& closed) {
  Group* group = open(keyed_, input.key, input.time, input.time);
  if (group == nullptr) return;
  const std::int64_t length = program_.group->window.length;
  std::erase_if(group->recent, [&](const auto& old) { return old.first <= input.time - length; });
  if (group->recent.size() >= kValuesMax) group->recent.erase(group->recent.begin());
  group->recent.emplace_back(input.time, input.texts);
  group->accumulators.clear();
  group->accumulators.resize(program_.group->arguments.size());
  json::Arena arena;
  for (const auto& [time, texts] : group->recent) {
    Input again;
    again.texts = texts;
    for (const std::string& text : texts) {
      const auto number = text.empty() ? std::nullopt : number_of(json::read(text, arena).value);
      again.numbers.push_back(number ? std::optional<double>(json::to_double(*number)) : std::nullopt);
    }
    take(*group, again);
  }
  group->begin = input.time - length;
  group->end = input.time;
  emit(input.key, *group, context, closed);
}

void Windows::advance(std::int64_t now, Context& context, std::vector<std::string>& closed) {
  if (program_.group->event_time == kNoBlock) close_until(now, context, closed);
}

void Windows::close_until(std::int64_t time, Context& context, std::vector<std::string>& closed) {
  if (time <= watermark_) return;
  watermark_ = time;
  const Window& window = program_.group->window;
  while (!panes_.empty() && panes_.begin()->first <= time - window.length) {
    Groups groups = std::move(panes_.begin()->second);
    panes_.erase(panes_.begin());
    std::vector<Groups::value_type*> ordered;
    for (auto& group : groups) ordered.push_back(&group);
    std::sort(ordered.begin(), ordered.end(), [](const auto* a, const auto* b) { return a->first < b->first; });
    for (auto* group : ordered) emit(group->first, group->second, context, closed);
    groups_ -= groups.size();
  }
  close_sessions(time, context, closed);
}

void Windows::close_sessions(std::int64_t time, Context& context, std::vector<std::string>& closed) {
  while (!due_.empty() && due_.begin()->first <= time) {
    std::vector<std::string> keys = std::move(due_.begin()->second);
    due_.erase(due_.begin());
    std::sort(keys.begin(), keys.end());
    for (std::string& key : keys) {
      const auto found = keyed_.find(key);
      if (found == keyed_.end()) continue;
      if (found->second.end > time) {
        due_[found->second.end].push_back(std::move(key));
        continue;
      }
      emit(key, found->second, context, closed);
      keyed_.erase(found);
      --groups_;
    }
  }
}

void Windows::close_all(Context& context, std::vector<std::string>& closed) {
  close_until(INT64_MAX, context, closed);
  for (auto& [key, group] : keyed_) emit(key, group, context, closed);
  keyed_.clear();
  groups_ = 0;
}

std::optional<std::int64_t> Windows::next_deadline() const {
  if (program_.group->event_time != kNoBlock) return std::nullopt;
  std::optional<std::int64_t> next;
  if (!panes_.empty()) next = panes_.begin()->first + program_.group->window.length;
  if (!due_.empty() && (!next || due_.begin()->first < *next)) next = due_.begin()->first;
  return next;
}

void Windows::emit(const std::string& key, Group& group, Context& context, std::vector<std::string>& closed) const {
  context.scratch.reset();
  json::Arena& arena = context.scratch.arena;
  const Value keys = json::read(key, arena).value;
  std::vector<Value> aggregates;
  for (const AggregatePlan& plan : program_.group->aggregates) {
    if (plan.argument == kNoBlock) {
      aggregates.push_back(Value::integer(group.messages));
      continue;
    }
    if (plan.kind == Aggregate::Outside) {
      const Value values = group.accumulators[plan.argument].list(false, arena);
      aggregates.push_back(context.world == nullptr ? Value()
                                                    : context.world->aggregate(plan.name, values.items(), arena));
      continue;
    }
    aggregates.push_back(group.accumulators[plan.argument].value(plan, arena));
  }
  const GroupView view{aggregates, keys.is(Kind::Array) ? keys.items() : std::span<const Value>(), group.begin, group.end};
  const Evaluated result = evaluate_group(program_, view, context.world, context.scratch, context.budget);
  if (result.outcome == Outcome::Match) closed.push_back(json::text_of(result.value));
}

}  // namespace twinmq::sql
