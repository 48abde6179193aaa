#pragma once
// The host's doors on shard threads, under the watchdog's eye. One object per shard.

#include <memory>
#include <string>
#include <utility>

#include <twinmq/access.hpp>
#include <twinmq/delivery.hpp>

#include "app/watchdog.hpp"

namespace twinmq::app {

class WatchedAuthenticator final : public Authenticator {
 public:
  WatchedAuthenticator(Authenticator& inner, std::shared_ptr<Watchdog> watchdog)
      : inner_(inner), watchdog_(std::move(watchdog)), post_(watchdog_->add("Authenticator")) {}

  std::unique_ptr<Authentication> start(std::string_view method) override {
    const Watchdog::Guard guard(*watchdog_, *post_);
    std::unique_ptr<Authentication> conversation = inner_.start(method);
    if (!conversation) return nullptr;
    return std::make_unique<Conversation>(std::move(conversation), watchdog_, post_);
  }

 private:
  class Conversation final : public Authentication {
   public:
    Conversation(std::unique_ptr<Authentication> inner, std::shared_ptr<Watchdog> watchdog,
                 std::shared_ptr<Watchdog::Post> post)
        : inner_(std::move(inner)), watchdog_(std::move(watchdog)), post_(std::move(post)) {}

    void begin(const Credentials& credentials, Done done) override {
      const Watchdog::Guard guard(*watchdog_, *post_);
      inner_->begin(credentials, std::move(done));
    }
    void proceed(std::string_view data, Done done) override {
      const Watchdog::Guard guard(*watchdog_, *post_);
      inner_->proceed(data, std::move(done));
    }

   private:
    const std::unique_ptr<Authentication> inner_;
    const std::shared_ptr<Watchdog> watchdog_;
    const std::shared_ptr<Watchdog::Post> post_;
  };

  Authenticator& inner_;
  const std::shared_ptr<Watchdog> watchdog_;
  const std::shared_ptr<Watchdog::Post> post_;
};

class WatchedAuthorizer final : public Authorizer {
 public:
  WatchedAuthorizer(Authorizer& inner, std::shared_ptr<Watchdog> watchdog)
      : inner_(inner), watchdog_(std::move(watchdog)), post_(watchdog_->add("Authorizer")) {}

  bool may(const Identity& identity, Action action, std::string_view topic, QoS qos,
           bool retain) override {
    const Watchdog::Guard guard(*watchdog_, *post_);
    return inner_.may(identity, action, topic, qos, retain);
  }
  std::uint64_t epoch() const override { return inner_.epoch(); }
  bool checks_receive() const override { return inner_.checks_receive(); }

 private:
  Authorizer& inner_;
  const std::shared_ptr<Watchdog> watchdog_;
  const std::shared_ptr<Watchdog::Post> post_;
};

class WatchedDeliveryFilter final : public DeliveryFilter {
 public:
  WatchedDeliveryFilter(DeliveryFilter& inner, std::shared_ptr<Watchdog> watchdog)
      : inner_(inner), watchdog_(std::move(watchdog)), post_(watchdog_->add("DeliveryFilter")) {}

  Verdict on_deliver(std::string_view receiver, const Message& message,
                     std::string& payload) override {
    const Watchdog::Guard guard(*watchdog_, *post_);
    return inner_.on_deliver(receiver, message, payload);
  }

 private:
  DeliveryFilter& inner_;
  const std::shared_ptr<Watchdog> watchdog_;
  const std::shared_ptr<Watchdog::Post> post_;
};

}  // namespace twinmq::app
