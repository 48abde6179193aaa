// A file of SCRAM keys, a client's first message and its second one, on lines of their own (the
// file comes last). Checked beyond not crashing: nobody is let in who does not know a password, and
// the answers do not tell whether a user exists.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "modules/access/scram.hpp"
#include "modules/access/scram_file.hpp"

using namespace twinmq;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::array<std::string_view, 2> lines;
  for (std::string_view& line : lines) {
    const std::size_t end = text.find('\n');
    line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  access::parse_scram_entry(text).has_value();
  auto file = access::ScramFile::parse(text, "scram");
  auto empty = access::ScramFile::parse("", "scram");
  ReasonCode answers[2] = {};
  int next = 0;
  for (auto* each : {&file, &empty}) {
    if (!*each) return 0;
    const auto conversation = (**each)->start("SCRAM-SHA-256");
    Credentials credentials;
    credentials.authentication_data = lines[0];
    AuthenticationResult result;
    const auto keep = [&result](AuthenticationResult got) { result = std::move(got); };
    conversation->begin(credentials, keep);
    if (result.code == ReasonCode::Success) std::abort();
    conversation->proceed(lines[1], keep);
    if (result.code == ReasonCode::Success) std::abort();
    answers[next++] = result.code;
  }
  if (answers[0] != answers[1]) std::abort();
  return 0;
}
