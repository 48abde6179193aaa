#pragma once
// One statement on its way from a tree to a flat program.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sql/compiler.hpp"
#include "sql/functions.hpp"

namespace twinmq::sql {

class Compilation {
 public:
  Compilation(const Syntax& syntax, const CompileOptions& options)
      : syntax_(syntax), options_(options), program_(std::make_unique<Program>()) {
    program_->version = options.version;
  }

  Result<std::unique_ptr<Program>, SyntaxFault> run();

 private:
  enum class ScopeKind { Message, Element, Foreach };

  struct Scope {
    ScopeKind kind = ScopeKind::Message;
    std::string_view alias;
  };

  /// A copy that lives as long as the program.
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

  std::uint32_t here() const { return static_cast<std::uint32_t>(code_.size()); }

  void land(std::uint32_t jump) { code_[jump].a = here(); }

  bool open() const { return options_.dialect == Dialect::Twinmq && options_.open_functions; }

  // --- Emitting, and clauses: compiler.cpp
  void fail(std::size_t offset, std::string message);
  std::uint32_t emit(Instruction instruction, int change);
  std::uint32_t emit(Op op, int change, std::uint32_t a = 0, std::uint32_t b = 0);
  /// A block of its own; the code around it jumps over.
  std::uint32_t block(NodeId id);
  void constant(json::Value value);
  json::Value text_constant(std::string_view text);
  std::uint32_t key(const std::string& name);
  void select(std::uint32_t index);
  std::span<const ItemPlan> items(const std::vector<Item>& from);
  void foreach_clause(const Foreach& from);

  // --- GROUP BY: compiler_groups.cpp
  void group(const Grouping& from);
  /// Inside SELECT and HAVING of a statement with GROUP BY; true: the node is done.
  bool grouped(NodeId id);
  void aggregate(const Node& node, Aggregate kind);
  std::uint32_t argument(NodeId id, Aggregate kind);

  // --- compiler_expressions.cpp
  void expression(NodeId id);
  /// Takes its children from the stack and leaves one value.
  void unary_like(const Node& node, Op op);
  void negate(const Node& node);
  void binary(const Node& node);
  /// The common condition, a key's value against a constant, in one instruction.
  void compare_at_once(const Node& node, Op op);
  /// a.b.c in one instruction, from whatever its head means in this scope.
  void path(NodeId id);
  void fields(const std::vector<const Node*>& members);
  void variable(const Node& node);
  void simple_case(const Node& node);
  void searched_case(const Node& node);
  void otherwise(const Node& node, std::size_t at, const std::vector<std::uint32_t>& ends);
  void object(const Node& node);
  void query(const Node& node);

  // --- compiler_calls.cpp
  void call(const Node& node);
  void note_outside(const Node& node, bool opened);
  int over(const Node& node, Instruction& instruction);
  static bool takes(const Function& function, std::size_t count);
  void wrong_count(const Node& node, const Function& function);
  void unknown(const Node& node);

  const Syntax& syntax_;
  const CompileOptions& options_;
  std::unique_ptr<Program> program_;
  std::vector<Instruction> code_;
  std::vector<json::Value> constants_;
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

}  // namespace twinmq::sql
