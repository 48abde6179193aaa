#pragma once
// A regular expression by itself, for parts that do not see RE2: linear in the text whatever the
// pattern. Immutable once compiled, and may be shared.

#include <memory>
#include <string_view>

#include <twinmq/result.hpp>

namespace re2 {
class RE2;
}

namespace twinmq::sql {

class Pattern {
 public:
  /// Why the text is no pattern, as a sentence's end.
  static Result<Pattern> compile(std::string_view text);

  /// Whether some part of the text matches.
  bool found_in(std::string_view text) const;

 private:
  std::shared_ptr<const re2::RE2> expression_;
};

}  // namespace twinmq::sql
