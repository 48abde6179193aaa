#pragma once
// GROUP BY and its windows as a pure machine: messages and times go in, results of closed windows
// come out.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sql/statement.hpp"
#include "sql/window_group.hpp"

namespace twinmq::sql {

/// The groups of one statement with GROUP BY. Belongs to one thread; the statement outlives it.
class Windows {
 public:
  /// `groups_max`: open at the same time; messages of further groups are dropped and counted.
  explicit Windows(const Statement& statement, std::size_t groups_max = 1'000'000);
  ~Windows();

  struct Context {
    World* world = nullptr;
    Scratch& scratch;
    Budget budget;
  };

  /// Takes a message in, if WHERE is true. Results of what closes by it are appended to `closed`,
  /// as JSON, in the order of time and then of the group's key.
  Outcome add(const Event& event, Payload& payload, Context& context,
              std::vector<std::string>& closed);

  /// Closes what ends by this time. With EVENT TIME only messages make time pass.
  void advance(std::int64_t now, Context& context, std::vector<std::string>& closed);

  /// Closes everything, whatever the time.
  void close_all(Context& context, std::vector<std::string>& closed);

  /// When advance() has something to do, in milliseconds since 1970; nothing: not by time alone.
  std::optional<std::int64_t> next_deadline() const;

  /// Remembers from now on what changes, for take_touched().
  void track() { tracked_ = true; }
  /// What changed since the last call: names with their texts for restore_cell(), or nothing where
  /// a group closed.
  std::vector<std::pair<std::string, std::optional<std::string>>> take_touched();
  /// Before the first message. False: the text is not one of take_touched() for this statement.
  bool restore_cell(std::string_view name, std::string_view text);

  struct Closing {
    std::int64_t begin = 0;
    std::int64_t end = 0;
    std::uint64_t groups = 0;
  };
  /// Remembers from now on which windows close. SLIDING closes none.
  void note_closings() { notes_closings_ = true; }
  /// Those since the last call, in their order. A window that follows its group closes alone.
  std::vector<Closing> take_closings() { return std::exchange(closings_, {}); }

  std::uint64_t late() const { return late_; }        ///< messages whose window had closed
  std::uint64_t dropped() const { return dropped_; }  ///< messages of groups beyond the limit
  std::size_t groups() const { return groups_; }

 private:
  using Group = WindowGroup;
  using Groups = std::unordered_map<std::string, Group>;
  struct Input;

  void read(const GroupInput& found);
  void place(const Input& input, Context& context, std::vector<std::string>& closed);
  void place_fixed(const Input& input);
  void place_session(const Input& input, Context& context, std::vector<std::string>& closed);
  void place_count(const Input& input, Context& context, std::vector<std::string>& closed);
  void place_sliding(const Input& input, Context& context, std::vector<std::string>& closed);
  Group* open(Groups& groups, const std::string& key, std::int64_t begin, std::int64_t end);
  void take(Group& group, const Input& input) const;
  void touch(std::string name);
  const Group* find(std::string_view name) const;
  void close_until(std::int64_t time, Context& context, std::vector<std::string>& closed);
  void close_sessions(std::int64_t time, Context& context, std::vector<std::string>& closed);
  void close(const std::string& key, Group& group, Context& context,
             std::vector<std::string>& closed);
  void emit(const std::string& key, Group& group, Context& context,
            std::vector<std::string>& closed) const;

  const Program& program_;
  std::size_t groups_max_;
  std::size_t groups_ = 0;
  std::uint64_t late_ = 0;
  std::uint64_t dropped_ = 0;
  std::int64_t watermark_ = INT64_MIN;
  bool tracked_ = false;
  GroupInput found_;              // of the message at hand; kept for its room
  std::unique_ptr<Input> input_;  // likewise
  bool notes_closings_ = false;
  std::vector<Closing> closings_;
  std::vector<std::string> touched_;
  std::map<std::int64_t, Groups> panes_;                  // by the begin of the window
  Groups keyed_;                                          // windows that follow their group
  std::map<std::int64_t, std::vector<std::string>> due_;  // sessions by an end that may have moved
};

}  // namespace twinmq::sql
