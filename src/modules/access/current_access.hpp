#pragma once
// The authenticator and the authorizer in force, replaceable while the broker runs.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

#include <twinmq/access.hpp>

namespace twinmq::access {

/// Passes each question to the implementation in force. Any thread. A conversation finishes with
/// the implementation it began with, which must not be needed by it after start() (PasswordFile's
/// is not).
class CurrentAuthenticator final : public Authenticator {
 public:
  explicit CurrentAuthenticator(std::shared_ptr<Authenticator> first)
      : current_(std::move(first)) {}

  /// Conversations that start after this returns use `next`. Null refuses every method.
  void swap(std::shared_ptr<Authenticator> next);

  std::optional<AuthenticationResult> decide(const Credentials& credentials) override;
  std::unique_ptr<Authentication> start(std::string_view method) override;

 private:
  std::shared_ptr<Authenticator> current();

  std::mutex mutex_;
  std::shared_ptr<Authenticator> current_;
};

/// Passes each question to the implementation in force, whose own epoch must not change, and which
/// must not call back here. Any thread; threads that ask do not slow each other down.
class CurrentAuthorizer final : public Authorizer {
 public:
  explicit CurrentAuthorizer(std::shared_ptr<Authorizer> first);

  /// Questions asked after this returns are answered by `next`. Null denies everything.
  void swap(std::shared_ptr<Authorizer> next);

  bool may(const Identity& identity, Action action, std::string_view topic, QoS qos,
           bool retain) override;

  /// Grows with each swap, after `next` is in force: an answer remembered under the epoch read
  /// before the question is never an older implementation's under the newer epoch.
  std::uint64_t epoch() const override { return epoch_.load(std::memory_order_acquire); }

  bool checks_receive() const override { return checks_receive_.load(std::memory_order_acquire); }
  bool allows_everything() const override { return unrestricted_.load(std::memory_order_acquire); }

 private:
  // One place per asking thread, as far as they reach: a lock nobody else takes instead of a count
  // that all shards fight for.
  static constexpr std::size_t kPlaces = 32;
  struct alignas(64) Place {
    std::mutex mutex;
    std::shared_ptr<Authorizer> current;
  };

  std::array<Place, kPlaces> places_;
  std::atomic<std::uint64_t> epoch_{1};
  std::atomic<bool> checks_receive_{true};
  std::atomic<bool> unrestricted_{false};
};

/// In force when no ACL file is configured: everybody may do everything.
class Unrestricted final : public Authorizer {
 public:
  bool may(const Identity&, Action, std::string_view, QoS, bool) override { return true; }
  bool checks_receive() const override { return false; }
  bool allows_everything() const override { return true; }
};

}  // namespace twinmq::access
