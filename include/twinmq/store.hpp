#pragma once
// The door to storage: ordered keys, atomic batches. A store knows nothing of sessions or retained
// messages; that knowledge is written once, in the modules above.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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

class Store;

struct StoreEntries {
  std::vector<std::pair<std::string, std::string>> entries;  ///< ascending
  bool more = false;  ///< a limit ended the reading; go on behind the last entry
};

/// What to read: every entry with from <= key < to, from the first on, as many as the limits allow.
struct StoreRange {
  std::string from;
  std::string to;  ///< empty: no upper end
  std::size_t entries_max = 1000;
  std::size_t bytes_max =
      1 << 20;  ///< of keys and values, and what they lead to; the first entry is always read
  /// The key of another entry whose value is wanted behind this value; empty: none. Null: of no
  /// entry. What is no longer there is left out.
  std::string (*leads_to)(std::string_view value) = nullptr;
  /// Finds the entries in place of reading the range, where that takes more; one call at a time,
  /// each a part of the work as long as `more` is told.
  std::function<Result<StoreEntries>(Store&)> search;
};

/// One figure a store tells about itself: "sst_bytes", 1048576.
struct StoreFigure {
  std::string name;
  std::uint64_t value = 0;
};

/// Ordered key-value storage. commit(), reopen() and close() are called by one thread at a time:
/// the storage thread, and before and after it the thread that starts and stops the broker. The
/// reading calls may come from any thread, also while a commit runs, and see every batch as a whole
/// or not at all. Blocking is allowed.
class Store {
 public:
  /// Sees one entry; answers false to stop the scan. The views are valid during the call. It must
  /// not call the store.
  using Visitor = std::function<bool(std::string_view key, std::string_view value)>;

  virtual ~Store() = default;

  /// Applies the batch as a whole at the given durability, or fails. What became of a failed batch
  /// is open until reopen(): it is then there as a whole or not at all. After a failure the broker
  /// calls reopen() before anything else.
  virtual Result<void> commit(const Batch& batch, Durability durability) = 0;

  /// Every entry with from <= key < to, in ascending byte order, as of one moment. An empty `to`
  /// has no upper end.
  virtual Result<void> scan(std::string_view from, std::string_view to, const Visitor& visit) = 0;

  /// The entries of the range as of one moment, copied; what they lead to is read behind that. Or
  /// what the range's own search finds.
  Result<StoreEntries> read(const StoreRange& range);

  /// The value of the key, if it is there.
  virtual Result<std::optional<std::string>> get(std::string_view key) {
    std::optional<std::string> found;
    const std::string from(key);
    Result<void> done = scan(from, from + '\0', [&found](std::string_view, std::string_view value) {
      found.emplace(value);
      return false;
    });
    if (!done) return done.error();
    return found;
  }

  /// Back to a state that holds exactly what was committed successfully, and perhaps batches whose
  /// commit failed.
  virtual Result<void> reopen() = 0;

  /// The strongest durability this store can give.
  virtual Durability durability_max() const = 0;

  /// Bytes that may still be written before the disk is full.
  virtual std::uint64_t room() const { return std::numeric_limits<std::uint64_t>::max(); }

  /// Writes everything committed so far as a store of its own into the directory, which must not
  /// exist. From any thread, beside commits.
  virtual Result<void> back_up(const std::string& directory) {
    return Error{ErrorCode::InvalidArgument, "this store cannot write a backup to " + directory};
  }

  /// What the store tells about itself. From any thread.
  virtual std::vector<StoreFigure> figures() const { return {}; }
};

}  // namespace twinmq
