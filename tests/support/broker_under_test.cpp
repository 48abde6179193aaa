#include "support/broker_under_test.hpp"

#include <cstdlib>
#include <stdexcept>

namespace twinmq::testing {
namespace {

std::string setting(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value && *value ? value : otherwise;
}

std::unique_ptr<Host> make_host(const Setup& setup) {
  const std::string where = setting("TWINMQ_CONFORMANCE_HOST", "core");
  const auto shards = static_cast<unsigned>(std::stoul(setting("TWINMQ_CONFORMANCE_SHARDS", "1")));
  if (where == "core") return make_memory_host(setup, shards);
  if (setup.authenticator || setup.authorizer) {
    throw std::logic_error("a case with doors of its own runs in memory only: tag it [memory]");
  }
  if (where == "tcp" || where == "tls" || where == "ws" || where == "wss" || where == "unix")
    return make_daemon_host(setup, shards, setting("TWINMQ_CONFORMANCE_DAEMON", "twinmqd"), where);
  if (where == "mosquitto") return make_mosquitto_host();
  return make_foreign_host(where);
}

}  // namespace

Broker::Broker(Setup setup) : host_(make_host(setup)) {}

std::string Broker::fresh_client_id() {
  return "client" + std::to_string(++clients_);
}

bool in_memory() {
  return setting("TWINMQ_CONFORMANCE_HOST", "core") == "core";
}

}  // namespace twinmq::testing
