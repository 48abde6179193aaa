// ShadowService's part for documents in memory, and for requests that wait until theirs is read.

#include "modules/shadow/shadow_service.hpp"

#include <utility>

#include "modules/shadow/shadow_answers.hpp"

namespace twinmq::shadow {
namespace {

constexpr EpochSeconds kAgainSeconds = 10;
// What an entry costs beside its text: a node, a bucket, a list element.
constexpr std::size_t kEntryBytes = 160;

}  // namespace

ShadowService::Documents::value_type* ShadowService::find(const std::string& key) {
  const auto found = documents_.find(key);
  if (found == documents_.end()) return nullptr;
  used_.splice(used_.begin(), used_, found->second.place);
  return &*found;
}

ShadowService::Documents::value_type& ShadowService::add(const std::string& key,
                                                         std::optional<std::string> record) {
  auto& document = *documents_.emplace(key, Document{}).first;
  document.second.record = std::move(record);
  used_.push_front(&document.first);
  document.second.place = used_.begin();
  cached_bytes_ += weight(document);
  return document;
}

// The least used first; what the store does not know yet must stay.
void ShadowService::trim() {
  auto place = used_.end();
  while (cached_bytes_ > cache_bytes_max_ && place != used_.begin()) {
    --place;
    const auto found = documents_.find(**place);
    if (found->second.pins > 0 || found->second.busy) continue;
    cached_bytes_ -= weight(*found);
    place = used_.erase(place);
    documents_.erase(found);
  }
}

std::size_t ShadowService::weight(const Documents::value_type& document) const {
  return kEntryBytes + document.first.size() +
         (document.second.record ? document.second.record->size() : 0);
}

// --- Waiting for one

ShadowService::Waiting::Waiting(const ShadowRequest& request, const Author& author,
                                HeldTransaction held_transaction, Done when_done)
    : operation(request.operation),
      extended(request.extended),
      answered_directly(request.answered_directly),
      cbor(request.cbor),
      thing(request.shadow.thing),
      name(request.shadow.name),
      payload(request.payload),
      client(author.client),
      principal(author.principal),
      peer(author.peer),
      held(held_transaction),
      done(std::move(when_done)) {}

ShadowRequest ShadowService::Waiting::request(EpochSeconds now) const {
  return {operation, {thing, name}, payload, now, extended, answered_directly, cbor};
}

void ShadowService::wait_for(const std::string& key, const ShadowRequest& request,
                             const Author& author, HeldTransaction held, Done done, bool peeks) {
  std::vector<Waiting>& queue = waiting_[key];
  queue.emplace_back(request, author, held, std::move(done)).peeks = peeks;
  if (queue.size() > 1) return;
  host_->read({key, key + '\0', 1},
              [this, key](Result<StoreEntries> found) { on_read(key, found); });
}

void ShadowService::on_read(const std::string& key, const Result<StoreEntries>& found) {
  const std::vector<Waiting> queue = std::move(waiting_.extract(key).mapped());
  Documents::value_type* document = nullptr;
  if (found) {
    std::optional<std::string> record;
    if (!found->entries.empty()) record = found->entries.front().second;
    document = &add(key, std::move(record));
    document->second.busy = true;
  } else {
    host_->log(LogLevel::Error, "shadow cannot be read", "reason=\"" + found.error().detail + "\"");
    // The key says nothing of when it expires; asking again finds out.
    for (const Waiting& each : queue)
      if (each.operation == Operation::Expire) expiring_.insert({seconds() + kAgainSeconds, key});
  }
  for (const Waiting& each : queue) {
    const ShadowRequest request = each.request(seconds());
    const auto action = [&](Reaction& reaction) {
      if (each.operation == Operation::Expire)
        return document != nullptr ? expire(*document, request.shadow, reaction) : void();
      if (document != nullptr && each.peeks)
        return tell_present(*document, request, reaction, each.done);
      if (document != nullptr) return serve(*document, request, each.author(), reaction, each.done);
      const Outcome& outcome = machine_.refuse(request, 500, "Internal service failure");
      tell(outcome, reaction);
      if (each.done) each.done(direct_answer(outcome));
    };
    if (each.held != 0) {
      host_->resume(each.held, action);
    } else {
      host_->react(action);
    }
  }
  if (document != nullptr) document->second.busy = false;
  trim();
}

}  // namespace twinmq::shadow
