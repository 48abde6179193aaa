// ShadowService's part for what is asked and changes nothing: a shadow as it is, its history, the
// names of a thing's shadows, queries over all.

#include "modules/shadow/shadow_service.hpp"

#include <memory>
#include <utility>

#include "modules/shadow/query_text.hpp"
#include "modules/shadow/shadow_answers.hpp"

namespace twinmq::shadow {

void ShadowService::peek(const ShadowName& shadow, std::function<void(const DirectAnswer&)> done) {
  if (!is_thing_name(shadow.thing) || (!shadow.name.empty() && !is_shadow_name(shadow.name)))
    return done({400, "This is no name", {}, 0});
  const std::string key = record_key(shadow);
  const ShadowRequest request{Operation::Get, shadow, {}, seconds(), false, true};
  if (Documents::value_type* const document = find(key))
    return host_->react(
        [&](Reaction& reaction) { tell_present(*document, request, reaction, done); });
  wait_for(key, request, {}, 0, std::move(done), true);
}

void ShadowService::tell_present(Documents::value_type& document, const ShadowRequest& request,
                                 Reaction& reaction, const Done& done) {
  expire(document, request.shadow, reaction);
  std::optional<std::string_view> stored;
  if (document.second.record) stored = *document.second.record;
  done(direct_answer(machine_.handle(request, stored)));
}

// --- History

void ShadowService::history(const ShadowName& shadow, const HistoryRequest& request,
                            std::function<void(const DirectAnswer&)> done) {
  if (!versions_.kept()) return done({404, "No history is kept", {}, 0});
  if (const Refusal refusal = check_history_request(request))
    return done({refusal.code, refusal.message, {}, 0});
  const std::string key = record_key(shadow);
  Documents::value_type* const document = find(key);
  const auto read = [this, key, request, done = std::move(done)] {
    versions_.read(key, request, done);
  };
  if (document == nullptr || document->second.pins == 0) return read();
  // What is not yet safe is told only when it is.
  document->second.readers.push_back({document->second.pins, {}, read});
}

void ShadowService::answer_history(const ShadowName& shadow, std::string_view payload,
                                   Reaction& reaction) {
  HistoryRequest request;
  std::string topic;
  write_prefix(shadow, topic, true);
  topic += "/history";
  const Refusal refusal = read_history_request(payload, request);
  const auto present = std::make_shared<Reaction*>(&reaction);
  const auto done = [this, topic, present, token = request.token](const DirectAnswer& answer) {
    const auto tell_answer = [&](Reaction& own) {
      if (answer.code == 200) return own.publish(parts_of({topic + "/accepted", answer.body}));
      own.publish(
          parts_of({topic + "/rejected", query_refusal(answer.code, answer.message, token)}));
    };
    if (*present != nullptr) return tell_answer(**present);
    host_->react(tell_answer);
  };
  if (refusal) {
    done({refusal.code, refusal.message, {}, 0});
  } else {
    history(shadow, request, done);
  }
  *present = nullptr;
}

// --- Queries

void ShadowService::answer_query(std::string_view payload, Reaction& reaction) {
  QueryRequest request;
  const Refusal refusal = read_query_request(payload, request);
  const auto tell_fault = [token = request.token](Reaction& own, int code, const std::string& why) {
    own.publish(parts_of({"$twinmq/shadows/query/rejected", query_refusal(code, why, token)}));
  };
  if (refusal) return tell_fault(reaction, refusal.code, refusal.message);
  // What is refused at once is answered within this reaction.
  const auto present = std::make_shared<Reaction*>(&reaction);
  queries_.ask(request.query, [this, tell_fault, present,
                               token = request.token](const Result<ShadowPage>& page) {
    const auto answer = [&](Reaction& own) {
      if (!page) return tell_fault(own, query_code(page.error().code), page.error().detail);
      own.publish(parts_of({"$twinmq/shadows/query/accepted", query_answer(*page, token)}));
    };
    if (*present != nullptr) return answer(**present);
    host_->react(answer);
  });
  *present = nullptr;
}

// --- Names

void ShadowService::list(std::string_view thing, std::string_view after, std::size_t count,
                         std::function<void(Result<std::vector<std::string>>, bool more)> done) {
  const std::string prefix = record_key({thing, {}});
  StoreRange range{prefix + std::string(after) + '\0', prefix, 256};
  range.to.back() = '\1';
  collect(std::move(range), count, {}, std::move(done));
}

void ShadowService::collect(StoreRange range, std::size_t count, std::vector<std::string> names,
                            std::function<void(Result<std::vector<std::string>>, bool more)> done) {
  const auto take = [this, range, count, names = std::move(names),
                     done](Result<StoreEntries> found) mutable {
    if (!found) return done(found.error(), false);
    for (const auto& [key, record] : found->entries) {
      if (is_deleted(record)) continue;
      if (names.size() == count) return done(std::move(names), true);
      names.push_back(key.substr(key.find('\0') + 1));
    }
    if (!found->more) return done(std::move(names), false);
    range.from = found->entries.back().first + '\0';
    collect(std::move(range), count, std::move(names), std::move(done));
  };
  host_->read(range, take);
}

}  // namespace twinmq::shadow
