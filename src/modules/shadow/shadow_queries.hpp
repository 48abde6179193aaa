#pragma once
// Queries over all shadows: pages of documents that a condition holds for, read from the store in
// slices, one per turn. Keeps the indexes, too.

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <twinmq/service.hpp>
#include <twinmq/shadow.hpp>

#include "modules/shadow/document.hpp"
#include "modules/shadow/presence.hpp"
#include "modules/shadow/shadow_index.hpp"

namespace twinmq::shadow {

/// Of one shard. Each shard writes the indexes of the things that are at home on it; any shard
/// answers queries over all.
class ShadowQueries {
 public:
  using Done = std::function<void(const Result<ShadowPage>&)>;

  ShadowQueries(bool enabled, std::vector<std::string> paths, std::shared_ptr<Presence> presence);
  ~ShadowQueries();

  bool enabled() const { return enabled_; }
  void attach(ServiceHost& host);
  /// Learns which indexes are whole.
  Result<void> restore(Store& store);
  /// Whether step() has something to do.
  bool has_work() const { return work_ == Work::Begin; }
  /// Begins to build missing indexes and erases those that are not declared any more.
  /// `stored` knows newer records than the store: those in memory.
  void step(Reaction& reaction,
            std::function<const std::string*(const std::string& key)> in_memory);

  /// The change of the indexes that goes with the change of a record.
  void note_change(const std::string& key, const std::string* before, const std::string* after,
                   Reaction& reaction);
  void on_client_event(const ClientEvent& event);

  /// `done` is called once; never, if the shard ends.
  void ask(const ShadowQuery& query, Done done);

 private:
  struct Run;
  enum class Work : std::uint8_t { None, Begin, Builds };

  void start(const std::shared_ptr<Run>& run);
  void next_slice(const std::shared_ptr<Run>& run);
  void on_documents(const std::shared_ptr<Run>& run, const StoreEntries& found);
  void on_index(const std::shared_ptr<Run>& run, const StoreEntries& found);
  void fetch(const std::shared_ptr<Run>& run, std::vector<std::pair<std::string, std::string>> keys,
             bool more);
  /// Whether the page has room for more.
  bool consider(Run& run, const std::string& place, const std::string& key,
                const std::string& record);
  void finish(Run& run, bool more);
  void build(std::string from);

  const bool enabled_;
  const std::vector<std::string> paths_;
  const std::shared_ptr<Presence> presence_;
  ServiceHost* host_ = nullptr;
  Arena arena_;
  std::uint32_t running_ = 0;
  Work work_ = Work::None;
  std::set<std::string> obsolete_;  ///< paths of indexes that are not declared any more
  std::vector<std::string> missing_;
  std::function<const std::string*(const std::string& key)> in_memory_;
};

}  // namespace twinmq::shadow
