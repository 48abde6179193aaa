#include "sql/pattern.hpp"

#include <re2/re2.h>

namespace twinmq::sql {

Result<Pattern> Pattern::compile(std::string_view text) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(1 << 20);
  auto expression =
      std::make_shared<const re2::RE2>(re2::StringPiece(text.data(), text.size()), options);
  if (!expression->ok()) return Error{ErrorCode::InvalidArgument, expression->error()};
  Pattern pattern;
  pattern.expression_ = std::move(expression);
  return pattern;
}

bool Pattern::found_in(std::string_view text) const {
  return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *expression_);
}

}  // namespace twinmq::sql
