#pragma once
// The shadows of a broker, as one shard serves them: all requests about one thing are handled on
// the shard where the thing's name is at home, one after the other. Documents lie in the store;
// those lately used also in memory.

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <twinmq/config.hpp>
#include <twinmq/service.hpp>

#include "modules/shadow/shadow_machine.hpp"
#include "modules/shadow/shadow_queries.hpp"
#include "modules/shadow/shadow_versions.hpp"

namespace twinmq::shadow {

/// The rules that a configuration sets.
ShadowRules rules_of(const ShadowConfig& config);

/// The key of a shadow's record: 'd', the thing, a zero byte, the name.
std::string record_key(const ShadowName& shadow);

class ShadowService final : public Service {
 public:
  /// `cache_bytes`: of this shard alone. `presence` serves queries.
  ShadowService(const ShadowConfig& config, std::size_t cache_bytes,
                std::shared_ptr<Presence> presence = nullptr);

  std::string_view name() const override { return "shadow"; }
  void attach(ServiceHost& host) override;
  Result<void> restore(Store& store, Now now) override;
  std::string_view home_key(std::string_view topic) const override;
  bool forbids(std::string_view topic, bool retain) const override;
  void on_message(const ServiceMessage& message, Reaction& reaction) override;
  bool wants_client_events() const override { return queries_.enabled(); }
  bool wants_client_event(const ClientEvent& event) const override {
    return event.kind == ClientEvent::Kind::Connected ||
           event.kind == ClientEvent::Kind::Disconnected;
  }
  void on_client_event(const ClientEvent& event, Reaction&) override {
    queries_.on_client_event(event);
  }
  Instant next_deadline() const override;
  void on_time(Reaction& reaction) override;

  /// A request that is answered here and not by a message. On the shard's thread, at the thing's
  /// home; `done` is called once, when a change is safe; never, if the store fails.
  /// `extended`: as below $twinmq.
  void ask(Operation operation, const ShadowName& shadow, std::string_view payload,
           std::function<void(const DirectAnswer&)> done, const Author& author = {},
           bool extended = false);

  /// The answer to a get of the shadow as it is now, changes that are not yet safe included: it
  /// waits for no commit, and may therefore be asked for within a transaction that is held. On the
  /// shard's thread, at the thing's home; `done` is called once; never, if the shard ends.
  void peek(const ShadowName& shadow, std::function<void(const DirectAnswer&)> done);

  /// The versions that the shadow had, or the difference of two. `done` is called once; never, if
  /// the shard ends.
  void history(const ShadowName& shadow, const HistoryRequest& request,
               std::function<void(const DirectAnswer&)> done);

  /// The names of a thing's named shadows that follow `after` in byte order, at most `count`, and
  /// whether there are more. `done` is called once; never, if the shard ends.
  void list(std::string_view thing, std::string_view after, std::size_t count,
            std::function<void(Result<std::vector<std::string>>, bool more)> done);

  /// Over the shadows of all shards; see ShadowQueries::ask().
  void query(const ShadowQuery& query, ShadowQueries::Done done) {
    queries_.ask(query, std::move(done));
  }

  ServiceHost& host() { return *host_; }

  /// Bytes of documents in memory, with what keeps them.
  std::size_t cached_bytes() const { return cached_bytes_; }

 private:
  /// An answer that tells of changes which are not yet safe: it waits for as many of them.
  struct Reader {
    std::uint32_t changes = 0;
    std::vector<ShadowMessage> messages;
    std::function<void()> done;
  };
  struct Document {
    std::optional<std::string> record;
    std::uint32_t pins =
        0;              ///< changes that are not yet safe, so that the store knows less than this
    bool busy = false;  ///< requests that waited for it are being served
    std::vector<Reader> readers;
    std::uint32_t asked_in_second = 0;
    EpochSeconds second = 0;
    std::list<const std::string*>::iterator place;  ///< in the order of use
  };
  using Documents = std::unordered_map<std::string, Document>;
  using Done = std::function<void(const DirectAnswer&)>;

  /// A request that waits until its document is read.
  struct Waiting {
    Waiting(const ShadowRequest& request, const Author& author, HeldTransaction held, Done done);
    ShadowRequest request(EpochSeconds now) const;
    Author author() const { return {client, principal, peer}; }

    Operation operation;
    bool extended;
    bool answered_directly;
    bool cbor;
    std::string thing;
    std::string name;
    std::string payload;
    std::string client;
    std::string principal;
    std::string peer;
    HeldTransaction held;  ///< 0: none
    Done done;             ///< null: answered by a message
    bool peeks = false;
  };

  /// The document of that key, if it is in memory.
  Documents::value_type* find(const std::string& key);
  Documents::value_type& add(const std::string& key, std::optional<std::string> record);
  void wait_for(const std::string& key, const ShadowRequest& request, const Author& author,
                HeldTransaction held, Done done, bool peeks = false);
  void on_read(const std::string& key, const Result<StoreEntries>& found);
  /// Carries out a request, or refuses it for its number.
  void serve(Documents::value_type& document, const ShadowRequest& request, const Author& author,
             Reaction& reaction, const Done& done);
  void tell_present(Documents::value_type& document, const ShadowRequest& request,
                    Reaction& reaction, const Done& done);
  /// Carries out a request about a document that is at hand.
  void perform(Documents::value_type& document, const ShadowRequest& request, const Author& author,
               Reaction& reaction, const Done& done);
  void change(Documents::value_type& document, const Outcome& outcome, const Author& author,
              std::string_view operation, Reaction& reaction);
  void answer_history(const ShadowName& shadow, std::string_view payload, Reaction& reaction);
  void on_safe(Document& document);
  /// Removes the desired keys whose time is over.
  void expire(Documents::value_type& document, const ShadowName& shadow, Reaction& reaction);
  void note_expiry(const std::string& key, const Outcome& outcome, Reaction& reaction);
  void expire_due(Reaction& reaction);
  /// What remains of a shadow, for its time; and when another of that name comes before.
  void bury(const std::string& key, EpochSeconds deleted, Reaction& reaction);
  void raise(const std::string& key, EpochSeconds deleted, Reaction& reaction);
  bool too_many(Document& document, EpochSeconds now);
  bool enter(std::string_view publisher, std::string_view thing);
  void leave(const std::string& place);
  void answer_query(std::string_view payload, Reaction& reaction);
  void trim();
  std::size_t weight(const Documents::value_type& document) const;
  EpochSeconds seconds() const;
  void collect(StoreRange range, std::size_t count, std::vector<std::string> names,
               std::function<void(Result<std::vector<std::string>>, bool more)> done);

  const std::size_t cache_bytes_max_;
  const std::uint32_t per_second_max_;
  const std::uint32_t inflight_max_;
  ShadowMachine machine_;
  ShadowQueries queries_;
  ShadowVersions versions_;
  ServiceHost* host_ = nullptr;
  std::unordered_map<std::string, std::vector<Waiting>>
      waiting_;  ///< by the key that is being read
  Documents documents_;
  std::list<const std::string*> used_;  ///< keys, the latest first
  std::size_t cached_bytes_ = 0;
  std::map<std::pair<EpochSeconds, std::string>, bool>
      buried_;  ///< what remains of deleted shadows, by time
  std::set<std::pair<EpochSeconds, std::string>> expiring_;  ///< keys, by when they next expire
  std::unordered_map<std::string, std::uint32_t> inflight_;  ///< by client and thing
};

}  // namespace twinmq::shadow
