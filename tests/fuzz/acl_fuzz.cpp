// An ACL file and questions to it. Input: principal, client id, topic name and topic filter on a
// line each, then the file. What is checked: no crash, and the promise between the answers: who may
// receive a name may subscribe to every filter that matches it.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "modules/access/acl_file.hpp"
#include "modules/access/filter_overlap.hpp"
#include "mqtt/topic.hpp"

using twinmq::Action;
using twinmq::QoS;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::array<std::string_view, 4> lines;
  for (std::string_view& line : lines) {
    const std::size_t end = text.find('\n');
    line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  const auto acl = twinmq::access::AclFile::parse(text, "acl", 1);
  if (!acl) return 0;
  twinmq::Identity identity;
  identity.principal = lines[0];
  identity.client_id = lines[1];
  const std::string_view name = lines[2];
  const std::string_view filter = lines[3];
  if (!twinmq::mqtt::is_valid_topic_name(name, 128) ||
      !twinmq::mqtt::is_valid_topic_filter(filter, 128)) {
    return 0;
  }
  const bool receives = (*acl)->may(identity, Action::Receive, name, QoS::AtMostOnce, false);
  (*acl)->may(identity, Action::Publish, name, QoS::AtMostOnce, false);
  const bool matched = twinmq::mqtt::matches(filter, name);
  if (matched != twinmq::access::overlaps(filter, name)) std::abort();
  const bool subscribes = (*acl)->may(identity, Action::Subscribe, filter, QoS::AtMostOnce, false);
  if (receives && matched && !subscribes) std::abort();
  return 0;
}
