#include "app/config_suggest.hpp"

#include <algorithm>
#include <vector>

#include "app/config_keys.hpp"

namespace twinmq::app {
namespace {

/// Keeps the candidate with the least distance that is still a plausible slip of the fingers.
class Nearest {
 public:
  explicit Nearest(std::string_view wanted)
      : wanted_(wanted), best_distance_(std::max<std::size_t>(1, wanted.size() / 3) + 1) {}

  void consider(std::string_view candidate, std::string_view answer) {
    const std::size_t distance = edit_distance(wanted_, candidate);
    if (distance >= best_distance_) return;
    best_distance_ = distance;
    best_ = answer;
  }
  bool found() const { return !best_.empty(); }
  std::string answer() const { return std::string(best_); }

 private:
  std::string_view wanted_;
  std::size_t best_distance_;
  std::string_view best_;
};

std::string_view last_of(std::string_view name) {
  const auto dot = name.rfind('.');
  return dot == std::string_view::npos ? name : name.substr(dot + 1);
}

}  // namespace

std::size_t edit_distance(std::string_view from, std::string_view to) {
  const std::size_t width = to.size() + 1;
  std::vector<std::size_t> cells((from.size() + 1) * width);
  const auto at = [&](std::size_t i, std::size_t j) -> std::size_t& {
    return cells[i * width + j];
  };
  for (std::size_t i = 0; i <= from.size(); ++i) at(i, 0) = i;
  for (std::size_t j = 0; j <= to.size(); ++j) at(0, j) = j;
  for (std::size_t i = 1; i <= from.size(); ++i) {
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const std::size_t replaced = at(i - 1, j - 1) + (from[i - 1] == to[j - 1] ? 0 : 1);
      at(i, j) = std::min({at(i - 1, j) + 1, at(i, j - 1) + 1, replaced});
      if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1]) {
        at(i, j) = std::min(at(i, j), at(i - 2, j - 2) + 1);
      }
    }
  }
  return at(from.size(), to.size());
}

std::string nearest_config_key(std::string_view name) {
  for (const ConfigKey& key : config_keys()) {
    if (key.last_name() == last_of(name)) return std::string(key.name);
  }
  // A slip inside the section that was named is likelier than one that also missed the section.
  Nearest same_section(last_of(name));
  Nearest anywhere(name);
  for (const ConfigKey& key : config_keys()) {
    const std::size_t prefix = key.section().empty() ? 0 : key.section().size() + 1;
    if (name.substr(0, prefix) == key.name.substr(0, prefix) &&
        name.substr(prefix).find('.') == std::string_view::npos) {
      same_section.consider(key.last_name(), key.name);
    }
    anywhere.consider(key.name, key.name);
  }
  return same_section.found() ? same_section.answer() : anywhere.answer();
}

std::string nearest_config_section(std::string_view name) {
  Nearest nearest(name);
  for (const ConfigKey& key : config_keys()) {
    if (!key.section().empty()) nearest.consider(key.section(), key.section());
  }
  return nearest.answer();
}

}  // namespace twinmq::app
