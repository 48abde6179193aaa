#include "core/retained_replay.hpp"

#include <algorithm>

#include "core/shard.hpp"

namespace twinmq::core {

namespace {
constexpr std::size_t kSliceMessages = 128;
constexpr std::size_t kSliceSteps = 4096;
}  // namespace

MessageRef RetainedReplay::next(Shard& shard) {
  if (here_) {
    std::size_t budget = std::min(kSliceSteps, shard.replay_budget);
    const std::size_t before = budget;
    MessageRef message = here_->next(budget);
    shard.replay_budget -= before - budget;
    return message;
  }
  if (!slice_.empty()) {
    MessageRef message = std::move(slice_.front());
    slice_.pop_front();
    return message;
  }
  if (!waiting_ && !done_) {
    waiting_ = true;
    shard.post(from_, RetainedNext{ticket_, false});
  }
  return {};
}

void RetainedReplay::supersede(std::string_view topic) {
  if (here_) return;
  if (!opened_) live_before_opened_.emplace(topic);
  std::erase_if(slice_, [&](const MessageRef& message) { return message->topic() == topic; });
}

void RetainedReplay::add(MessageRef message) {
  if (!live_before_opened_.contains(std::string(message->topic())))
    slice_.push_back(std::move(message));
}

void RetainedReplay::end_slice(bool done) {
  live_before_opened_.clear();
  opened_ = true;
  waiting_ = false;
  done_ = done;
}

bool RetainedReplay::done() const {
  return here_ ? here_->done() : done_ && slice_.empty();
}

void RetainedReplay::cancel(Shard& shard) {
  if (here_ || done_) return;
  shard.replay_owners.erase(ticket_);
  shard.post(from_, RetainedNext{ticket_, true});
}

void ServedReplays::open(ShardId asker, std::uint64_t ticket, const std::string& filter) {
  if (!shard_.parts.retained) return shard_.post(asker, RetainedSliceEnd{ticket, true});
  served_.push_back({asker, ticket, shard_.parts.retained->replay(filter, shard_.now.steady)});
  next(asker, ticket, false);
}

void ServedReplays::next(ShardId asker, std::uint64_t ticket, bool cancel) {
  const auto served = std::find_if(served_.begin(), served_.end(), [&](const Served& candidate) {
    return candidate.asker == asker && candidate.ticket == ticket;
  });
  if (served == served_.end()) return;
  if (!cancel) send_slice(*served);
  if (cancel || served->replay->done()) served_.erase(served);
}

void ServedReplays::send_slice(Served& served) {
  std::size_t budget = kSliceSteps;
  for (std::size_t sent = 0; sent < kSliceMessages && budget > 0 && !served.replay->done();
       ++sent) {
    const MessageRef message = served.replay->next(budget);
    if (!message) break;
    shard_.post(served.asker, RetainedFound{served.ticket, Message::make(message->parts())});
  }
  shard_.post(served.asker, RetainedSliceEnd{served.ticket, served.replay->done()});
}

}  // namespace twinmq::core
