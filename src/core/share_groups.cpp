#include "core/share_groups.hpp"

#include <algorithm>
#include <utility>

#include "core/session.hpp"
#include "core/shard.hpp"

namespace twinmq::core {

ShareGroup::ShareGroup(Shard& shard, std::string text)
    : Subscriber(Kind::ShareGroup, shard.subscribers++), shard_(shard), text_(std::move(text)) {}

std::string_view ShareGroup::filter() const {
  return std::string_view(text_).substr(text_.find('/') + 1);
}

void ShareGroup::deliver(const Delivery& delivery, Route& route) {
  if (members_.empty()) return;
  for (const Fitness wanted : {Fitness::Ready, Fitness::Connected, Fitness::Absent}) {
    for (std::size_t i = 0; i < members_.size(); ++i) {
      const std::size_t index = (turn_ + i) % members_.size();
      if (fitness(members_[index]) != wanted) continue;
      // A QoS 0 message is not kept for somebody who is away.
      if (wanted == Fitness::Absent &&
          std::min(delivery.qos, members_[index].qos) == QoS::AtMostOnce)
        continue;
      turn_ = index + 1;
      return give(members_[index], delivery, route);
    }
  }
}

ShareGroup::Fitness ShareGroup::fitness(const Member& member) const {
  if (!member.connected) return Fitness::Absent;
  if (member.session.shard != shard_.id) return Fitness::Ready;
  const Session* session = shard_.sessions.find(member.session.key);
  if (!session) return Fitness::Unfit;
  return session->window_open() ? Fitness::Ready : Fitness::Connected;
}

void ShareGroup::give(const Member& member, const Delivery& delivery, Route& route) {
  const QoS qos = std::min(delivery.qos, member.qos);
  if (member.session.shard != shard_.id) {
    DeliverToMember letter;
    letter.member = member.session.key;
    letter.qos = qos;
    letter.retain_as_published = member.retain_as_published;
    letter.subscription_id = member.subscription_id;
    letter.share = text_;
    route.forwards.emplace_back(member.session.shard, std::move(letter));
    return;
  }
  Session* session = shard_.sessions.find(member.session.key);
  const std::span<const std::uint32_t> ids =
      member.subscription_id != 0 ? std::span<const std::uint32_t>(&member.subscription_id, 1)
                                  : std::span<const std::uint32_t>();
  const bool retain = member.retain_as_published && delivery.publication.retain();
  if (session) session->deliver({delivery.publication, qos, retain, ids, text_}, route);
}

void ShareGroup::join(const Member& member) {
  const auto place = std::find_if(members_.begin(), members_.end(), [&](const Member& known) {
    return known.session == member.session;
  });
  if (place == members_.end()) {
    members_.push_back(member);
  } else {
    *place = member;
  }
}

void ShareGroup::leave(const SessionAddress& session) {
  std::erase_if(members_, [&](const Member& member) { return member.session == session; });
}

void ShareGroup::connected(const SessionAddress& session, bool connected) {
  for (Member& member : members_)
    if (member.session == session) member.connected = connected;
}

// --- The way to a group

ShardId ShareGroups::home(std::string_view share) const {
  return home_of(share, shard_.shards());
}

void ShareGroups::join(const std::string& share, SessionKey member, QoS qos,
                       bool retain_as_published, bool connected, std::uint32_t subscription_id) {
  const JoinShare letter{share, member, qos, retain_as_published, connected, subscription_id};
  if (home(share) == shard_.id) return on_join(shard_.id, letter);
  shard_.post(home(share), letter);
}

void ShareGroups::leave(const std::string& share, SessionKey member) {
  if (home(share) == shard_.id) return on_leave(shard_.id, {share, member});
  shard_.post(home(share), LeaveShare{share, member});
}

void ShareGroups::member_connected(const std::string& share, SessionKey member, bool connected) {
  if (home(share) == shard_.id) return on_member_connected(shard_.id, {share, member, connected});
  shard_.post(home(share), MemberConnected{share, member, connected});
}

void ShareGroups::give_back(const std::string& share, const MessageRef& message,
                            std::uint64_t owed) {
  MessageParts parts = message->parts();
  parts.publisher_session = kReturnedToGroup;
  ReturnToShare letter{share, Message::make(parts), owed, {}};
  if (home(share) == shard_.id) return shard_.router.on_return_to_share(letter);
  shard_.post(home(share), std::move(letter));
}

// --- As the home

void ShareGroups::on_join(ShardId from, const JoinShare& letter) {
  std::unique_ptr<ShareGroup>& group = groups_[letter.share];
  if (!group) {
    group = std::make_unique<ShareGroup>(shard_, letter.share);
    shard_.subscriptions.enter(group->filter(), {group.get(), 0, QoS::ExactlyOnce, false, true});
  }
  group->join({{from, letter.member},
               letter.qos,
               letter.retain_as_published,
               letter.connected,
               letter.subscription_id});
}

void ShareGroups::on_leave(ShardId from, const LeaveShare& letter) {
  const auto group = groups_.find(letter.share);
  if (group == groups_.end()) return;
  group->second->leave({from, letter.member});
  if (!group->second->empty()) return;
  shard_.subscriptions.leave(group->second->filter(), *group->second);
  groups_.erase(group);
}

void ShareGroups::on_member_connected(ShardId from, const MemberConnected& letter) {
  const auto group = groups_.find(letter.share);
  if (group != groups_.end()) group->second->connected({from, letter.member}, letter.connected);
}

ShareGroup* ShareGroups::find(const std::string& share) {
  const auto group = groups_.find(share);
  return group == groups_.end() ? nullptr : group->second.get();
}

}  // namespace twinmq::core
