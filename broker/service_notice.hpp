#pragma once
// A word to the service manager that started the daemon.

#include <string_view>

namespace twinmq {

/// Sends e.g. "READY=1" to the socket that NOTIFY_SOCKET names; without one, or on any failure,
/// does nothing.
void notify_service_manager(std::string_view state);

}  // namespace twinmq
