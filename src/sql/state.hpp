#pragma once
// What statements remember from message to message: the memory of lag, changed, ewma, once and
// their like.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace twinmq::sql {

/// What one function remembers of one partition.
struct Cell {
  std::vector<double> numbers;
  std::vector<std::string> texts;
  std::int64_t time = 0;
  std::int64_t count = 0;
  std::int64_t used = 0;  ///< when it was used last
};

/// Cells by function and partition. Bounded: when full, those not used for longest go first.
class State {
 public:
  explicit State(std::size_t cells_max = 100'000) : cells_max_(cells_max) {}

  /// The cell, made when there is none. Void after the next call.
  Cell& cell(std::uint32_t slot, std::string_view partition, std::int64_t now);

  /// Remembers from now on which cells are used, for take_touched().
  void track() { tracked_ = true; }
  /// The names of the cells used since the last call, with their texts for restore_cell().
  std::vector<std::pair<std::string, std::string>> take_touched();
  /// False: the text is not one of take_touched().
  bool restore_cell(std::string_view name, std::string_view text);

  /// A text that restore() understands.
  std::string save() const;
  /// False: the text is not one of save(); the state is empty then.
  bool restore(std::string_view text);

  std::size_t size() const { return cells_.size(); }
  /// How often it was changed; whoever saves compares.
  std::uint64_t changes() const { return changes_; }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };

  void forget_oldest();

  std::size_t cells_max_;
  std::uint64_t changes_ = 0;
  bool tracked_ = false;
  std::vector<std::string> touched_;
  std::string name_;
  std::unordered_map<std::string, Cell, Hash, std::equal_to<>> cells_;
};

}  // namespace twinmq::sql
