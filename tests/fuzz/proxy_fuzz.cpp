// A PROXY header in front of other bytes. Checked beyond not crashing: whatever pieces it comes in,
// the verdict, what it tells, and what is left for above are the same.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "net/proxy_protocol.hpp"

using namespace twinmq;
using namespace twinmq::net;

namespace {

std::string outcome(ByteView bytes, std::size_t step) {
  const std::vector<std::string> everybody{"0.0.0.0/0"};
  ProxyOptions options;
  options.trusted = *AddressList::parse(everybody);
  options.common_name_is_user = true;
  ProxyFilter filter(std::make_shared<ProxyOptions>(std::move(options)), "192.0.2.1:1");
  ByteBuffer up;
  ByteBuffer down;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    const ByteView part = bytes.subspan(at, std::min(step, bytes.size() - at));
    if (filter.state() == FilterState::Gone) {
      up.append(part);
    } else {
      filter.receive(part, up, down);
    }
    if (filter.state() == FilterState::Failed) return "refused";
    if (filter.memory() > 4 * kProxyHeaderMax + bytes.size()) std::abort();
  }
  if (filter.state() == FilterState::Handshaking) return "waiting";
  ConnectionFacts facts;
  filter.tell(facts);
  return facts.peer + "|" + facts.principal + "|" + facts.certificate_subject + "|" +
         facts.tls_version + "|" + std::string(text_of(up.view()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView bytes{data, size};
  const std::string whole = outcome(bytes, size + 1);
  if (outcome(bytes, 1) != whole || outcome(bytes, 7) != whole) std::abort();
  return 0;
}
