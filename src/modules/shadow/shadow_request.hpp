#pragma once
// What a client asks for, checked in a fixed order: encoding, JSON, object, clientToken, state,
// sections, nodes, depth, type of version. The first fault decides.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "modules/shadow/document.hpp"
#include "modules/shadow/json_text.hpp"

namespace twinmq::shadow {

/// Why a request is not carried out: code and text of AWS's error table.
struct Refusal {
  int code = 0;  ///< 0: nothing is wrong
  std::string message;

  explicit operator bool() const { return code != 0; }
};

struct RequestLimits {
  std::size_t payload_bytes_max = 131'072;
  std::size_t token_bytes_max = 64;
  std::uint32_t depth_max = 8;
  bool strict_state = false;  ///< members of state other than desired, reported, delta are faults
};

/// Views into the arena.
struct UpdateRequest {
  std::optional<std::string_view> token;
  bool clears = false;  ///< "state": null
  SectionChange desired;
  SectionChange reported;
  std::optional<std::int64_t> version;
  // What goes beyond AWS, in requests below $twinmq.
  std::optional<Node> condition;  ///< "if": values that desired and reported must have
  bool expires = false;           ///< "ttl": leaves of desired know when they expire
  std::optional<Node> patch;      ///< of a Patch, in the place of the state
};

/// Reads an update. What could be read is in `request` also when it is refused, so that its token
/// can be echoed.
Refusal read_update(std::string_view payload, EpochSeconds now, const RequestLimits& limits,
                    JsonReader& reader, Arena& arena, UpdateRequest& request);

/// Reads an update or a patch below $twinmq.
Refusal read_extended(std::string_view payload, EpochSeconds now, bool patch,
                      const RequestLimits& limits, JsonReader& reader, Arena& arena,
                      UpdateRequest& request);

/// Reads the payload of a get: empty, or an object that may hold a clientToken.
Refusal read_get(std::string_view payload, const RequestLimits& limits, JsonReader& reader,
                 Arena& arena, std::optional<std::string_view>& token);

/// The token in the payload of a delete, if there is a sound one. The payload is otherwise ignored.
std::optional<std::string_view> read_delete_token(std::string_view payload,
                                                  const RequestLimits& limits, JsonReader& reader,
                                                  Arena& arena);

}  // namespace twinmq::shadow
