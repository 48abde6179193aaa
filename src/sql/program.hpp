#pragma once
// A statement as the evaluator runs it: one flat list of instructions for a machine with a stack of
// values.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "json/value.hpp"
#include "sql/aggregate.hpp"
#include "sql/parser.hpp"
#include "sql/syntax.hpp"

namespace twinmq::sql {

enum class Version : std::uint8_t {
  V2015,   ///< 2015-10-08: decimals stay as written
  V2016,   ///< 2016-03-23: a whole decimal is an Int
  Beta,    ///< as 2016-03-23
  Twinmq,  ///< as 2016-03-23, and < and > order texts
};

std::string_view name_of(Version version);
std::optional<Version> version_of(std::string_view name);

enum class Op : std::uint8_t {
  Constant,  // a: constant
  Star,      // the document of the scope
  Element,   // a: how many scopes further out
  Path,      // a: first key, b: how many; from the document of the scope
  Field,     // a: key
  Index,
  Variable,  // a: variable
  Not,
  Negate,
  And,
  Or,
  Equal,
  Unequal,
  Less,
  LessEqual,
  Greater,
  GreaterEqual,
  Add,
  Subtract,
  Multiply,
  Divide,
  Remainder,
  In,
  Between,
  Like,
  Cast,            // count: type
  Array,           // a: how many
  Object,          // a: first key, b: how many
  Call,            // a: function, b: slot of its state, count: arguments, flags
  Query,           // a: query
  Exists,          // a: query
  Jump,            // a: target
  JumpUnlessTrue,  // a: target; takes the condition
  JumpUndefined,   // a: target; keeps the value
  CaseTest,        // a: target when unequal; takes the value, and the subject too when equal
  Pop,
  Undefined,
  Compare,  // the path of `count` keys from a on with the constant b; flags: Equal to GreaterEqual
  Aggregate,  // a: aggregate
  GroupKey,   // a: key
  WindowBegin,
  WindowEnd,
  End,
};

enum CallFlag : std::uint8_t { kPartitioned = 1, kGuarded = 2, kHasState = 4 };

struct Instruction {
  Op op = Op::End;
  std::uint8_t count = 0;
  std::uint8_t flags = 0;
  std::uint32_t a = 0;
  std::uint32_t b = 0;
};

constexpr std::uint32_t kNoBlock = UINT32_MAX;

enum class Placing : std::uint8_t {
  Named,    // under its alias
  Spread,   // its keys on the top
  Payload,  // the whole payload's keys on the top
};

struct ItemPlan {
  Placing placing = Placing::Named;
  std::uint32_t block = kNoBlock;
  std::span<const std::string_view> alias;
};

struct SelectPlan {
  bool value = false;
  bool whole = false;  // SELECT * and nothing else
  std::span<const ItemPlan> items;
  std::uint32_t where = kNoBlock;
};

struct ForeachPlan {
  std::uint32_t list = kNoBlock;
  std::uint32_t incase = kNoBlock;
  SelectPlan select;
};

struct AggregatePlan {
  Aggregate kind = Aggregate::Count;
  std::uint32_t argument = kNoBlock;  // index into GroupPlan::arguments; kNoBlock: of count(*)
  double parameter = 0;               // of percentile
  std::string name;                   // of Outside
};

// One expression that aggregates look at; those over the same share it.
struct ArgumentPlan {
  std::uint32_t block = kNoBlock;
  bool keep = false;    // some aggregate asks for the values themselves
  bool spread = false;  // some aggregate asks how far apart they lie
};

struct GroupPlan {
  std::vector<std::uint32_t> keys;
  std::vector<ArgumentPlan> arguments;
  std::vector<AggregatePlan> aggregates;
  std::uint32_t having = kNoBlock;
  std::uint32_t event_time = kNoBlock;
  Window window;
};

// It asks outside like one of a plugin that answers later.
constexpr std::string_view kThingShadow = "get_thing_shadow";

// A function that neither SQL nor this house has.
struct OutsideCall {
  std::string name;
  std::size_t offset = 0;  // in the statement
  bool aggregate = false;
  bool quoted = false;   // a text names it, as in aws_lambda('name', …)
  bool closing = false;  // it is made when a window closes, not for a message
};

// What an evaluation runs through lies together in the arena.
struct Program {
  Version version = Version::V2016;
  std::uint32_t stack_size = 0;
  std::span<const SelectPlan> selects;  // [0]: the statement's own
  std::unique_ptr<GroupPlan> group;     // of GROUP BY
  std::unique_ptr<ForeachPlan> foreach;
  std::span<const Instruction> code;
  std::span<const json::Value> constants;
  std::span<const std::string_view> keys;
  std::vector<std::uint32_t> variables;  // the block of each
  std::uint32_t state_slots = 0;
  bool asks_payload = false;
  std::vector<OutsideCall> outside;
  bool outside_by_name = false;  // what some call asks for is known only when it is made
  json::Arena arena{std::size_t{1} << 30, 512};
};

}  // namespace twinmq::sql
