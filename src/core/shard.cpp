#include "core/shard.hpp"

#include <utility>
#include <variant>

#include "core/home_topics.hpp"
#include "core/pending_connect.hpp"

namespace twinmq::core {

Shard::Shard(ShardParts shard_parts)
    : parts(std::move(shard_parts)),
      id(parts.id),
      counters(*parts.counters),
      random(parts.seed ^ (parts.id + 1)),
      tree(parts.seed),
      log_throttle(parts.limits.log_repeats_max) {
  refresh_access();
}

// The gauges may outlive the shard, which may be built anew.
Shard::~Shard() {
  counters.subtract(Metric::RetainedMessages, retained_messages_counted);
  counters.subtract(Metric::RetainedBytes, retained_bytes_counted);
}

void Shard::refresh_access() {
  authorizer =
      parts.authorizer && !parts.authorizer->allows_everything() ? parts.authorizer : nullptr;
}

void Shard::post(ShardId to, Letter letter) {
  if (to == id) return read(id, letter);
  counters.add(Metric::MailSent);
  parts.mail->outbox(id, to).push_back(std::move(letter));
}

void Shard::post_delivery(ShardId to, const Publication& publication, const PartOf& part) {
  if (!LetterBatch::fits(publication.parts()))
    return post(to, Deliver{publication.copy_for_mail(), part});
  counters.add(Metric::MailSent);
  parts.mail->outbox(id, to).deliver(publication.parts(), part);
}

void Shard::post_delivery(ShardId to, const Publication& publication, const PartOf& part,
                          DeliverToMember letter) {
  if (to == id || !LetterBatch::fits(publication.parts())) {
    letter.message = publication.copy_for_mail();
    letter.part = part;
    return post(to, std::move(letter));
  }
  counters.add(Metric::MailSent);
  parts.mail->outbox(id, to).deliver_to_member(publication.parts(), part, letter);
}

void Shard::post_closed(ShardId to, PartClosed closed) {
  if (to == id || closed.records || closed.wants_outcome || closed.held_back > 0)
    return post(to, std::move(closed));
  counters.add(Metric::MailSent);
  parts.mail->outbox(id, to).close_part(closed);
}

void Shard::read(ShardId from, Letter& letter) {
  struct Reader {
    Shard& shard;
    ShardId from;
    void operator()(Deliver& mail) const {
      Publication publication(std::move(mail.message));
      shard.router.on_deliver(publication, mail.part);
    }
    void operator()(DeliverRun&) const {}  // its batch reads it
    void operator()(DeliverToMember& mail) const {
      Publication publication(std::move(mail.message));
      shard.router.on_deliver_to_member(
          publication, mail.part,
          {mail.member, mail.qos, mail.retain_as_published, mail.subscription_id, mail.share});
    }
    void operator()(PartClosed& mail) const {
      shard.transactions.on_part_closed(from, std::move(mail));
    }
    void operator()(PartCommitted& mail) const {
      shard.transactions.on_part_committed(from, mail.transaction);
    }
    void operator()(Room& mail) const { shard.transactions.on_room(mail.transaction); }
    void operator()(PublishWithin& mail) const { shard.router.on_publish_within(mail); }
    void operator()(PublishAtHome& mail) const { shard.router.on_publish_at_home(from, mail); }
    void operator()(PublishedAtHome& mail) const { shard.router.on_published_at_home(mail); }
    void operator()(Interest& mail) const { shard.subscriptions.on_interest(from, mail); }
    void operator()(Fence& mail) const { shard.subscriptions.on_fence(from, mail); }
    void operator()(FencePassed& mail) const { shard.subscriptions.on_ticket(mail.ticket); }
    void operator()(RetainedWanted& mail) const {
      shard.served_replays.open(from, mail.ticket, mail.filter);
    }
    void operator()(RetainedNext& mail) const {
      shard.served_replays.next(from, mail.ticket, mail.cancel);
    }
    void operator()(RetainedFound& mail) const { shard.on_retained_found(mail); }
    void operator()(RetainedSliceEnd& mail) const { shard.on_slice_end(mail); }
    void operator()(JoinShare& mail) const { shard.share_groups.on_join(from, mail); }
    void operator()(LeaveShare& mail) const { shard.share_groups.on_leave(from, mail); }
    void operator()(MemberConnected& mail) const {
      shard.share_groups.on_member_connected(from, mail);
    }
    void operator()(ReturnToShare& mail) const { shard.router.on_return_to_share(mail); }
  };
  std::visit(Reader{*this, from}, letter);
}

RetainedReplay* Shard::find_replay(std::uint64_t ticket, Session*& session) {
  const auto owner = replay_owners.find(ticket);
  if (owner == replay_owners.end()) return nullptr;
  session = sessions.find(owner->second);
  if (!session) return nullptr;
  for (RetainedReplay& replay : session->replays())
    if (replay.ticket() == ticket) return &replay;
  return nullptr;
}

void Shard::on_retained_found(RetainedFound& mail) {
  Session* session = nullptr;
  if (RetainedReplay* replay = find_replay(mail.ticket, session))
    replay->add(std::move(mail.message));
}

void Shard::on_slice_end(const RetainedSliceEnd& mail) {
  Session* session = nullptr;
  RetainedReplay* replay = find_replay(mail.ticket, session);
  if (mail.done) replay_owners.erase(mail.ticket);
  if (!replay) return;
  replay->end_slice(mail.done);
  session->pump();
}

void Shard::answer(const Waiter& waiter, const Outcome& outcome) {
  switch (waiter.kind) {
    case Waiter::Kind::Nobody: break;
    case Waiter::Kind::Link:
      if (Link* link = links.get(waiter.link)) link->on_published(waiter.token, outcome);
      if (waiter.received != 0) {
        Session* const session = sessions.find(waiter.session);
        // Even if the client could not be told: what it sends again must not pass for taken.
        if (session && waiter.new_if_refused && is_failure(outcome.code))
          session->forget_received(waiter.received);
        if (session) {
          session->on_received_settled(waiter.received, outcome);
        } else {
          ended_sessions.on_received_written(waiter.session, waiter.received);
        }
      }
      break;
    case Waiter::Kind::Host:
      effects.published.push_back({waiter.token, outcome.code, outcome.matched});
      break;
    case Waiter::Kind::Shard:
      post(waiter.shard, PublishedAtHome{waiter.token, outcome.code, outcome.matched});
      break;
  }
}

void Shard::end_session(Session& session) {
  session.end();
  sessions.erase(session);
}

void Shard::touch(Link& link) {
  // Links repeat in runs, so the last one is the one to look at.
  if (effects.touched.empty() || effects.touched.back() != link.key)
    effects.touched.push_back(link.key);
}

void Shard::move_if_wanted(Link& link) {
  if (!link.destination() || link.closing()) return;
  effects.moved.push_back(link.move_away());
  links.erase(link.key);
}

void Shard::count_retained() {
  const std::size_t messages = parts.retained->messages();
  const std::size_t bytes = parts.retained->bytes();
  counters.add(Metric::RetainedMessages, messages - retained_messages_counted);
  counters.add(Metric::RetainedBytes, bytes - retained_bytes_counted);
  retained_messages_counted = messages;
  retained_bytes_counted = bytes;
}

void Shard::log(LogLevel level, std::string_view event, const std::string& detail) const {
  if (parts.log) parts.log({level, event, detail});
}

void Shard::log_of_strangers(LogLevel level, std::string_view event, std::string detail) {
  const auto left_out = log_throttle.admit(event, now.steady);
  if (!left_out) return;
  if (*left_out > 0) detail += " left_out=" + std::to_string(*left_out);
  log(level, event, detail);
}

}  // namespace twinmq::core
