#include "app/log_writer.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <string>

#include <catch2/catch.hpp>

using namespace twinmq;
using namespace twinmq::app;

namespace {

struct Pipe {
  Pipe() { REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0); }
  ~Pipe() { ::close(ends[0]); }
  net::Descriptor writing_end() { return net::Descriptor(ends[1]); }
  /// Until nobody writes any more.
  std::string read_all() {
    std::string text;
    std::array<char, 65536> buffer;
    for (ssize_t taken; (taken = ::read(ends[0], buffer.data(), buffer.size())) > 0;)
      text.append(buffer.data(), static_cast<std::size_t>(taken));
    return text;
  }
  std::array<int, 2> ends{};
};

std::string lost(std::uint64_t lines) {
  return "lost " + std::to_string(lines);
}

}  // namespace

TEST_CASE("lines arrive in order, and the last ones before the writer ends") {
  Pipe pipe;
  std::string expected;
  {
    LogWriter writer(pipe.writing_end(), lost);
    for (int i = 0; i < 100; ++i) {
      writer.write("line " + std::to_string(i));
      expected += "line " + std::to_string(i) + "\n";
    }
  }
  CHECK(pipe.read_all() == expected);
}

TEST_CASE("a log that nobody reads stops nobody, and says later how much it left out") {
  Pipe pipe;
  auto writer = std::make_unique<LogWriter>(pipe.writing_end(), lost);
  const std::string line(999, 'x');
  for (int i = 0; i < 20'000; ++i) writer->write(line);  // twenty megabytes, into a pipe of 64 KiB
  std::thread reader;
  std::string text;
  {
    reader = std::thread([&] { text = pipe.read_all(); });
    writer->flush();
    writer->write("last");
    writer.reset();
  }
  reader.join();
  CHECK(text.find("\nlost ") != std::string::npos);
  CHECK(text.ends_with("\nlast\n"));
  CHECK(text.size() > 4'000'000);
  CHECK(text.size() < 9'000'000);
}

TEST_CASE("a writer whose reader never comes ends all the same") {
  Pipe pipe;
  LogWriter writer(pipe.writing_end(), lost);
  for (int i = 0; i < 1000; ++i) writer.write(std::string(999, 'x'));
}
