#pragma once
// Runs programs.

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "sql/evaluation.hpp"
#include "sql/program.hpp"

namespace twinmq::sql {

/// Why actions do not run.
enum class Outcome : std::uint8_t {
  Match,
  OtherTopic,  ///< FROM does not cover the topic
  WhereFalse,
  WhereUndefined,
  WhereNoBoolean,  ///< WHERE is a text, a number, …
  LookupFailed,    ///< a function that asks outside had no answer
  StepsSpent,      ///< more work than one evaluation may do
  MemorySpent,     ///< more memory than one evaluation may take
  Gathered,        ///< GROUP BY: Windows answers, when a window closes
};

std::string_view describe(Outcome outcome);

struct Evaluated {
  Outcome outcome = Outcome::Match;
  bool raw = false;      ///< the payload's bytes go on unchanged
  bool several = false;  ///< FOREACH: the value is an Array of results
  json::Value value;     ///< of a match; Undefined: the whole result is
};

struct Budget {
  std::int64_t steps = 500'000;  ///< instructions, and a share for each byte worked on
  std::size_t memory = std::size_t{4} << 20;
};

/// What evaluations of one shard share. Results live until the next reset().
class Scratch {
 public:
  Scratch() = default;

  void reset() { arena.reset(); }

  json::Arena arena;
  Caches caches;
  std::vector<json::Value> stack;
  std::vector<json::Value> variables;
};

/// Runs a statement's program. `state` belongs to the statement.
Evaluated evaluate(const Program& program, const Event& event, Payload& payload, World* world,
                   State& state, Scratch& scratch, const Budget& budget = {});

/// What a message brings to its group, if WHERE is true.
struct GroupInput {
  Outcome outcome = Outcome::Match;
  std::vector<json::Value> keys;
  std::vector<json::Value> arguments;
  json::Value event_time;
};
/// Into `input`, whose room serves again.
void evaluate_group_input(const Program& program, const Event& event, Payload& payload,
                          World* world, State& state, Scratch& scratch, const Budget& budget,
                          GroupInput& input);

/// A closed window's HAVING and SELECT.
Evaluated evaluate_group(const Program& program, const GroupView& group, World* world,
                         Scratch& scratch, const Budget& budget = {});

/// The program's condition alone, for expressions that stand without a statement.
json::Value evaluate_condition(const Program& program, const Event& event, Payload& payload,
                               World* world, State& state, Scratch& scratch,
                               const Budget& budget = {});

}  // namespace twinmq::sql
