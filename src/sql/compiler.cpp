#include "sql/compiler.hpp"

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "sql/conversion.hpp"
#include "sql/functions.hpp"
#include "sql/lexer.hpp"

namespace twinmq::sql {
namespace {

using json::Value;

class Compiler {
 public:
  Compiler(const Syntax& syntax, const CompileOptions& options)
      : syntax_(syntax), options_(options), program_(std::make_unique<Program>()) {
    program_->version = options.version;
  }

  Result<std::unique_ptr<Program>, SyntaxFault> run() {
    selects_.resize(syntax_.selects.size());
    for (const auto& [name, node] : syntax_.variables) {
      program_->variables.push_back(block(node));
      variables_.push_back(name);
    }
    if (syntax_.grouping) group(*syntax_.grouping);
    select(0);
    if (syntax_.foreach) foreach (*syntax_.foreach);
    program_->stack_size = static_cast<std::uint32_t>(highest_ + 1);
    program_->code = kept(code_);
    program_->constants = kept(constants_);
    program_->keys = kept(keys_);
    program_->selects = kept(selects_);
    if (failed_) return fault_;
    return std::move(program_);
  }

 private:
  enum class ScopeKind { Message, Element, Foreach };

  struct Scope {
    ScopeKind kind = ScopeKind::Message;
    std::string_view alias;
  };

  void fail(std::size_t offset, std::string message) {
    if (!failed_) fault_ = {offset, std::move(message)};
    failed_ = true;
  }

  // A copy that lives as long as the program.
  template <typename T>
  std::span<const T> kept(const std::vector<T>& from) {
    T* to = program_->arena.array<T>(from.size());
    if (to == nullptr) {
      fail(0, "the statement is too large");
      return {};
    }
    std::uninitialized_copy(from.begin(), from.end(), to);
    return {to, from.size()};
  }

  // ---- emitting

  std::uint32_t here() const { return static_cast<std::uint32_t>(code_.size()); }

  std::uint32_t emit(Instruction instruction, int change) {
    height_ = static_cast<std::size_t>(static_cast<std::ptrdiff_t>(height_) + change);
    highest_ = std::max(highest_, height_);
    code_.push_back(instruction);
    return here() - 1;
  }

  std::uint32_t emit(Op op, int change, std::uint32_t a = 0, std::uint32_t b = 0) {
    return emit(Instruction{op, 0, 0, a, b}, change);
  }

  void land(std::uint32_t jump) { code_[jump].a = here(); }

  // A block of its own; the code around it jumps over.
  std::uint32_t block(NodeId id) {
    const std::uint32_t over = emit(Op::Jump, 0);
    const std::uint32_t begin = here();
    expression(id);
    emit(Op::End, -1);
    land(over);
    return begin;
  }

  void constant(Value value) {
    constants_.push_back(value);
    emit(Op::Constant, 1, static_cast<std::uint32_t>(constants_.size() - 1));
  }

  Value text_constant(std::string_view text) {
    return Value::string(text.empty() ? std::string_view("") : program_->arena.copy(text));
  }

  std::uint32_t key(const std::string& name) {
    keys_.push_back(program_->arena.copy(name));
    return static_cast<std::uint32_t>(keys_.size() - 1);
  }

  // ---- clauses

  void select(std::uint32_t index) {
    const Select& from = syntax_.selects[index];
    SelectPlan plan;
    plan.value = from.value;
    plan.items = items(from.items);
    plan.whole = from.items.size() == 1 && from.items[0].alias.empty() &&
                 syntax_[from.items[0].node].kind == NodeKind::Star;
    if (from.where) {
      const bool outer = std::exchange(grouped_, false);
      plan.where = block(*from.where);
      grouped_ = outer;
    }
    selects_[index] = plan;
  }

  std::span<const ItemPlan> items(const std::vector<Item>& from) {
    std::vector<ItemPlan> plans;
    for (const Item& item : from) {
      ItemPlan plan;
      std::vector<std::string_view> alias;
      for (const std::string& part : item.alias) alias.push_back(program_->arena.copy(part));
      plan.alias = kept(alias);
      if (item.star) {
        plan.placing = Placing::Payload;
        program_->asks_payload = true;
      } else if (item.alias.empty()) {
        plan.placing = Placing::Spread;
      }
      plan.block = block(item.node);
      plans.push_back(plan);
    }
    return kept(plans);
  }

