#pragma once
// A tree to a flat program.

#include <memory>

#include <twinmq/result.hpp>

#include "sql/fault.hpp"
#include "sql/parser.hpp"
#include "sql/program.hpp"

namespace twinmq::sql {

struct CompileOptions {
  Dialect dialect = Dialect::Twinmq;
  Version version = Version::V2016;
  /// Whether functions that neither SQL nor this house knows may be asked of World::call.
  bool open_functions = true;
};

Result<std::unique_ptr<Program>, SyntaxFault> compile(const Syntax& syntax,
                                                      const CompileOptions& options);

}  // namespace twinmq::sql
