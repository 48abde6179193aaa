#pragma once
// What a fuzz target promises, checked in every build.

#include <cstdio>
#include <cstdlib>

#define TWINMQ_REQUIRE(condition)                                          \
  do {                                                                     \
    if (!(condition)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                        \
    }                                                                      \
  } while (false)