  void foreach (const Foreach& from) {
    ForeachPlan plan;
    plan.list = block(from.list);
    scopes_.push_back({ScopeKind::Foreach, from.alias});
    plan.select.items = items(from.items);
    if (from.incase) plan.incase = block(*from.incase);
    scopes_.pop_back();
    program_->foreach = std::make_unique<ForeachPlan>(plan);
  }

  // ---- groups

  void group(const Grouping& from) {
    GroupPlan plan;
    plan.window = *from.window;
    if (plan.window.kind == WindowKind::Count && plan.window.step > 0)
      return fail(plan.window.offset, "COUNT takes one number");
    if (plan.window.event_time) plan.event_time = block(*plan.window.event_time);
    for (const NodeId key : from.keys) plan.keys.push_back(block(key));
    program_->group = std::make_unique<GroupPlan>(std::move(plan));
    grouped_ = true;
    if (from.having) program_->group->having = block(*from.having);
  }

  // Inside SELECT and HAVING of a statement with GROUP BY; true: the node is done.
  bool grouped(NodeId id) {
    const Node& node = syntax_[id];
    const auto& keys = syntax_.grouping->keys;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (!same(syntax_, id, keys[i])) continue;
      emit(Op::GroupKey, 1, static_cast<std::uint32_t>(i));
      return true;
    }
    if (node.kind == NodeKind::Call) {
      const std::string name = lower_case(node.text);
      if (const auto kind = aggregate_of(name)) {
        aggregate(node, *kind);
        return true;
      }
      if (name == "window_start" || name == "window_end") {
        emit(name == "window_start" ? Op::WindowBegin : Op::WindowEnd, 1);
        return true;
      }
      if (find_function(name) == nullptr && open()) {
        program_->outside.push_back({name, node.offset, true});
        aggregate(node, Aggregate::Outside);
        return true;
      }
    }
    if (node.kind == NodeKind::Member) return false;
    if (node.kind == NodeKind::Name || node.kind == NodeKind::Star || node.kind == NodeKind::Variable ||
        node.kind == NodeKind::Query || node.kind == NodeKind::Exists) {
      fail(node.offset, "this is neither a key of GROUP BY nor inside an aggregate: last(…) takes the newest value");
      return true;
    }
    return false;
  }

  void aggregate(const Node& node, Aggregate kind) {
    const std::size_t wanted = kind == Aggregate::Percentile ? 2 : 1;
    const bool bare = kind == Aggregate::Count && node.children.empty();
    if (!bare && node.children.size() != wanted)
      return fail(node.offset, node.text + "() takes " + std::to_string(wanted) + (wanted == 1 ? " argument" : " arguments"));
    AggregatePlan plan;
    plan.kind = kind;
    if (kind == Aggregate::Outside) plan.name = lower_case(node.text);
    const bool star = !bare && syntax_[node.children[0]].kind == NodeKind::Star;
    if (star && kind != Aggregate::Count) return fail(node.offset, "only count() takes *");
    if (kind == Aggregate::Percentile) {
      const Node& share = syntax_[node.children[1]];
      if (share.kind != NodeKind::Number) return fail(share.offset, "the share is a number such as 0.95");
      plan.parameter = json::to_double(share.number);
    }
    if (!bare && !star) plan.argument = argument(node.children[0], kind);
    program_->group->aggregates.push_back(plan);
    emit(Op::Aggregate, 1, static_cast<std::uint32_t>(program_->group->aggregates.size() - 1));
  }

  std::uint32_t argument(NodeId id, Aggregate kind) {
    const bool keep = keeps_values(kind);
    const bool spread = kind == Aggregate::Stddev;
    auto& arguments = program_->group->arguments;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      if (!same(syntax_, argument_nodes_[i], id)) continue;
      arguments[i].keep = arguments[i].keep || keep;
      arguments[i].spread = arguments[i].spread || spread;
      return static_cast<std::uint32_t>(i);
    }
    const bool outer = std::exchange(grouped_, false);
    const std::uint32_t begin = block(id);
    grouped_ = outer;
    argument_nodes_.push_back(id);
    arguments.push_back({begin, keep, spread});
    return static_cast<std::uint32_t>(arguments.size() - 1);
  }

