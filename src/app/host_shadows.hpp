#pragma once
// The host's door to device shadows.

#include <functional>
#include <memory>
#include <string>

#include <twinmq/broker.hpp>
#include <twinmq/shadow.hpp>

#include "app/inbox.hpp"
#include "modules/shadow/shadow_service.hpp"

namespace twinmq::app {

class HostShadows final : public Shadows {
 public:
  /// The inbox of the shard where a thing is at home; null: the broker is not running.
  using Home = std::function<std::shared_ptr<Inbox>(std::string_view thing)>;
  /// Runs what the host gave on a callback thread.
  using Run = std::function<void(std::function<void()>)>;

  HostShadows(Broker& broker, Home home, Run run)
      : broker_(broker), home_(std::move(home)), run_(std::move(run)) {}

  void get(const ShadowId& shadow, Done done) override;
  void update(const ShadowId& shadow, std::string request, Done done) override;
  void erase(const ShadowId& shadow, Done done) override;
  void list(std::string_view thing, std::string_view after, std::size_t count,
            Names names) override;
  void query(ShadowQuery query, Page page) override;
  Result<std::unique_ptr<HostSubscription>> watch(
      const ShadowId& shadow, std::function<void(const ShadowChange&)> changed) override;

 private:
  void ask(shadow::Operation operation, const ShadowId& shadow, std::string request, Done done);

  Broker& broker_;
  const Home home_;
  const Run run_;
};

}  // namespace twinmq::app
