#include "base/assert.hpp"

#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <csignal>
#include <string>

TEST_CASE("a promise that holds changes nothing", "[base][assert]") {
  int evaluated = 0;
  TWINMQ_ASSERT(++evaluated == 1);
  CHECK(evaluated == 1);
}

TEST_CASE("a broken promise names itself and its place, then aborts", "[base][assert]") {
  int pipe_ends[2];
  REQUIRE(::pipe(pipe_ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);
    ::dup2(pipe_ends[1], STDERR_FILENO);
    TWINMQ_ASSERT(1 + 1 == 3);
    ::_exit(0);
  }
  ::close(pipe_ends[1]);
  std::string said;
  char buffer[256];
  for (ssize_t n; (n = ::read(pipe_ends[0], buffer, sizeof(buffer))) > 0;)
    said.append(buffer, static_cast<std::size_t>(n));
  ::close(pipe_ends[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGABRT);
  CHECK(said.find("1 + 1 == 3") != std::string::npos);
  CHECK(said.find("assert_test.cpp:") != std::string::npos);
}
