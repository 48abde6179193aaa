#include "sql/json_path.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

namespace twinmq::sql {
namespace {

using json::Kind;
using json::Member;
using json::Value;

struct Step {
  enum class Kind : std::uint8_t { Key, Index, Every, Anywhere } kind = Kind::Key;
  std::string_view key;
  std::int64_t index = 0;
};

class PathReader {
 public:
  explicit PathReader(std::string_view text) : text_(text) {}

  std::optional<std::vector<Step>> read() {
    if (!take("$")) return std::nullopt;
    std::vector<Step> steps;
    while (!text_.empty()) {
      const auto step = next();
      if (!step || steps.size() >= kPathStepsMax) return std::nullopt;
      steps.push_back(*step);
    }
    return steps;
  }

 private:
  bool take(std::string_view word) {
    if (!text_.starts_with(word)) return false;
    text_.remove_prefix(word.size());
    return true;
  }

  std::optional<Step> next() {
    if (take("[")) return in_brackets();
    if (take("..")) return named(Step::Kind::Anywhere);
    if (!take(".")) return std::nullopt;
    if (take("*")) return Step{Step::Kind::Every, {}, 0};
    return named(Step::Kind::Key);
  }

  std::optional<Step> named(Step::Kind kind) {
    const std::string_view key = text_.substr(0, text_.find_first_of(".[]*'\""));
    if (key.empty()) return std::nullopt;
    text_.remove_prefix(key.size());
    return Step{kind, key, 0};
  }

  std::optional<Step> in_brackets() {
    Step step;
    if (take("*")) {
      step.kind = Step::Kind::Every;
    } else if (const char quote = text_.empty() ? '\0' : text_.front();
               quote == '\'' || quote == '"') {
      const std::size_t end = text_.find(quote, 1);
      if (end == std::string_view::npos) return std::nullopt;
      step.key = text_.substr(1, end - 1);
      text_.remove_prefix(end + 1);
    } else {
      step.kind = Step::Kind::Index;
      const auto read = std::from_chars(text_.data(), text_.data() + text_.size(), step.index);
      if (read.ec != std::errc()) return std::nullopt;
      text_.remove_prefix(static_cast<std::size_t>(read.ptr - text_.data()));
    }
    if (!take("]")) return std::nullopt;
    return step;
  }

  std::string_view text_;
};

Value element_of(const Value& from, std::int64_t index) {
  if (!from.is(Kind::Array)) return {};
  const auto size = static_cast<std::int64_t>(from.items().size());
  if (index < 0) index += size;
  return index < 0 || index >= size ? Value() : from.items()[static_cast<std::size_t>(index)];
}

class Walk {
 public:
  explicit Walk(std::size_t values_max) : left_(values_max) {}

  // Appends what the step leads to. False: too many values.
  bool go(const Step& step, const Value& from, std::vector<Value>& to) {
    if (!look()) return false;
    switch (step.kind) {
      case Step::Kind::Key: add(from.member(step.key), to); return true;
      case Step::Kind::Index: add(element_of(from, step.index), to); return true;
      case Step::Kind::Every: {
        const std::size_t before = to.size();
        for (const Member& each : from.members_or_none()) add(each.value, to);
        if (from.is(Kind::Array)) to.insert(to.end(), from.items().begin(), from.items().end());
        left_ -= std::min(left_, to.size() - before);
        return left_ > 0;
      }
      case Step::Kind::Anywhere: return search(step.key, from, to);
    }
    return false;
  }

 private:
  bool look() { return left_ > 0 && left_-- > 0; }

  static void add(const Value& value, std::vector<Value>& to) {
    if (!value.is_undefined()) to.push_back(value);
  }

  // Values nest to json::kDepthMax at most.
  bool search(std::string_view key, const Value& from, std::vector<Value>& to) {
    if (!look()) return false;
    add(from.member(key), to);
    for (const Member& each : from.members_or_none())
      if (!search(key, each.value, to)) return false;
    if (!from.is(Kind::Array)) return true;
    return std::all_of(from.items().begin(), from.items().end(),
                       [&](const Value& each) { return search(key, each, to); });
  }

  std::size_t left_;
};

}  // namespace

Value json_path(const Value& document, std::string_view path, json::Arena& arena,
                std::size_t values_max) {
  const auto steps = PathReader(path).read();
  if (!steps) return {};
  Walk walk(values_max);
  std::vector<Value> found{document};
  bool several = false;
  for (const Step& step : *steps) {
    std::vector<Value> next;
    for (const Value& each : found)
      if (!walk.go(step, each, next)) return {};
    found = std::move(next);
    several = several || step.kind == Step::Kind::Every || step.kind == Step::Kind::Anywhere;
  }
  if (!several) return found.empty() ? Value() : found.front();
  Value* items = arena.array<Value>(found.size());
  if (items == nullptr) return {};
  std::copy(found.begin(), found.end(), items);
  return Value::array({items, found.size()});
}

}  // namespace twinmq::sql
