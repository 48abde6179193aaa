#pragma once
// The versions that the shadows of one shard had: kept in the batch of the document, told,
// forgotten by their number and by age.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <twinmq/config.hpp>
#include <twinmq/service.hpp>

#include "modules/shadow/shadow_history.hpp"
#include "modules/shadow/shadow_machine.hpp"

namespace twinmq::shadow {

/// What a request of the host or of HTTP comes to.
struct DirectAnswer {
  int code = 500;
  std::string message;  ///< of the error, when code is not 200
  std::string body;     ///< a document
  std::int64_t version = 0;
};

class ShadowVersions {
 public:
  using Done = std::function<void(const DirectAnswer&)>;

  explicit ShadowVersions(const ShadowConfig& config);

  void attach(ServiceHost& host);
  /// Whether any are kept.
  bool kept() const { return versions_max_ > 0; }

  /// A change of the shadow with that record key.
  void note(const std::string& key, const Outcome& outcome, const Author& author,
            std::string_view operation, Reaction& reaction);
  /// All of one shadow.
  void erase(const std::string& key, Reaction& reaction);
  /// What the store holds of them; the request has been checked.
  void read(const std::string& key, const HistoryRequest& request, const Done& done);

  /// When to look for those that are too old.
  Instant next_deadline() const { return next_sweep_; }
  void on_time();

 private:
  void read_page(const std::string& key, const HistoryRequest& request, std::int64_t last,
                 const Done& done);
  EpochSeconds begins() const;
  void forget_old(std::string from);
  EpochSeconds now_seconds() const;

  const std::uint32_t versions_max_;
  const std::int64_t seconds_max_;
  Instant next_sweep_ = kNever;
  ServiceHost* host_ = nullptr;
};

}  // namespace twinmq::shadow
