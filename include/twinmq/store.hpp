#pragma once
// The door to storage: ordered keys, atomic batches. A store knows nothing of sessions or retained messages;
// that knowledge is written once, in the modules above.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <twinmq/result.hpp>

namespace twinmq {

/// What a completed commit means.
enum class Durability : std::uint8_t {
  None,             ///< memory only: survives nothing
  OperatingSystem,  ///< handed to the operating system: survives the end of the process ("os")
  Fsync,            ///< on stable storage: survives a power cut ("fsync")
};

/// A list of changes that happen together or not at all, in order.
class Batch {
 public:
  enum class Kind : std::uint8_t { Put, Erase, EraseRange };

  /// Views into the batch; valid until it changes.
  struct Change {
    Kind kind;
    std::string_view key;
    std::string_view value;  ///< Put: the value. EraseRange: the first key that stays.
  };

  void put(std::string_view key, std::string_view value) { add(Kind::Put, key, value); }
  void erase(std::string_view key) { add(Kind::Erase, key, {}); }
  /// Erases every key in [from, to).
  void erase_range(std::string_view from, std::string_view to) { add(Kind::EraseRange, from, to); }
  /// Adds the other batch's changes behind these.
  void append(const Batch& other);

  bool empty() const { return changes_.empty(); }
  std::size_t size() const { return changes_.size(); }
  std::size_t bytes() const { return text_.size(); }
  void clear() {
    changes_.clear();
    text_.clear();
  }
  Change operator[](std::size_t index) const;

 private:
  struct Place {
    std::size_t key_at;
    std::uint32_t key_size;
    std::uint32_t value_size;
    Kind kind;
  };
  void add(Kind kind, std::string_view key, std::string_view value);

  std::string text_;
  std::vector<Place> changes_;
};

/// Ordered key-value storage. After construction it is used by one thread at a time: the storage thread, and
/// before that the thread that starts the broker (for scan). Blocking is allowed.
class Store {
 public:
  /// Sees one entry; answers false to stop the scan. The views are valid during the call.
  using Visitor = std::function<bool(std::string_view key, std::string_view value)>;

  virtual ~Store() = default;

  /// Applies the batch as a whole at the given durability, or fails and applies nothing. After a failure the
  /// broker calls reopen() before anything else.
  virtual Result<void> commit(const Batch& batch, Durability durability) = 0;

  /// Every entry with from <= key < to, in ascending byte order. An empty `to` has no upper end.
  virtual Result<void> scan(std::string_view from, std::string_view to, const Visitor& visit) = 0;

  /// Back to a state that holds exactly what was committed successfully.
  virtual Result<void> reopen() = 0;

  /// The strongest durability this store can give.
  virtual Durability durability_max() const = 0;
};

}  // namespace twinmq
