#pragma once
// Everything one shard may tell another. Letters between two shards arrive in the order they were
// posted.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <twinmq/message.hpp>
#include <twinmq/reason_code.hpp>
#include <twinmq/store.hpp>

#include "core/ids.hpp"
#include "mqtt/packets.hpp"

namespace twinmq::core {

/// Names a transaction on the shard that opened it; 0: nobody waits for an answer.
using TransactionId = std::uint64_t;

/// Every open part of a transaction holds some weight; the transaction is closed when all of it has
/// come home, in whatever order the parts close and open further ones.
using Weight = std::uint64_t;

/// Where a part of a transaction must be closed.
struct PartOf {
  ShardId opener = 0;
  TransactionId transaction = 0;
  Weight weight = 0;
};

/// A published message for whoever matches on the receiving shard.
struct Deliver {
  MessageRef message;  ///< the only reference
  PartOf part;
};

/// Messages one behind the other in the batch that holds this letter.
struct DeliverRun {
  std::size_t at = 0;
  std::size_t count = 0;
};

/// What a share group gives a member with the message.
struct MemberCopy {
  SessionKey member;
  QoS qos = QoS::AtMostOnce;
  bool retain_as_published = false;
  std::uint32_t subscription_id = 0;
  std::string_view share;
};

/// A message for a member of a share group that lives on the receiving shard.
struct DeliverToMember {
  MessageRef message;
  PartOf part;
  SessionKey member;
  QoS qos = QoS::AtMostOnce;
  bool retain_as_published = false;
  std::uint32_t subscription_id = 0;
  std::string share;
};

/// A part is closed: what it wrote and how it went.
struct PartClosed {
  TransactionId transaction = 0;
  std::uint32_t more = 0;  ///< parts of as many transactions behind that one are closed just so
  Weight weight = 0;
  std::uint32_t matched = 0;
  bool refused = false;         ///< a session under the policy `reject` was full
  std::uint32_t held_back = 0;  ///< sessions under `back_pressure` that were full: each sends Room
  bool wants_outcome = false;   ///< answer with PartCommitted
  std::unique_ptr<Batch> records;  ///< null: nothing to write
};

/// The transaction in which the receiving shard had a part is safe.
struct PartCommitted {
  TransactionId transaction = 0;
};

/// A session that a transaction of the receiver found full has room again.
struct Room {
  TransactionId transaction = 0;
};

/// A message that a service published in answer to another one: it enters the broker on the
/// receiving shard, as a part of that one's transaction.
struct PublishWithin {
  MessageRef message;
  PartOf part;
};

/// What services may want to know of a publisher.
struct MailedPublisher {
  std::string principal;
  std::string peer;
};

/// A message that the home of its topic must store or route: retained ones, and what follows them
/// on the same connection and topic.
struct PublishAtHome {
  MessageRef message;
  std::uint64_t token = 0;  ///< returned in PublishedAtHome; 0: no answer wanted
  std::unique_ptr<Batch>
      records;  ///< the publisher's own, to be written with the message; may be null
  std::unique_ptr<MailedPublisher> publisher;  ///< for a service; may be null
  std::optional<Durability> durability;        ///< as in Waiter
};

struct PublishedAtHome {
  std::uint64_t token = 0;
  ReasonCode code = ReasonCode::Success;
  std::uint32_t matched = 0;
};

/// The sender wants, or no longer wants, messages that match the filter.
struct Interest {
  std::string filter;
  bool wanted = true;
};

/// Answered by FencePassed once every earlier letter has been read; with `everywhere` only when
/// every other shard has read what the receiver had posted to it by then.
struct Fence {
  std::uint64_t ticket = 0;
  bool everywhere = false;
};
struct FencePassed {
  std::uint64_t ticket = 0;
};

/// Opens a replay of the retained messages that match, for a new subscription. They come in slices
/// of RetainedFound, each closed by RetainedSliceEnd; the asker calls for the next when it has
/// room.
struct RetainedWanted {
  std::uint64_t ticket = 0;
  std::string filter;
};
struct RetainedNext {
  std::uint64_t ticket = 0;
  bool cancel = false;
};
struct RetainedFound {
  std::uint64_t ticket = 0;
  MessageRef message;
};
struct RetainedSliceEnd {
  std::uint64_t ticket = 0;
  bool done = false;
};

/// To the home of a share group. Joining again changes the options.
struct JoinShare {
  std::string share;  ///< "name/filter"
  SessionKey member;
  QoS qos = QoS::AtMostOnce;
  bool retain_as_published = false;
  bool connected = true;
  std::uint32_t subscription_id = 0;
};
struct LeaveShare {
  std::string share;
  SessionKey member;
};
/// A member's connection came or went while its session stays.
struct MemberConnected {
  std::string share;
  SessionKey member;
  bool connected = false;
};
/// A message its member can no longer take: somebody else's turn.
struct ReturnToShare {
  std::string share;
  MessageRef message;
  std::uint64_t owed = 0;  ///< its number in the store; 0: it is not stored
  PartOf part;             ///< of the publish it still belongs to
};

using Letter =
    std::variant<Deliver, DeliverRun, DeliverToMember, PartClosed, PartCommitted, Room,
                 PublishWithin, PublishAtHome, PublishedAtHome, Interest, Fence, FencePassed,
                 RetainedWanted, RetainedNext, RetainedFound, RetainedSliceEnd, JoinShare,
                 LeaveShare, MemberConnected, ReturnToShare>;

}  // namespace twinmq::core
