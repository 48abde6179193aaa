#pragma once
// TWINMQ_ASSERT states what this program promises itself. It is on in every build: a broken promise
// prints where it broke and stops the process, because what follows could only be wrong.

namespace twinmq::base {

/// Prints the broken promise to standard error and aborts.
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);

}  // namespace twinmq::base

#define TWINMQ_ASSERT(...)        \
  (static_cast<bool>(__VA_ARGS__) \
       ? static_cast<void>(0)     \
       : ::twinmq::base::assertion_failed(#__VA_ARGS__, __FILE__, __LINE__))
