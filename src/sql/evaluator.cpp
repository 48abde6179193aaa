#include "sql/evaluator.hpp"

#include <algorithm>
#include <optional>

#include "json/write.hpp"
#include "sql/conversion.hpp"
#include "sql/functions.hpp"
#include "sql/operators.hpp"

namespace twinmq::sql {
namespace {

using json::Kind;
using json::Member;
using json::Value;

constexpr std::size_t kResultMembersMax = 10'000;

// Members of a result while items are added to it. Most results fit into the arena's first piece.
class Result {
 public:
  explicit Result(json::Arena& arena) : arena_(arena) {}

  bool put(std::span<const std::string_view> alias, const Value& value) {
    Member* member = find(alias[0]);
    if (member == nullptr) return false;
    member->value = alias.size() == 1 ? value : nested(member->value, alias.subspan(1), value);
    return true;
  }

  bool spread(const Value& value) {
    for (const Member& from : value.members()) {
      Member* member = find(from.key);
      if (member == nullptr) return false;
      member->value = from.value;
    }
    return true;
  }

  // The first thing put: nothing to look for.
  bool start(const Value& object) {
    if (count_ != 0) return spread(object);
    for (const Member& from : object.members())
      if (!append(from)) return false;
    return true;
  }

  Value value() const { return Value::object({members_, count_}); }

 private:
  Value nested(const Value& outer, std::span<const std::string_view> alias, const Value& value) {
    Result inner(arena_);
    if (outer.is(Kind::Object)) inner.start(outer);
    inner.put(alias, value);
    return inner.value();
  }

  Member* find(std::string_view key) {
    for (std::size_t i = 0; i < count_; ++i)
      if (json::same_text(members_[i].key, key)) return &members_[i];
    return append({key, {}}) ? &members_[count_ - 1] : nullptr;
  }

  bool append(const Member& member) {
    if (count_ == room_) {
      if (count_ > kResultMembersMax) return false;
      const std::size_t room = room_ == 0 ? 8 : room_ * 2;
      Member* larger = arena_.array<Member>(room);
      if (larger == nullptr) return false;
      std::copy_n(members_, count_, larger);
      members_ = larger;
      room_ = room;
    }
    members_[count_++] = member;
    return true;
  }

  json::Arena& arena_;
  Member* members_ = nullptr;
  std::size_t count_ = 0;
  std::size_t room_ = 0;
};

class Machine {
 public:
  Machine(const Program& program, Evaluation& evaluation, Scratch& scratch)
      : program_(program), evaluation_(evaluation), scratch_(scratch) {
    if (scratch.stack.size() < program.stack_size) scratch.stack.resize(program.stack_size);
    top_ = scratch.stack.data();
  }

  bool spent() const { return evaluation_.steps < 0 || evaluation_.arena.exhausted(); }

  void set_variables() {
    if (program_.variables.empty()) return;
    scratch_.variables.clear();
    for (const std::uint32_t block : program_.variables) scratch_.variables.push_back(run(block));
  }

  Value run(std::uint32_t at);
  Value result_of(const SelectPlan& plan);
  Value each_of(const ForeachPlan& plan);

 private:
  struct Scope {
    const Scope* outer = nullptr;
    Value root;
    Value element;
  };

  Value root() { return scope_ != nullptr ? scope_->root : message(); }
  Value message() { return evaluation_.payload.json().value; }

  Value path(std::uint32_t first, std::uint32_t count) {
    Value value = root();
    for (const std::string_view key : program_.keys.subspan(first, count))
      value = value.member(key);
    return value;
  }

  Value* take(std::size_t count) { return top_ -= count; }
  void push(const Value& value) { *top_++ = value; }

  void call(const Instruction& instruction);
  Value query(const Instruction& instruction, const Value& source, bool exists);
  Value array(std::uint32_t count);
  Value object(const Instruction& instruction);
  bool selected(const SelectPlan& plan, const Value& element, Value& result);