  // ---- expressions

  void expression(NodeId id) {
    const Node& node = syntax_[id];
    if (grouped_ && grouped(id)) return;
    switch (node.kind) {
      case NodeKind::Null: return constant(Value::null());
      case NodeKind::True: return constant(Value::boolean(true));
      case NodeKind::False: return constant(Value::boolean(false));
      case NodeKind::Number:
        return constant(Value::number(
            options_.version == Version::V2015 ? node.number : json::stripped(node.number), program_->arena));
      case NodeKind::Text: return constant(text_constant(node.text));
      case NodeKind::Star:
        program_->asks_payload = true;
        emit(Op::Star, 1);
        return;
      case NodeKind::Name:
      case NodeKind::Member: return path(id);
      case NodeKind::Variable: return variable(node);
      case NodeKind::Index: return unary_like(node, Op::Index);
      case NodeKind::Not: return unary_like(node, Op::Not);
      case NodeKind::Negate: return negate(node);
      case NodeKind::Binary: return binary(node);
      case NodeKind::In: return unary_like(node, Op::In);
      case NodeKind::Between: return unary_like(node, Op::Between);
      case NodeKind::Like: return unary_like(node, Op::Like);
      case NodeKind::Case: return simple_case(node);
      case NodeKind::Searched: return searched_case(node);
      case NodeKind::Call: return call(node);
      case NodeKind::Cast:
        expression(node.children[0]);
        emit(Instruction{Op::Cast, static_cast<std::uint8_t>(cast_type_of(node.text)), 0, 0, 0}, 0);
        return;
      case NodeKind::Array:
        for (const NodeId child : node.children) expression(child);
        emit(Op::Array, 1 - static_cast<int>(node.children.size()), static_cast<std::uint32_t>(node.children.size()));
        return;
      case NodeKind::Object: return object(node);
      case NodeKind::Query:
      case NodeKind::Exists: return query(node);
    }
  }

  // Takes its children from the stack and leaves one value.
  void unary_like(const Node& node, Op op) {
    for (const NodeId child : node.children) expression(child);
    emit(op, 1 - static_cast<int>(node.children.size()));
  }

  void negate(const Node& node) {
    const Node& operand = syntax_[node.children[0]];
    if (operand.kind == NodeKind::Number) {
      json::Decimal number = options_.version == Version::V2015 ? operand.number : json::stripped(operand.number);
      number.coefficient = -number.coefficient;
      return constant(Value::number(number, program_->arena));
    }
    unary_like(node, Op::Negate);
  }

  void binary(const Node& node) {
    constexpr Op kOps[] = {Op::Or,      Op::And,          Op::Equal, Op::Unequal,  Op::Less,     Op::LessEqual, Op::Greater,
                           Op::GreaterEqual, Op::Add, Op::Subtract, Op::Multiply, Op::Divide, Op::Remainder};
    const Op op = kOps[static_cast<std::size_t>(node.operation)];
    unary_like(node, op);
    if (op >= Op::Equal && op <= Op::GreaterEqual) compare_at_once(node, op);
  }

  // The common condition, a key's value against a constant, in one instruction.
  void compare_at_once(const Node& node, Op op) {
    const NodeKind left = syntax_[node.children[0]].kind;
    const NodeKind right = syntax_[node.children[1]].kind;
    if ((left != NodeKind::Name && left != NodeKind::Member) || (right != NodeKind::Number && right != NodeKind::Text)) return;
    const Instruction path = code_[code_.size() - 3];
    if (path.op != Op::Path || path.b > UINT8_MAX) return;
    const Instruction constant = code_[code_.size() - 2];
    if (constant.op != Op::Constant) return;
    code_.resize(code_.size() - 3);
    code_.push_back({Op::Compare, static_cast<std::uint8_t>(path.b), static_cast<std::uint8_t>(op), path.a, constant.a});
  }

