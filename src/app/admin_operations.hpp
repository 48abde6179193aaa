#pragma once
// What an administrator can ask a running broker, as one table: the local socket serves it, and
// whatever comes later.

#include <span>
#include <string>
#include <string_view>

#include <twinmq/broker.hpp>
#include <twinmq/result.hpp>

namespace twinmq::app {

struct AdminOperation {
  std::string_view name;
  std::string_view sentence;
  std::string_view arguments;  ///< names of the required ones, with blanks between; all are texts
  bool changes = false;        ///< does more than look
};

std::span<const AdminOperation> admin_operations();

/// Carries one out. `arguments` is a JSON object; the answer is a JSON value. Blocks; from any
/// thread but a shard's.
Result<std::string> run_admin_operation(Broker& broker, std::string_view name,
                                        std::string_view arguments);

/// One line in, one line out: {"operation": …, "arguments": {…}} is answered by {"result": …} or
/// {"error": {"code": …, "detail": …}}.
std::string answer_admin_request(Broker& broker, std::string_view request);

}  // namespace twinmq::app
