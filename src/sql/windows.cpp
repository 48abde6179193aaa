#include "sql/windows.hpp"

#include <algorithm>
#include <utility>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"
#include "json/write.hpp"
#include "sql/aggregate.hpp"
#include "sql/conversion.hpp"

namespace twinmq::sql {

using json::Kind;
using json::Value;

namespace {

constexpr char kPane = 'p';
constexpr char kKeyed = 'k';
constexpr std::string_view kWatermark = "w";
constexpr std::int64_t kTimeMax =
    9'000'000'000'000'000;  // milliseconds: sums of times stay within 64 bits

bool is_time(std::int64_t time) {
  return time <= 2 * kTimeMax && time >= -2 * kTimeMax;
}

std::int64_t floor_to(std::int64_t time, std::int64_t step) {
  const std::int64_t left = time % step;
  return time - (left < 0 ? left + step : left);
}

// Big endian with the sign turned, so that names sort as times.
std::string pane_name(std::int64_t begin) {
  const std::uint64_t sorted = static_cast<std::uint64_t>(begin) ^ (std::uint64_t{1} << 63);
  std::string name(1, kPane);
  for (int shift = 56; shift >= 0; shift -= 8) name += static_cast<char>(sorted >> shift);
  return name;
}

std::int64_t begin_of(std::string_view pane_name) {
  std::uint64_t sorted = 0;
  for (const char each : pane_name.substr(1, 8))
    sorted = sorted << 8 | static_cast<unsigned char>(each);
  return static_cast<std::int64_t>(sorted ^ (std::uint64_t{1} << 63));
}

}  // namespace

// A message reduced to what the groups need.
struct Windows::Input {
  struct Argument {
    bool present = false;
    std::optional<double> number;
    std::string text;  // as JSON, where somebody asks for it
  };