  // a.b.c in one instruction, from whatever its head means in this scope.
  void path(NodeId id) {
    std::vector<const Node*> members;
    const Node* head = &syntax_[id];
    for (; head->kind == NodeKind::Member; head = &syntax_[head->children[0]]) members.push_back(head);
    std::reverse(members.begin(), members.end());
    std::uint32_t first = static_cast<std::uint32_t>(keys_.size());
    if (head->kind != NodeKind::Name || grouped_) {
      // What is no name compiles by itself.
      const NodeId base = members.front()->children[0];
      expression(base);
      fields(members);
      return;
    }
    if (!scopes_.empty() && !scopes_.back().alias.empty() && scopes_.back().alias == head->text) {
      emit(Op::Element, 1, 0);
      fields(members);
      return;
    }
    if (scopes_.empty() || scopes_.back().kind == ScopeKind::Foreach) program_->asks_payload = true;
    key(head->text);
    for (const Node* member : members) key(member->text);
    emit(Op::Path, 1, first, static_cast<std::uint32_t>(members.size() + 1));
  }

  void fields(const std::vector<const Node*>& members) {
    for (const Node* member : members) emit(Op::Field, 0, key(member->text));
  }

  void variable(const Node& node) {
    const auto found = std::find(variables_.begin(), variables_.end(), node.text);
    if (found == variables_.end()) return fail(node.offset, "@" + node.text + " is not set before this place");
    emit(Op::Variable, 1, static_cast<std::uint32_t>(found - variables_.begin()));
  }

  void simple_case(const Node& node) {
    expression(node.children[0]);
    const std::uint32_t undefined = emit(Op::JumpUndefined, 0);
    std::vector<std::uint32_t> ends;
    std::size_t at = 1;
    for (; at + 1 < node.children.size(); at += 2) {
      expression(node.children[at]);
      const std::uint32_t next = emit(Op::CaseTest, -2);
      expression(node.children[at + 1]);
      ends.push_back(emit(Op::Jump, 0));
      land(next);
    }
    emit(Op::Pop, -1);
    otherwise(node, at, ends);
    land(undefined);
  }

  void searched_case(const Node& node) {
    std::vector<std::uint32_t> ends;
    std::size_t at = 0;
    for (; at + 1 < node.children.size(); at += 2) {
      expression(node.children[at]);
      const std::uint32_t next = emit(Op::JumpUnlessTrue, -1);
      expression(node.children[at + 1]);
      ends.push_back(emit(Op::Jump, -1));
      land(next);
    }
    otherwise(node, at, ends);
  }

  void otherwise(const Node& node, std::size_t at, const std::vector<std::uint32_t>& ends) {
    if (at < node.children.size()) {
      expression(node.children[at]);
    } else {
      emit(Op::Undefined, 1);
    }
    for (const std::uint32_t end : ends) land(end);
  }

  void object(const Node& node) {
    std::vector<std::uint32_t> keys;
    for (const NodeId child : node.children) expression(child);
    const std::uint32_t first = static_cast<std::uint32_t>(keys_.size());
    for (const std::string& name : node.names) key(name);
    const auto count = static_cast<std::uint32_t>(node.children.size());
    emit(Op::Object, 1 - static_cast<int>(count), first, count);
  }

  void query(const Node& node) {
    const Select& from = syntax_.selects[node.select];
    expression(*from.source);
    scopes_.push_back({ScopeKind::Element, from.alias});
    select(node.select);
    scopes_.pop_back();
    emit(node.kind == NodeKind::Exists ? Op::Exists : Op::Query, 0, node.select);
  }

