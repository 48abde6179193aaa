#pragma once
// Starting a thread where the system may refuse one.

#include <exception>
#include <string>
#include <thread>
#include <utility>

#include <twinmq/result.hpp>

namespace twinmq::base {

/// A new thread that runs `work`; Internal with the system's reason if it gives none.
template <typename Work>
Result<std::thread> start_thread(Work work) {
  // The standard library's constructor has no other way to tell.
  try {
    return std::thread(std::move(work));
  } catch (const std::exception& refused) {
    return Error{ErrorCode::Internal,
                 std::string("no thread can be started: ") + refused.what() +
                     "; see the limits on processes and memory (ulimit -u, -v)"};
  }
}

}  // namespace twinmq::base
