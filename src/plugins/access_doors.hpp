#pragma once
// Authenticators and authorizers of plugins, each before what the broker's own files say.

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include <twinmq/access.hpp>

#include "plugins/plugin_set.hpp"

namespace twinmq::plugins {

/// Asks the plugins in the order of the configuration; who passes leaves it to the next, in the end
/// to `inner`. Plain CONNECT only: enhanced authentication is `inner`'s.
class PluginAuthenticator final : public Authenticator {
 public:
  /// Null without any authenticator among the plugins.
  static std::shared_ptr<Authenticator> over(const PluginSet& plugins,
                                             std::shared_ptr<Authenticator> inner);

  std::optional<AuthenticationResult> decide(const Credentials& credentials) override;
  std::unique_ptr<Authentication> start(std::string_view method) override;

  struct Asked {
    std::shared_ptr<Plugin> plugin;
    Offer<twinmq_authenticator> offer;
  };
  using AskedList = std::vector<Asked>;

 private:
  PluginAuthenticator(AskedList asked, std::shared_ptr<Authenticator> inner);

  const std::shared_ptr<const AskedList> asked_;
  const std::shared_ptr<Authenticator> inner_;
};

/// The same for rights.
class PluginAuthorizer final : public Authorizer {
 public:
  /// Null without any authorizer among the plugins.
  static std::shared_ptr<Authorizer> over(const PluginSet& plugins,
                                          std::shared_ptr<Authorizer> inner);

  bool may(const Identity& identity, Action action, std::string_view topic, QoS qos,
           bool retain) override;
  std::uint64_t epoch() const override { return inner_->epoch(); }
  bool checks_receive() const override { return asks_receive_ || inner_->checks_receive(); }

 private:
  struct Asked {
    std::shared_ptr<Plugin> plugin;
    Offer<twinmq_authorizer> offer;
  };
  PluginAuthorizer(std::vector<Asked> asked, std::shared_ptr<Authorizer> inner);

  const std::vector<Asked> asked_;
  const std::shared_ptr<Authorizer> inner_;
  bool asks_receive_ = false;
};

}  // namespace twinmq::plugins