  void call(const Node& node) {
    const Function* function = find_function(node.text);
    const bool opened = function == nullptr && open();
    if (function == nullptr && !opened) return unknown(node);
    if (function != nullptr && function->superset && options_.dialect == Dialect::Aws)
      return fail(node.offset, node.text + "() is no AWS IoT SQL; dialect \"twinmq\" has it");
    const std::size_t count = node.children.size();
    if (function != nullptr && !takes(*function, count)) return wrong_count(node, *function);
    if (count > 250) return fail(node.offset, "a function takes at most 250 arguments");
    if (opened) constant(text_constant(node.text));
    note_outside(node, opened);
    for (const NodeId child : node.children) expression(child);
    Instruction instruction{Op::Call, static_cast<std::uint8_t>(count + (opened ? 1 : 0)), 0, 0, 0};
    std::uint32_t stars = 0;
    const bool whole = scopes_.empty() || scopes_.back().kind != ScopeKind::Element;
    for (std::size_t i = 0; whole && i < count && i < 32; ++i)
      if (syntax_[node.children[i]].kind == NodeKind::Star) stars |= 1U << i;
    int taken = instruction.count;
    if (node.partition || node.when) {
      if (function == nullptr || !function->remembers)
        return fail(node.offset, node.text + "() remembers nothing and takes no OVER");
      taken += over(node, instruction);
    }
    if (function != nullptr && function->remembers) {
      instruction.flags |= kHasState;
      instruction.b = program_->state_slots++;
    } else {
      instruction.b = stars;
    }
    const Function* run = opened ? find_function("call") : function;
    instruction.a = static_cast<std::uint32_t>(run - all_functions().data());
    emit(instruction, 1 - taken);
  }

  bool open() const { return options_.dialect == Dialect::Twinmq && options_.open_functions; }

  void note_outside(const Node& node, bool opened) {
    const std::string name = lower_case(node.text);
    if (opened) return program_->outside.push_back({name, node.offset});
    if (name == kThingShadow) return program_->outside.push_back({name, node.offset, false, true});
    if (name != "aws_lambda" && name != "call") return;
    const Node& asked = syntax_[node.children[0]];
    if (asked.kind == NodeKind::Text)
      program_->outside.push_back({outside_name(asked.text), node.offset, false, true});
    else
      program_->outside_by_name = true;
  }

  int over(const Node& node, Instruction& instruction) {
    int taken = 0;
    if (node.partition && !node.partition->empty()) {
      for (const NodeId id : *node.partition) expression(id);
      const auto keys = static_cast<std::uint32_t>(node.partition->size());
      emit(Op::Array, 1 - static_cast<int>(keys), keys);
      instruction.flags |= kPartitioned;
      ++taken;
    }
    if (node.when) {
      expression(*node.when);
      instruction.flags |= kGuarded;
      ++taken;
    }
    return taken;
  }

  static bool takes(const Function& function, std::size_t count) {
    return count >= function.arguments_min && (function.arguments_max == kAnyNumber || count <= function.arguments_max);
  }

  void wrong_count(const Node& node, const Function& function) {
    std::string wanted = std::to_string(function.arguments_min);
    if (function.arguments_max == kAnyNumber)
      wanted += " or more";
    else if (function.arguments_max != function.arguments_min)
      wanted += " to " + std::to_string(function.arguments_max);
    fail(node.offset, node.text + "() takes " + wanted + (wanted == "1" ? " argument" : " arguments") + ", found " +
                          std::to_string(node.children.size()));
  }

  void unknown(const Node& node) {
    const std::string_view nearest = nearest_function(node.text, options_.dialect == Dialect::Twinmq);
    fail(node.offset, "there is no function " + node.text.substr(0, 40) + "()" +
                          (nearest.empty() ? std::string() : "; did you mean " + std::string(nearest) + "()?"));
  }

  const Syntax& syntax_;
  const CompileOptions& options_;
  std::unique_ptr<Program> program_;
  std::vector<Instruction> code_;
  std::vector<Value> constants_;
  std::vector<std::string_view> keys_;
  std::vector<SelectPlan> selects_;
  std::vector<std::string> variables_;
  std::vector<Scope> scopes_;
  bool grouped_ = false;
  std::vector<NodeId> argument_nodes_;
  std::size_t height_ = 0;
  std::size_t highest_ = 0;
  SyntaxFault fault_;
  bool failed_ = false;
};

}  // namespace

Result<std::unique_ptr<Program>, SyntaxFault> compile(const Syntax& syntax, const CompileOptions& options) {
  return Compiler(syntax, options).run();
}

}  // namespace twinmq::sql
