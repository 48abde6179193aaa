// HTTP requests behind one another on a connection. Checked beyond not crashing: in pieces of any
// size the same requests are read, within their limits.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "net/http_request.hpp"

using namespace twinmq::net;

namespace {

std::string outcome(std::string_view text, std::size_t step) {
  HttpRequestReader reader({.head_bytes_max = 512, .headers_max = 10, .body_bytes_max = 100});
  std::string seen;
  for (std::size_t at = 0; at < text.size();) {
    const auto taken = reader.read(text.substr(at, step));
    // Which of two faults is met first may depend on the pieces.
    if (!taken) return seen + "fault";
    at += *taken;
    if (!reader.complete()) {
      if (*taken == 0) std::abort();
      continue;
    }
    const HttpRequest request = reader.take();
    if (request.body.size() > 100 || request.headers.size() > 10) std::abort();
    if (request.target.size() > 512 || request.count("Host") > 1) std::abort();
    seen += request.method + " " + request.target + "\n";
    for (const HttpHeader& each : request.headers) seen += each.name + ":" + each.value + "\n";
    seen += request.body + "\n";
    if (request.upgrade) break;
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string whole = outcome(text, size + 1);
  if (outcome(text, 1) != whole || outcome(text, 11) != whole) std::abort();
  return 0;
}
