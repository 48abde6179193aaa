#pragma once
// The host's doors on shard threads, under the watchdog's eye. One object per shard.

#include <map>
#include <memory>
#include <string>
#include <utility>

#include <twinmq/access.hpp>
#include <twinmq/delivery.hpp>

#include "app/watchdog.hpp"
#include "sql/outside.hpp"

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

class WatchedPublishFilter final : public PublishFilter {
 public:
  WatchedPublishFilter(PublishFilter& inner, std::shared_ptr<Watchdog> watchdog, std::string name)
      : inner_(inner), watchdog_(std::move(watchdog)), post_(watchdog_->add(std::move(name))) {}

  Verdict on_publish(const PublishedMessage& message, std::string& payload) override {
    const Watchdog::Guard guard(*watchdog_, *post_);
    return inner_.on_publish(message, payload);
  }

 private:
  PublishFilter& inner_;
  const std::shared_ptr<Watchdog> watchdog_;
  const std::shared_ptr<Watchdog::Post> post_;
};

/// Several, each seeing what the ones before it made of the payload.
class PublishFilters final : public PublishFilter {
 public:
  explicit PublishFilters(const std::vector<std::unique_ptr<WatchedPublishFilter>>& filters)
      : filters_(filters) {}

  Verdict on_publish(const PublishedMessage& message, std::string& payload) override {
    PublishedMessage seen = message;
    Verdict verdict = Verdict::Keep;
    for (const auto& filter : filters_) {
      std::string changed;
      switch (const Verdict said = filter->on_publish(seen, changed)) {
        case Verdict::Keep: continue;
        case Verdict::Modify: break;
        default: return said;
      }
      payload = std::move(changed);
      seen.payload = payload;
      verdict = Verdict::Modify;
    }
    return verdict;
  }

 private:
  const std::vector<std::unique_ptr<WatchedPublishFilter>>& filters_;
};

/// Functions of plugins as one shard calls them; each is named by itself when it hangs.
class WatchedFunctions final : public sql::OutsideFunctions {
 public:
  WatchedFunctions(std::shared_ptr<sql::OutsideFunctions> inner, std::shared_ptr<Watchdog> watchdog)
      : inner_(std::move(inner)), watchdog_(std::move(watchdog)) {}

  Kind kind_of(std::string_view name) const override { return inner_->kind_of(name); }

  json::Value call(std::string_view name, std::span<const json::Value> arguments,
                   json::Arena& arena) override {
    const Watchdog::Guard guard(*watchdog_, post(name));
    return inner_->call(name, arguments, arena);
  }

  json::Value aggregate(std::string_view name, std::span<const json::Value> values,
                        json::Arena& arena) override {
    const Watchdog::Guard guard(*watchdog_, post(name));
    return inner_->aggregate(name, values, arena);
  }

  void submit(std::string_view name, std::string arguments,
              std::function<void(std::string)> done) override {
    inner_->submit(name, std::move(arguments), std::move(done));
  }

 private:
  Watchdog::Post& post(std::string_view name) {
    auto found = posts_.find(name);
    if (found == posts_.end())
      found =
          posts_.emplace(std::string(name), watchdog_->add("plugin function " + std::string(name)))
              .first;
    return *found->second;
  }

  const std::shared_ptr<sql::OutsideFunctions> inner_;
  const std::shared_ptr<Watchdog> watchdog_;
  std::map<std::string, std::shared_ptr<Watchdog::Post>, std::less<>> posts_;
};

}  // namespace twinmq::app
