#include "modules/access/current_access.hpp"

#include <functional>
#include <thread>

namespace twinmq::access {

void CurrentAuthenticator::swap(std::shared_ptr<Authenticator> next) {
  // The old one ends with the parameter, after the lock is free: it may have a thread to wait for.
  const std::lock_guard lock(mutex_);
  current_.swap(next);
}

std::shared_ptr<Authenticator> CurrentAuthenticator::current() {
  const std::lock_guard lock(mutex_);
  return current_;
}

std::optional<AuthenticationResult> CurrentAuthenticator::decide(const Credentials& credentials) {
  const std::shared_ptr<Authenticator> in_force = current();
  return in_force ? in_force->decide(credentials) : std::nullopt;
}

std::unique_ptr<Authentication> CurrentAuthenticator::start(std::string_view method) {
  const std::shared_ptr<Authenticator> in_force = current();
  return in_force ? in_force->start(method) : nullptr;
}

CurrentAuthorizer::CurrentAuthorizer(std::shared_ptr<Authorizer> first)
    : checks_receive_(!first || first->checks_receive()),
      unrestricted_(first && first->allows_everything()) {
  for (Place& place : places_) place.current = first;
}

void CurrentAuthorizer::swap(std::shared_ptr<Authorizer> next) {
  const bool checks = !next || next->checks_receive();
  const bool unrestricted = next && next->allows_everything();
  // Too many questions for a moment, never too few.
  if (checks) checks_receive_.store(true, std::memory_order_release);
  if (!unrestricted) unrestricted_.store(false, std::memory_order_release);
  for (Place& place : places_) {
    std::shared_ptr<Authorizer> old =
        next;  // ends after the lock is free: a large file takes its time
    const std::lock_guard lock(place.mutex);
    place.current.swap(old);
  }
  if (!checks) checks_receive_.store(false, std::memory_order_release);
  if (unrestricted) unrestricted_.store(true, std::memory_order_release);
  epoch_.fetch_add(1, std::memory_order_acq_rel);
}

bool CurrentAuthorizer::may(const Identity& identity, Action action, std::string_view topic,
                            QoS qos, bool retain) {
  thread_local const std::size_t mine =
      std::hash<std::thread::id>{}(std::this_thread::get_id()) % kPlaces;
  Place& place = places_[mine];
  const std::lock_guard lock(place.mutex);
  return place.current && place.current->may(identity, action, topic, qos, retain);
}

}  // namespace twinmq::access
