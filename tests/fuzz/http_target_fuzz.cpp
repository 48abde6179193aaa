// Two lines: an address, and a target that may allow it. What is allowed must lie there for a plain
// reader, too.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/require.hpp"
#include "sinks/http_target.hpp"

namespace {

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string decoded(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const bool encoded =
        text.size() > 2 && text[0] == '%' && digit_of(text[1]) >= 0 && digit_of(text[2]) >= 0;
    out += encoded ? static_cast<char>(digit_of(text[1]) * 16 + digit_of(text[2])) : text[0];
    text.remove_prefix(encoded ? 3 : 1);
  }
  return out;
}

// From the slash behind the host to the query.
std::string path_of(std::string_view url) {
  const std::size_t host = url.find_first_not_of('/', url.find(':') + 1);
  if (host == std::string_view::npos) return "/";
  const std::size_t end = url.find_first_of("/?#", host);
  if (end == std::string_view::npos || url[end] != '/') return "/";
  return std::string(url.substr(end, url.find_first_of("?#", end) - end));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::size_t line = text.find('\n');
  const std::string url = text.substr(0, line);
  const std::string target =
      line == std::string::npos ? "http://plant.example/in/" : text.substr(line + 1);
  (void)twinmq::sinks::check_http_template(url, {target});
  if (!twinmq::sinks::check_http_address(url, {target})) return 0;
  TWINMQ_REQUIRE(static_cast<bool>(twinmq::sinks::check_http_target(target)));
  const std::string path = path_of(url);
  const std::string allowed = path_of(target);
  TWINMQ_REQUIRE(allowed.ends_with('/') ? path.starts_with(allowed) || path == allowed
                                        : path == allowed);
  for (std::string once = path, last; once != last; once = decoded(last)) {
    last = once;
    TWINMQ_REQUIRE(last.find('\\') == std::string::npos);
    TWINMQ_REQUIRE((last + "/").find("/../") == std::string::npos &&
                   (last + "/").find("/./") == std::string::npos);
  }
  return 0;
}
