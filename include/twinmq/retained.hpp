#pragma once
// The door of retained messages: the last retained message of each topic, section 3.3.1.3.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include <twinmq/message.hpp>
#include <twinmq/result.hpp>
#include <twinmq/store.hpp>
#include <twinmq/time.hpp>

namespace twinmq {

/// Keeps the retained messages of the topics whose home is this shard. One instance per shard, used
/// on the shard's thread. Every recording call only adds to the batch.
class RetainedMessages {
 public:
  /// A walk over the messages that match a filter. Must not outlive the RetainedMessages it came
  /// from.
  class Replay {
   public:
    virtual ~Replay() = default;

    /// The next retained message. Empty when `budget` steps are used up (call again
    /// later) or when done() is true. Each step, successful or not, takes one from `budget`.
    virtual MessageRef next(std::size_t& budget) = 0;
    virtual bool done() const = 0;
  };

  enum class Stored : std::uint8_t {
    Stored,     ///< it is the topic's retained message now
    Removed,    ///< an empty payload took the topic's message away [MQTT-3.3.1-6]
    Unchanged,  ///< there was nothing to take away [MQTT-3.3.1-7]
    Full,       ///< a limit would be exceeded; nothing changed
  };

  virtual ~RetainedMessages() = default;

  /// Keeps the message for its topic in place of the one before [MQTT-3.3.1-5], or removes it when
  /// the payload is empty; writes the same to `batch`. An expired message is treated as an empty
  /// one.
  virtual Stored set(const MessageRef& message, Now now, Batch& batch) = 0;

  /// The topic's retained message; empty if there is none or it has expired.
  virtual MessageRef find(std::string_view topic, Instant now) const = 0;

  /// Every message whose topic matches the filter (which has no $share prefix) and which has not
  /// expired at `now`, each once, in no particular order. A message that is set after this call is
  /// left out, and so is the one it replaced: whoever asks is subscribed and gets the new one live.
  virtual std::unique_ptr<Replay> replay(std::string_view filter, Instant now) = 0;

  /// Forgets what has expired, looking at up to `budget` entries, and records the removals.
  virtual void expire(Now now, std::size_t budget, Batch& batch) = 0;

  /// Reads back what is stored; `mine` says which topics belong to this shard. Limits do not apply.
  /// Records that do not verify are left out; how many is told by corrupt_records().
  virtual Result<void> restore(Store& store, Now now,
                               const std::function<bool(std::string_view topic)>& mine) = 0;

  /// Stored records that restore() could not read.
  virtual std::size_t corrupt_records() const { return 0; }

  virtual std::size_t messages() const = 0;
  /// Memory the messages occupy, without the index over them.
  virtual std::size_t bytes() const = 0;
};

}  // namespace twinmq
