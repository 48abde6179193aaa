#pragma once
// One plugin: its shared library, what it offers, the workers of its slow calls, and what became of
// them.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <twinmq/plugin_abi.h>
#include <twinmq/config.hpp>
#include <twinmq/result.hpp>
#include <twinmq/statistics.hpp>

#include "json/value.hpp"
#include "plugins/values.hpp"
#include "plugins/worker_pool.hpp"

namespace twinmq::plugins {

using Log = std::function<void(LogLevel, std::string_view event, const std::string& detail)>;

/// What a plugin offers, with its name in lower case.
template <typename Description>
struct Offer {
  std::string name;
  Description door;
};

struct Offers {
  std::vector<Offer<twinmq_function>> functions;
  std::vector<Offer<twinmq_aggregate>> aggregates;
  std::vector<Offer<twinmq_action>> actions;
  std::vector<Offer<twinmq_transformation>> transformations;
  std::vector<Offer<twinmq_authenticator>> authenticators;
  std::vector<Offer<twinmq_authorizer>> authorizers;
};

/// Any thread. Its code stays in memory until the process ends: a thread that hangs may still be in
/// it.
class Plugin {
 public:
  /// Loads and opens it. The error names the plugin and its file.
  static Result<std::shared_ptr<Plugin>> open(const PluginConfig& config, Log log);
  ~Plugin();
  Plugin(const Plugin&) = delete;
  Plugin& operator=(const Plugin&) = delete;

  const std::string& name() const { return config_.name; }
  const Offers& offers() const { return offers_; }
  Milliseconds deadline() const { return Milliseconds(config_.deadline_milliseconds); }
  bool disabled() const { return account_->disabled.load(std::memory_order_relaxed); }
  PluginStatistics statistics() const;

  /// A call on this thread. False: it failed, or the plugin is disabled; counted and logged.
  template <typename Run>
  bool call_here(std::string_view offer, Answer& answer, Run run) {
    if (disabled()) return false;
    run();
    return settle(offer, answer);
  }

  /// Counts what an answer says.
  bool settle(std::string_view offer, const Answer& answer);

  /// A call on a worker. `work` must own what it uses, this plugin included.
  void call_later(Milliseconds deadline, WorkerPool::Work work, WorkerPool::Finish finish);

 private:
  struct Account {
    std::string name;
    Log log;
    std::atomic<std::uint64_t> calls{0};
    std::atomic<std::uint64_t> errors{0};
    std::atomic<std::uint64_t> timeouts{0};
    std::atomic<std::int64_t> told{0};  ///< when the last failure was logged, seconds
    std::atomic<bool> disabled{false};
    void tell(const std::string& detail);
  };
  struct HostDoor {
    twinmq_host raw;  // first, so that its address is the door's
    Plugin* self;
  };

  Plugin(const PluginConfig& config, Log log);
  Result<void> load();
  Error wrong(const std::string& what) const;
  template <typename Description>
  static int add(const twinmq_host* host, const Description* description,
                 std::vector<Offer<Description>> Offers::*list);

  const PluginConfig config_;
  const std::shared_ptr<Account> account_;
  json::Arena arena_;
  twinmq_value options_{};
  HostDoor host_{};
  Offers offers_;
  bool opening_ = false;
  bool opened_ = false;
  void* state_ = nullptr;
  void (*close_)(void*) = nullptr;
  std::unique_ptr<WorkerPool> pool_;
};

}  // namespace twinmq::plugins
