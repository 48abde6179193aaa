#pragma once
// Shared subscriptions, section 4.8.2. A group lives on its home shard: there it is one subscriber
// in the topic tree, knows its members on every shard, and says whose turn it is.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/subscriber.hpp"

namespace twinmq::core {

struct Shard;

/// "name/filter" of a $share filter: "$share/name/filter" without its first level.
class ShareGroup final : public Subscriber {
 public:
  ShareGroup(Shard& shard, std::string text);

  struct Member {
    SessionAddress session;
    QoS qos = QoS::AtMostOnce;
    bool retain_as_published = false;
    bool connected = false;
    std::uint32_t subscription_id = 0;
  };

  const std::string& text() const { return text_; }
  std::string_view filter() const;
  bool empty() const { return members_.empty(); }

  void join(const Member& member);
  void leave(const SessionAddress& session);
  void connected(const SessionAddress& session, bool connected);

  /// To one member: in turn among those who can take it now, then among the connected, then among
  /// the absent.
  void deliver(const Delivery& delivery, Route& route) override;

 private:
  enum class Fitness : std::uint8_t { Ready, Connected, Absent, Unfit };
  Fitness fitness(const Member& member) const;
  void give(const Member& member, const Delivery& delivery, Route& route);

  Shard& shard_;
  std::string text_;
  std::vector<Member> members_;
  std::size_t turn_ = 0;
};

/// The groups whose home is this shard, and the way to those of others.
class ShareGroups {
 public:
  explicit ShareGroups(Shard& shard) : shard_(shard) {}

  // For the sessions of this shard; the group may live anywhere.
  void join(const std::string& share, SessionKey member, QoS qos, bool retain_as_published,
            bool connected, std::uint32_t subscription_id);
  void leave(const std::string& share, SessionKey member);
  void member_connected(const std::string& share, SessionKey member, bool connected);
  /// `owed` is the message's number among the owed ones; 0: it is not stored.
  void give_back(const std::string& share, const MessageRef& message, std::uint64_t owed);

  // As the home.
  void on_join(ShardId from, const JoinShare& letter);
  void on_leave(ShardId from, const LeaveShare& letter);
  void on_member_connected(ShardId from, const MemberConnected& letter);
  /// Null if nobody is in it.
  ShareGroup* find(const std::string& share);

 private:
  ShardId home(std::string_view share) const;

  Shard& shard_;
  std::unordered_map<std::string, std::unique_ptr<ShareGroup>> groups_;
};

}  // namespace twinmq::core
