#pragma once
// One evaluation: what its instructions and functions work with.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "json/value.hpp"
#include "sql/event.hpp"
#include "sql/program.hpp"
#include "sql/state.hpp"
#include "sql/world.hpp"

namespace re2 {
class RE2;
}

namespace twinmq::sql {

class TimeZone;

/// What is worth keeping from one evaluation to the next. One per shard; belongs to its thread.
class Caches {
 public:
  Caches();
  ~Caches();
  Caches(Caches&&) noexcept;
  Caches& operator=(Caches&&) noexcept;

  /// The compiled expression; nullptr: it is none.
  const re2::RE2* pattern(std::string_view text);

  /// The zone; nullptr: there is none of that name.
  const TimeZone* zone(std::string_view name, World* world);

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  template <typename T>
  using ByName = std::unordered_map<std::string, std::unique_ptr<T>, Hash, std::equal_to<>>;

  ByName<re2::RE2> patterns_;
  ByName<TimeZone> zones_;
};

/// What a closed window shows to SELECT and HAVING.
struct GroupView {
  std::span<const json::Value> aggregates;
  std::span<const json::Value> keys;
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

struct Evaluation {
  const Event& event;
  Payload& payload;
  World* world;  ///< may be nullptr
  State& state;
  json::Arena& arena;
  Caches& caches;
  Version version;
  std::int64_t steps;  ///< how many are left
  bool lookup_failed = false;
  const GroupView* group = nullptr;

  /// Takes steps from the budget; false: it is spent.
  bool spend(std::size_t count) {
    steps -= static_cast<std::int64_t>(count);
    return steps >= 0;
  }
};

/// A function's arguments, and where it keeps what it remembers.
struct Call {
  Evaluation& evaluation;
  std::span<const json::Value> arguments;
  std::uint32_t stars = 0;  ///< bit i: argument i is written *
  std::uint32_t slot = 0;
  std::string_view partition;
  bool when = true;

  json::Value operator[](std::size_t i) const {
    return i < arguments.size() ? arguments[i] : json::Value();
  }
  std::size_t size() const { return arguments.size(); }
  bool star(std::size_t i) const { return (stars >> i & 1) != 0; }
};

}  // namespace twinmq::sql