  std::int64_t time = 0;
  std::string key;
  std::vector<Argument> arguments;
};

Windows::Windows(const Statement& statement, std::size_t groups_max)
    : program_(statement.program()), groups_max_(groups_max), input_(std::make_unique<Input>()) {
  if (program_.group) input_->arguments.resize(program_.group->arguments.size());
}

Windows::~Windows() = default;

Outcome Windows::add(const Event& event, Payload& payload, Context& context,
                     std::vector<std::string>& closed) {
  State state;
  const GroupPlan& plan = *program_.group;
  evaluate_group_input(program_, event, payload, context.world, state, context.scratch,
                       context.budget, found_);
  if (found_.outcome != Outcome::Match) return found_.outcome;
  Input& input = *input_;
  input.time = event.now;
  if (plan.event_time != kNoBlock) {
    const auto time = int_of(found_.event_time);
    if (!time || *time > kTimeMax || *time < -kTimeMax) return Outcome::WhereUndefined;
    input.time = *time;
  }
  read(found_);
  if (plan.event_time == kNoBlock) {
    close_until(event.now, context, closed);
  }
  place(input, context, closed);
  if (plan.event_time != kNoBlock && input.time - plan.window.late > watermark_)
    close_until(input.time - plan.window.late, context, closed);
  return Outcome::Match;
}

void Windows::read(const GroupInput& found) {
  input_->key.clear();
  json::write(Value::array(found.keys), input_->key);
  const bool sliding = program_.group->window.kind == WindowKind::Sliding;
  for (std::size_t i = 0; i < found.arguments.size(); ++i) {
    const Value& value = found.arguments[i];
    Input::Argument& argument = input_->arguments[i];
    argument.present = !value.is_undefined() && !value.is_null();
    argument.text.clear();
    if (argument.present && (sliding || program_.group->arguments[i].keep))
      json::write(value, argument.text);
    const auto number = number_of(value);
    argument.number = number ? std::optional<double>(json::to_double(*number)) : std::nullopt;
  }
}

void Windows::touch(std::string name) {
  if (tracked_) touched_.push_back(std::move(name));
}

std::vector<std::pair<std::string, std::optional<std::string>>> Windows::take_touched() {
  std::sort(touched_.begin(), touched_.end());
  touched_.erase(std::unique(touched_.begin(), touched_.end()), touched_.end());
  std::vector<std::pair<std::string, std::optional<std::string>>> all;
  for (std::string& name : std::exchange(touched_, {})) {
    std::optional<std::string> text;
    if (name == kWatermark) {
      base::ByteWriter out;
      out.signed_number(watermark_);
      text = out.take();
    } else if (const Group* group = find(name)) {
      text = group->text(program_.group->arguments.size());
    }
    all.emplace_back(std::move(name), std::move(text));
  }
  return all;
}

const Windows::Group* Windows::find(std::string_view name) const {
  if (name.front() == kKeyed) {
    const auto found = keyed_.find(std::string(name.substr(1)));
    return found == keyed_.end() ? nullptr : &found->second;
  }
  const std::string key(name.substr(9));
  const auto pane = panes_.find(begin_of(name));
  if (pane == panes_.end()) return nullptr;
  const auto found = pane->second.find(key);
  return found == pane->second.end() ? nullptr : &found->second;
}

bool Windows::restore_cell(std::string_view name, std::string_view text) {
  if (name == kWatermark) {
    base::ByteReader in(text);
    const std::int64_t watermark = in.signed_number();
    if (!in.finished() || !is_time(watermark)) return false;
    watermark_ = watermark;
    return true;
  }
  const WindowKind kind = program_.group->window.kind;
  const bool fixed = kind == WindowKind::Tumbling || kind == WindowKind::Hopping;
  Group group;
  if (name.empty() || name.front() != (fixed ? kPane : kKeyed) || (fixed && name.size() < 9) ||
      !group.read(text, program_.group->arguments.size()) || !is_time(group.begin) ||
      !is_time(group.end) || (fixed && begin_of(name) != group.begin))
    return false;
  json::Arena arena;
  const Value keys = json::read(name.substr(fixed ? 9 : 1), arena).value;
  if (!keys.is(Kind::Array) || keys.items().size() != program_.group->keys.size()) return false;
  if (groups_ >= groups_max_) {
    ++dropped_;
    return true;
  }
  std::string key(name.substr(fixed ? 9 : 1));
  if (kind == WindowKind::Session) due_[group.end].push_back(key);
  Groups& groups = fixed ? panes_[group.begin] : keyed_;
  if (groups.insert_or_assign(std::move(key), std::move(group)).second) ++groups_;
  return true;
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

Windows::Group* Windows::open(Groups& groups, const std::string& key, std::int64_t begin,
                              std::int64_t end) {
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
  found->second.accumulators =
      std::make_unique<WindowAccumulator[]>(program_.group->arguments.size());
  return &found->second;
}

void Windows::take(Group& group, const Input& input) const {
  ++group.messages;
  for (std::size_t i = 0; i < input.arguments.size(); ++i) {
    const Input::Argument& argument = input.arguments[i];
    if (argument.present)
      group.accumulators[i].take(argument.text, argument.number, program_.group->arguments[i]);
  }
}

void Windows::place_fixed(const Input& input) {
  const Window& window = program_.group->window;
  const std::int64_t step = window.kind == WindowKind::Tumbling ? window.length : window.step;
  bool placed = false;
  std::int64_t begin = floor_to(input.time, step);
  for (; begin > input.time - window.length; begin -= step) {
    if (begin + window.length <= watermark_) break;
    placed = true;
    if (Group* group = open(panes_[begin], input.key, begin, begin + window.length)) {
      take(*group, input);
      if (tracked_) touch(pane_name(begin) + input.key);
    }
  }
  if (!placed) ++late_;
}

void Windows::place_session(const Input& input, Context& context,
                            std::vector<std::string>& closed) {
  const Window& window = program_.group->window;
  if (input.time + window.length <= watermark_) {
    ++late_;
    return;
  }
  if (tracked_) touch(kKeyed + input.key);
  const auto found = keyed_.find(input.key);
  const bool apart = found != keyed_.end() &&
                     (input.time >= found->second.end ||
                      (window.step > 0 && input.time - found->second.begin >= window.step));
  if (apart) {
    close(input.key, found->second, context, closed);
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
  if (tracked_) touch(kKeyed + input.key);
  if (group->messages < static_cast<std::uint64_t>(program_.group->window.length)) return;
  close(input.key, *group, context, closed);
  keyed_.erase(input.key);
  --groups_;
}

// Each message yields the aggregates over those of the time before it.
void Windows::place_sliding(const Input& input, Context& context,
                            std::vector<std::string>& closed) {
  Group* group = open(keyed_, input.key, input.time, input.time);
  if (group == nullptr) return;
  const std::int64_t length = program_.group->window.length;
  if (!group->recent) group->recent = std::make_unique<RecentMessages>();
  RecentMessages& recent = *group->recent;
  std::erase_if(recent, [&](const auto& old) { return old.first <= input.time - length; });
  if (recent.size() >= kWindowValuesMax) recent.erase(recent.begin());
  std::vector<std::string> now;
  for (const Input::Argument& argument : input.arguments) now.push_back(argument.text);
  recent.emplace_back(input.time, std::move(now));
  group->messages = 0;
  group->accumulators = std::make_unique<WindowAccumulator[]>(program_.group->arguments.size());
  json::Arena arena;
  for (const auto& [time, texts] : recent) {
    Input again;
    for (const std::string& text : texts) {
      const auto number = text.empty() ? std::nullopt : number_of(json::read(text, arena).value);
      again.arguments.push_back(
          {!text.empty(), number ? std::optional<double>(json::to_double(*number)) : std::nullopt,
           text});
    }
    take(*group, again);
  }
  group->begin = input.time - length;
  group->end = input.time;
  if (tracked_) touch(kKeyed + input.key);
  emit(input.key, *group, context, closed);
}

void Windows::advance(std::int64_t now, Context& context, std::vector<std::string>& closed) {
  if (program_.group->event_time == kNoBlock) close_until(now, context, closed);
}

void Windows::close_until(std::int64_t time, Context& context, std::vector<std::string>& closed) {
  if (time <= watermark_) return;
  watermark_ = time;
  if (program_.group->event_time != kNoBlock) touch(std::string(kWatermark));
  const Window& window = program_.group->window;
  while (!panes_.empty() && panes_.begin()->first <= time - window.length) {
    Groups groups = std::move(panes_.begin()->second);
    if (tracked_)
      for (const auto& [key, group] : groups) touch(pane_name(panes_.begin()->first) + key);
    panes_.erase(panes_.begin());
    std::vector<Groups::value_type*> ordered;
    for (auto& group : groups) ordered.push_back(&group);
    std::sort(ordered.begin(), ordered.end(),
              [](const auto* a, const auto* b) { return a->first < b->first; });
    for (auto* group : ordered) emit(group->first, group->second, context, closed);
    groups_ -= groups.size();
    if (notes_closings_ && !groups.empty()) {
      const Group& any = groups.begin()->second;
      closings_.push_back({any.begin, any.end, groups.size()});
    }
  }
  close_sessions(time, context, closed);
}

void Windows::close_sessions(std::int64_t time, Context& context,
                             std::vector<std::string>& closed) {
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
      close(key, found->second, context, closed);
      if (tracked_) touch(kKeyed + key);
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

void Windows::close(const std::string& key, Group& group, Context& context,
                    std::vector<std::string>& closed) {
  if (notes_closings_) closings_.push_back({group.begin, group.end, 1});
  emit(key, group, context, closed);
}

void Windows::emit(const std::string& key, Group& group, Context& context,
                   std::vector<std::string>& closed) const {
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
      aggregates.push_back(context.world == nullptr
                               ? Value()
                               : context.world->aggregate(plan.name, values.items(), arena));
      continue;
    }
    aggregates.push_back(group.accumulators[plan.argument].value(plan, arena));
  }
  const GroupView view{aggregates, keys.is(Kind::Array) ? keys.items() : std::span<const Value>(),
                       group.begin, group.end};
  const Evaluated result =
      evaluate_group(program_, view, context.world, context.scratch, context.budget);
  if (result.outcome == Outcome::Match) closed.push_back(json::text_of(result.value));
}

}  // namespace twinmq::sql
