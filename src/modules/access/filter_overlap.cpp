#include "modules/access/filter_overlap.hpp"

#include <cstddef>

namespace twinmq::access {
namespace {

bool begins_with_wildcard(std::string_view filter) {
  return filter.starts_with('+') || filter.starts_with('#');
}

// The levels of a filter, one after the other; "" has one empty level.
class Levels {
 public:
  explicit Levels(std::string_view filter) : rest_(filter) {}

  bool at_end() const { return ended_; }
  bool only_hash_left() const { return !ended_ && rest_ == "#"; }
  std::string_view next() {
    const std::size_t end = rest_.find('/');
    const std::string_view level = rest_.substr(0, end);
    ended_ = end == std::string_view::npos;
    rest_.remove_prefix(ended_ ? rest_.size() : end + 1);
    return level;
  }

 private:
  std::string_view rest_;
  bool ended_ = false;
};

}  // namespace

bool overlaps(std::string_view left, std::string_view right) {
  if (left.starts_with('$') && begins_with_wildcard(right)) return false;
  if (right.starts_with('$') && begins_with_wildcard(left)) return false;
  // What "+" and "/#" have in common is the empty name, which is none.
  if ((left == "+" && right == "/#") || (left == "/#" && right == "+")) return false;
  Levels a(left);
  Levels b(right);
  while (true) {
    // '#' stands for its parent level too, so it meets a filter that has just ended.
    if (a.only_hash_left() || b.only_hash_left()) return true;
    if (a.at_end() || b.at_end()) return a.at_end() && b.at_end();
    const std::string_view x = a.next();
    const std::string_view y = b.next();
    if (x != y && x != "+" && y != "+") return false;
  }
}

}  // namespace twinmq::access
