#pragma once
// Sessions that ended while publishes to them were not yet safe, or while what share groups had
// given them lay in the store alone. Records that other shards commit for them reach the store
// behind the end of the session, and a queue is read back part by part; until all of that is
// erased, nobody who takes the client identifier is welcomed or written. What a share group had
// given such a session returns to the group when its publish is safe, and never before: a publisher
// that repeats it would meet it twice.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <twinmq/message.hpp>
#include <twinmq/session_journal.hpp>
#include <twinmq/store.hpp>

#include "core/ids.hpp"
#include "core/subscriber.hpp"

namespace twinmq::core {

struct Shard;

class EndedSessions {
 public:
  explicit EndedSessions(Shard& shard) : shard_(shard) {}

  /// The session has gone, and so many of its records may yet be written.
  void bury(SessionKey session, const std::string& client_id, std::size_t records);
  bool bars(std::string_view client_id) const {
    return !barred_.empty() && barred_.contains(std::string(client_id));
  }
  /// The link is welcomed once its session's new beginning is safe behind everything old.
  void wait(std::string_view client_id, LinkKey link) {
    barred_[std::string(client_id)].links.push_back(link);
  }

  /// Another member takes over what a session never acknowledged; a QoS 2 message that was sent
  /// stays with its client even if that is gone [MQTT-4.8.2-4].
  static bool returns_to_group(QoS qos, bool sent) { return qos == QoS::AtLeastOnce || !sent; }
  /// The part of the buried session's queue that lies in the store alone, and from which share
  /// groups want theirs back; what is below `sent_end` was perhaps sent. It counts as one record.
  void read_back(SessionKey session, NumberRange queue, std::uint64_t sent_end);

  /// A message of the share group "name/filter" whose publish is not safe.
  void leave_behind(const Kept& kept, std::string share, MessageRef message);
  /// Its publish is about to be committed.
  void write_delivery(const Kept& kept, Batch& batch);

  /// Its publish is safe.
  void on_committed(const Kept& kept);

  /// What was read back so far is safe: reads on.
  void read_on(SessionKey session);

  /// One of the records that were counted was written, or never will be.
  void on_delivery_written(const Kept& kept);
  void on_received_written(SessionKey session, std::uint16_t packet_id);

 private:
  struct Grave {
    std::string client_id;
    std::size_t records = 0;
    NumberRange queue;           ///< still to be read back
    std::uint64_t sent_end = 0;  ///< what is below was perhaps sent
  };
  struct LeftBehind {
    SessionKey session;
    std::uint64_t sequence;
    std::uint64_t owed;  ///< its number in the store; 0: not written
    std::string share;
    MessageRef message;
  };
  struct Bar {
    std::size_t graves = 0;
    bool unreadable = false;  ///< records remain that nobody could read
    std::vector<LinkKey> links;
  };
  static std::uint64_t number(SessionKey key) {
    return (std::uint64_t{key.generation} << 32) | key.index;
  }
  Grave* find(SessionKey session);
  void settle(SessionKey session);
  void on_read_back(SessionKey session, const Result<StoreEntries>& found);
  std::vector<LeftBehind>::iterator find(const Kept& kept);

  Shard& shard_;
  std::vector<LeftBehind> left_behind_;
  std::unordered_map<std::uint64_t, Grave> graves_;
  std::unordered_map<std::string, Bar> barred_;  ///< by client identifier
};

}  // namespace twinmq::core
