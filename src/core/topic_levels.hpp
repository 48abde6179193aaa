#pragma once
// The levels of a topic name or filter, one after the other (section 4.7.1.1).

#include <cstddef>
#include <string_view>

namespace twinmq::core {

/// for (LevelReader levels(topic); levels.next();) use(levels.token()); every text has at least one
/// level.
class LevelReader {
 public:
  explicit LevelReader(std::string_view text) : text_(text) {}

  bool next() {
    if (from_ > text_.size()) return false;
    const std::size_t slash = text_.find('/', from_);
    const std::size_t end = slash == std::string_view::npos ? text_.size() : slash;
    token_ = text_.substr(from_, end - from_);
    from_ = end + 1;
    return true;
  }
  std::string_view token() const { return token_; }
  /// Offset behind the token.
  std::size_t end() const { return from_ - 1; }

 private:
  std::string_view text_;
  std::string_view token_;
  std::size_t from_ = 0;
};

}  // namespace twinmq::core
