// Calls of functions, and what is told of those that lie outside.

#include "sql/compilation.hpp"

#include "sql/lexer.hpp"

namespace twinmq::sql {

void Compilation::call(const Node& node) {
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

void Compilation::note_outside(const Node& node, bool opened) {
  const std::string name = lower_case(node.text);
  if (opened) return program_->outside.push_back({name, node.offset, false, false, grouped_});
  if (name == kThingShadow)
    return program_->outside.push_back({name, node.offset, false, true, grouped_});
  if (name != "aws_lambda" && name != "call") return;
  const Node& asked = syntax_[node.children[0]];
  if (asked.kind == NodeKind::Text)
    program_->outside.push_back({outside_name(asked.text), node.offset, false, true, grouped_});
  else
    program_->outside_by_name = true;
}

int Compilation::over(const Node& node, Instruction& instruction) {
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

bool Compilation::takes(const Function& function, std::size_t count) {
  return count >= function.arguments_min &&
         (function.arguments_max == kAnyNumber || count <= function.arguments_max);
}

void Compilation::wrong_count(const Node& node, const Function& function) {
  std::string wanted = std::to_string(function.arguments_min);
  if (function.arguments_max == kAnyNumber)
    wanted += " or more";
  else if (function.arguments_max != function.arguments_min)
    wanted += " to " + std::to_string(function.arguments_max);
  fail(node.offset, node.text + "() takes " + wanted +
                        (wanted == "1" ? " argument" : " arguments") + ", found " +
                        std::to_string(node.children.size()));
}

void Compilation::unknown(const Node& node) {
  const std::string_view nearest = nearest_function(node.text, options_.dialect == Dialect::Twinmq);
  fail(node.offset,
       "there is no function " + node.text.substr(0, 40) + "()" +
           (nearest.empty() ? std::string() : "; did you mean " + std::string(nearest) + "()?"));
}

}  // namespace twinmq::sql
