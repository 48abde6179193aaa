#include "modules/access/current_access.hpp"

#include <utility>

namespace twinmq::access {

std::unique_ptr<Authentication> CurrentAuthenticator::start(std::string_view method) {
  const std::shared_ptr<Authenticator> current = current_.load();
  return current ? current->start(method) : nullptr;
}

CurrentAuthorizer::CurrentAuthorizer(std::shared_ptr<Authorizer> first)
    : current_(first), checks_receive_(!first || first->checks_receive()) {}

void CurrentAuthorizer::swap(std::shared_ptr<Authorizer> next) {
  const bool checks = !next || next->checks_receive();
  // Too many questions for a moment, never too few.
  if (checks) checks_receive_.store(true, std::memory_order_release);
  current_.store(std::move(next));
  if (!checks) checks_receive_.store(false, std::memory_order_release);
  epoch_.fetch_add(1, std::memory_order_acq_rel);
}

bool CurrentAuthorizer::may(const Identity& identity, Action action, std::string_view topic, QoS qos,
                            bool retain) {
  const std::shared_ptr<Authorizer> current = current_.load();
  return current && current->may(identity, action, topic, qos, retain);
}

}  // namespace twinmq::access
