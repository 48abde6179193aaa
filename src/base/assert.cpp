#include "base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace twinmq::base {

void assertion_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: broken promise: %s\n", file, line, expression);
  std::abort();
}

}  // namespace twinmq::base