  const Program& program_;
  Evaluation& evaluation_;
  Scratch& scratch_;
  const Scope* scope_ = nullptr;
  Value* top_;
};

Value Machine::run(std::uint32_t at) {
  Value* const base = top_;
  for (;;) {
    if (--evaluation_.steps < 0) {
      top_ = base;
      return {};
    }
    const Instruction& instruction = program_.code[at++];
    switch (instruction.op) {
      case Op::Constant: push(program_.constants[instruction.a]); break;
      case Op::Star: push(root()); break;
      case Op::Element: push(scope_->element); break;
      case Op::Path: push(path(instruction.a, instruction.b)); break;
      case Op::Field: top_[-1] = top_[-1].member(program_.keys[instruction.a]); break;
      case Op::Index: {
        const Value* operands = take(2);
        const Call get{evaluation_, {operands, 2}};
        static const Function* const kGet = find_function("get");
        push(kGet->run(get));
        break;
      }
      case Op::Variable: push(scratch_.variables[instruction.a]); break;
      case Op::Not: top_[-1] = logical_not(top_[-1]); break;
      case Op::Negate: {
        auto number = number_of(top_[-1]);
        if (number) number->coefficient = -number->coefficient;
        top_[-1] = number_value(number, evaluation_);
        break;
      }
      case Op::And:
        --top_;
        top_[-1] = logical_and(top_[-1], top_[0]);
        break;
      case Op::Or:
        --top_;
        top_[-1] = logical_or(top_[-1], top_[0]);
        break;
      case Op::Equal:
        --top_;
        top_[-1] = equals(top_[-1], top_[0]);
        break;
      case Op::Unequal:
        --top_;
        top_[-1] = unequals(top_[-1], top_[0]);
        break;
      case Op::Less:
      case Op::LessEqual:
      case Op::Greater:
      case Op::GreaterEqual:
        --top_;
        top_[-1] = ordered(instruction.op, top_[-1], top_[0], evaluation_.version);
        break;
      case Op::Add:
      case Op::Subtract:
      case Op::Multiply:
      case Op::Divide:
      case Op::Remainder:
        --top_;
        top_[-1] = arithmetic(instruction.op, top_[-1], top_[0], evaluation_);
        break;
      case Op::In:
        --top_;
        top_[-1] = in_list(top_[-1], top_[0], evaluation_);
        break;
      case Op::Like:
        --top_;
        top_[-1] = like(top_[-1], top_[0], evaluation_);
        break;
      case Op::Between: {
        const Value* operands = take(3);
        push(logical_and(ordered(Op::GreaterEqual, operands[0], operands[1], evaluation_.version),
                         ordered(Op::LessEqual, operands[0], operands[2], evaluation_.version)));
        break;
      }
      case Op::Cast:
        top_[-1] = cast(top_[-1], static_cast<CastType>(instruction.count), evaluation_);
        break;
      case Op::Array: push(array(instruction.a)); break;
      case Op::Object: push(object(instruction)); break;
      case Op::Call: call(instruction); break;
      case Op::Query:
      case Op::Exists: {
        const Value source = *--top_;
        const Value result = query(instruction, source, instruction.op == Op::Exists);
        push(result);
        break;
      }
      case Op::Jump: at = instruction.a; break;
      case Op::JumpUnlessTrue:
        if (!(--top_)->is_true()) at = instruction.a;
        break;
      case Op::JumpUndefined:
        if (top_[-1].is_undefined()) at = instruction.a;
        break;
      case Op::CaseTest:
        --top_;
        if (equals(top_[-1], top_[0]).is_true())
          --top_;
        else
          at = instruction.a;
        break;
      case Op::Pop: --top_; break;
      case Op::Undefined: push({}); break;
      case Op::Compare:
        push(compared(static_cast<Op>(instruction.flags), path(instruction.a, instruction.count),
                      program_.constants[instruction.b], evaluation_.version));
        break;
      case Op::Aggregate: push(evaluation_.group->aggregates[instruction.a]); break;
      case Op::GroupKey: push(evaluation_.group->keys[instruction.a]); break;
      case Op::WindowBegin: push(Value::integer(evaluation_.group->begin)); break;
      case Op::WindowEnd: push(Value::integer(evaluation_.group->end)); break;
      case Op::End: return *--top_;
    }
  }
}

Value Machine::array(std::uint32_t count) {
  const Value* from = take(count);
  Value* items = evaluation_.arena.array<Value>(count);
  if (items == nullptr) return {};
  std::copy_n(from, count, items);
  return Value::array({items, count});
}

Value Machine::object(const Instruction& instruction) {
  const Value* from = take(instruction.b);
  Result result(evaluation_.arena);
  for (std::uint32_t i = 0; i < instruction.b; ++i)
    result.put({&program_.keys[instruction.a + i], 1}, from[i]);
  return result.value();
}

void Machine::call(const Instruction& instruction) {
  Call call{evaluation_, {}};
  if ((instruction.flags & kGuarded) != 0) call.when = (--top_)->is_true();
  std::string partition;
  if ((instruction.flags & kPartitioned) != 0) {
    json::write(*--top_, partition);
    call.partition = partition;
  }
  if ((instruction.flags & kHasState) != 0)
    call.slot = instruction.b;
  else
    call.stars = instruction.b;
  call.arguments = {take(instruction.count), instruction.count};
  push(all_functions()[instruction.a].run(call));
}

bool Machine::selected(const SelectPlan& plan, const Value& element, Value& result) {
  const Scope scope{scope_, element, element};
  scope_ = &scope;
  const bool wanted = plan.where == kNoBlock || run(plan.where).is_true();
  if (wanted) result = result_of(plan);
  scope_ = scope.outer;
  return wanted;
}

// An array gives its elements; anything else that is there counts as one element.
Value Machine::query(const Instruction& instruction, const Value& source, bool exists) {
  const SelectPlan& plan = program_.selects[instruction.a];
  const std::span<const Value> elements = source.is(Kind::Array) ? source.items()
                                          : source.is(Kind::Object)
                                              ? std::span<const Value>(&source, 1)
                                              : std::span<const Value>();
  Value* results = exists ? nullptr : evaluation_.arena.array<Value>(elements.size());
  if (!exists && results == nullptr) return {};
  std::size_t count = 0;
  for (const Value& element : elements) {
    Value result;
    if (!selected(plan, element, result)) continue;
    if (spent()) return {};
    if (exists) return Value::boolean(true);
    if (!result.is_undefined()) results[count++] = result;
  }
  return exists ? Value::boolean(false) : Value::array({results, count});
}

Value Machine::result_of(const SelectPlan& plan) {
  if (plan.value || plan.whole) return run(plan.items[0].block);
  Result result(evaluation_.arena);
  for (const ItemPlan& item : plan.items) {
    const Value value = run(item.block);
    if (spent()) return {};
    bool placed = true;
    if (item.placing == Placing::Payload) {
      placed = result.start(value);
    } else if (item.placing == Placing::Spread) {
      placed = result.spread(value);
    } else if (!value.is_undefined()) {
      placed = result.put(item.alias, value);
    }
    if (!placed) evaluation_.steps = -1;
  }
  return result.value();
}

Value Machine::each_of(const ForeachPlan& plan) {
  const Value list = run(plan.list);
  if (!list.is(Kind::Array)) return Value::array({});
  Value* results = evaluation_.arena.array<Value>(list.items().size());
  if (results == nullptr) return {};
  std::size_t count = 0;
  for (const Value& element : list.items()) {
    const Scope scope{scope_, message(), element};
    scope_ = &scope;
    if (plan.incase == kNoBlock || run(plan.incase).is_true())
      results[count++] = plan.select.items.empty() ? element : result_of(plan.select);
    scope_ = scope.outer;
    if (spent()) return {};
  }
  return Value::array({results, count});
}

std::optional<Outcome> fault_of(const Machine& machine, const Evaluation& evaluation) {
  if (evaluation.arena.exhausted()) return Outcome::MemorySpent;
  if (machine.spent()) return Outcome::StepsSpent;
  if (evaluation.lookup_failed) return Outcome::LookupFailed;
  return std::nullopt;
}

Outcome why_not(const Value& condition) {
  if (condition.is_undefined()) return Outcome::WhereUndefined;
  return condition.is(Kind::Boolean) ? Outcome::WhereFalse : Outcome::WhereNoBoolean;
}

}  // namespace

Evaluated evaluate(const Program& program, const Event& event, Payload& payload, World* world,
                   State& state, Scratch& scratch, const Budget& budget) {
  if (program.group) return {Outcome::Gathered};
  scratch.arena.set_limit(scratch.arena.used() + budget.memory);
  Evaluation evaluation{event,         payload,        world,           state,
                        scratch.arena, scratch.caches, program.version, budget.steps};
  Machine machine(program, evaluation, scratch);
  machine.set_variables();
  const SelectPlan& plan = program.selects[0];
  Evaluated result;
  if (plan.where != kNoBlock) {
    const Value condition = machine.run(plan.where);
    if (const auto fault = fault_of(machine, evaluation)) return {*fault};
    if (!condition.is_true()) return {why_not(condition)};
  }
  if (program.foreach) {
    result.several = true;
    result.value = machine.each_of(*program.foreach);
  } else if (plan.whole && !payload.json()) {
    result.raw = true;
  } else {
    result.value = machine.result_of(plan);
  }
  if (const auto fault = fault_of(machine, evaluation)) return {*fault};
  return result;
}

void evaluate_group_input(const Program& program, const Event& event, Payload& payload,
                          World* world, State& state, Scratch& scratch, const Budget& budget,
                          GroupInput& input) {
  scratch.arena.set_limit(scratch.arena.used() + budget.memory);
  Evaluation evaluation{event,         payload,        world,           state,
                        scratch.arena, scratch.caches, program.version, budget.steps};
  Machine machine(program, evaluation, scratch);
  machine.set_variables();
  input.outcome = Outcome::Match;
  input.keys.clear();
  input.arguments.clear();
  input.event_time = {};
  if (program.selects[0].where != kNoBlock) {
    const Value condition = machine.run(program.selects[0].where);
    if (!condition.is_true()) input.outcome = why_not(condition);
  }
  if (input.outcome == Outcome::Match) {
    for (const std::uint32_t key : program.group->keys) input.keys.push_back(machine.run(key));
    for (const ArgumentPlan& argument : program.group->arguments)
      input.arguments.push_back(machine.run(argument.block));
    if (program.group->event_time != kNoBlock)
      input.event_time = machine.run(program.group->event_time);
  }
  if (const auto fault = fault_of(machine, evaluation)) input.outcome = *fault;
}

Evaluated evaluate_group(const Program& program, const GroupView& group, World* world,
                         Scratch& scratch, const Budget& budget) {
  scratch.arena.set_limit(scratch.arena.used() + budget.memory);
  const Event event;
  Payload payload(Value(), scratch.arena);
  State state;
  Evaluation evaluation{event,         payload,        world,           state,
                        scratch.arena, scratch.caches, program.version, budget.steps};
  evaluation.group = &group;
  Machine machine(program, evaluation, scratch);
  Evaluated result;
  if (program.group->having != kNoBlock) {
    const Value condition = machine.run(program.group->having);
    if (!condition.is_true()) result.outcome = why_not(condition);
  }
  if (result.outcome == Outcome::Match) result.value = machine.result_of(program.selects[0]);
  if (const auto fault = fault_of(machine, evaluation)) return {*fault};
  return result;
}

Value evaluate_condition(const Program& program, const Event& event, Payload& payload, World* world,
                         State& state, Scratch& scratch, const Budget& budget) {
  scratch.arena.set_limit(scratch.arena.used() + budget.memory);
  Evaluation evaluation{event,         payload,        world,           state,
                        scratch.arena, scratch.caches, program.version, budget.steps};
  Machine machine(program, evaluation, scratch);
  machine.set_variables();
  const Value value = machine.run(program.selects[0].where);
  return fault_of(machine, evaluation) ? Value() : value;
}

std::string_view describe(Outcome outcome) {
  switch (outcome) {
    case Outcome::Match: return "matches";
    case Outcome::OtherTopic: return "FROM does not cover the topic";
    case Outcome::WhereFalse: return "WHERE is false";
    case Outcome::WhereUndefined:
      return "WHERE is Undefined: something it needs is absent or has another type";
    case Outcome::WhereNoBoolean: return "WHERE is no Boolean";
    case Outcome::LookupFailed: return "a look-up outside the message had no answer";
    case Outcome::StepsSpent: return "the evaluation takes more work than is granted";
    case Outcome::Gathered: return "the message waits in its window for the result";
    case Outcome::MemorySpent: return "the evaluation takes more memory than is granted";
  }
  return "";
}

}  // namespace twinmq::sql
