#pragma once
// The names of things, shadows and their topics: $aws/things/{thing}/shadow[/name/{shadow}]/…, and
// what goes beyond AWS below $twinmq in the place of $aws.

#include <cstdint>
#include <string>
#include <string_view>

namespace twinmq::shadow {

enum class Operation : std::uint8_t {
  Get,
  Update,
  Delete,
  Patch,
  History,
  Query,   ///< over all shadows
  Expire,  ///< nobody asks for it: removes the desired keys whose time is over
};

/// One shadow of one thing; views into the topic it was read from.
struct ShadowName {
  std::string_view thing;
  std::string_view name;  ///< empty: the classic shadow

  bool operator==(const ShadowName&) const = default;
};

enum class TopicKind : std::uint8_t {
  Other,    ///< not below …/shadow of a thing: not ours to judge
  Request,  ///< a client asks
  Answer,   ///< only the service publishes here
  Unknown,  ///< below …/shadow, but no topic of the service
};

struct ShadowTopic {
  TopicKind kind = TopicKind::Other;
  Operation operation = Operation::Get;  ///< of a Request
  ShadowName shadow;                     ///< of a Request; its names may still be unsound
  bool extended = false;                 ///< below $twinmq: not one of AWS's
  bool cbor = false;                     ///< …/shadow/cbor/…: payloads are CBOR
};

/// What a topic name means to the shadow service.
ShadowTopic read_topic(std::string_view topic);

/// 1 to 128 of a-z A-Z 0-9 : _ -
bool is_thing_name(std::string_view text);
/// 1 to 64 of the same and $
bool is_shadow_name(std::string_view text);

/// Appends "$aws/things/{thing}/shadow[/name/{name}]", or the same below $twinmq.
void write_prefix(const ShadowName& shadow, std::string& out, bool extended = false);

/// "get", "update", "delete", "patch", "history", "query", "expire"
std::string_view word(Operation operation);

}  // namespace twinmq::shadow
