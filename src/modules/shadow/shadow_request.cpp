#include "modules/shadow/shadow_request.hpp"

#include <vector>

namespace twinmq::shadow {
namespace {

// The text names AWS's former limit whatever the present one is: clients compare it.
constexpr std::string_view kTooDeep = "JSON contains too many levels of nesting; maximum is 6";

Refusal refuse(int code, std::string_view message) {
  return {code, std::string(message)};
}

Refusal read_object(std::string_view payload, EpochSeconds now, const RequestLimits& limits,
                    JsonReader& reader, Arena& arena, Node& root) {
  if (payload.size() > limits.payload_bytes_max)
    return refuse(413, "The payload exceeds the maximum size allowed");
  switch (reader.read(payload, now, arena, root)) {
    case Reading::Good: break;
    case Reading::NotUtf8:
      return refuse(415, "Unsupported documented encoding; supported encoding is UTF-8");
    case Reading::NotJson: return refuse(400, "Invalid JSON");
  }
  if (!root.is_object()) return refuse(400, "Invalid JSON");
  return {};
}

// A member that is null counts as not there.
const Node* find_value(const Node& object, std::string_view key) {
  const Node* const node = find(object, key);
  return node != nullptr && node->kind != Kind::Null ? node : nullptr;
}

Refusal read_token(const Node& root, const RequestLimits& limits,
                   std::optional<std::string_view>& token) {
  const Node* const node = find_value(root, "clientToken");
  if (node == nullptr) return {};
  if (node->kind != Kind::String || node->size > limits.token_bytes_max)
    return refuse(400, "Invalid clientToken");
  token = node->characters();
  return {};
}

bool read_section(const Node& state, std::string_view key, SectionChange& change) {
  const Node* const node = find(state, key);
  if (node == nullptr) return true;
  if (node->kind == Kind::Null) {
    change.kind = SectionChange::Kind::Cleared;
    return true;
  }
  change.kind = SectionChange::Kind::Merged;
  change.patch = *node;
  return node->is_object();
}

Refusal check_nodes(const Node& state, const UpdateRequest& request, const RequestLimits& limits) {
  constexpr std::string_view kInvalidNode = "State contains an invalid node";
  for (const Node& member : state.children()) {
    if (!limits.strict_state) break;
    if (member.name() == "desired" || member.name() == "reported" || member.name() == "delta")
      continue;
    return refuse(400, std::string(kInvalidNode) + ": '" + std::string(member.name()) + "'");
  }
  if (request.desired.patch.null_in_array || request.reported.patch.null_in_array)
    return refuse(400, kInvalidNode);
  if (request.desired.patch.depth > limits.depth_max ||
      request.reported.patch.depth > limits.depth_max)
    return refuse(400, kTooDeep);
  return {};
}

Refusal read_state(const Node& root, const RequestLimits& limits, UpdateRequest& request) {
  const Node* const state = find(root, "state");
  if (state == nullptr) return refuse(400, "Missing required node: state");
  if (state->kind == Kind::Null) {
    request.clears = true;
    request.desired.kind = request.reported.kind = SectionChange::Kind::Cleared;
    return {};
  }
  if (!state->is_object()) return refuse(400, "State node must be an object");
  if (!read_section(*state, "desired", request.desired))
    return refuse(400, "Desired node must be an object");
  if (!read_section(*state, "reported", request.reported))
    return refuse(400, "Reported node must be an object");
  return check_nodes(*state, request, limits);
}

Refusal read_version(const Node& root, UpdateRequest& request) {
  const Node* const node = find_value(root, "version");
  if (node == nullptr) return {};
  std::int64_t version = 0;
  if (!read_integer(*node, version) || version < 0) return refuse(400, "Invalid version");
  request.version = version;
  return {};
}

// Leaves of what is desired are to expire: all of them after `ttl` seconds, or those that `ttl`, an
// object in the form of `node`, names.
bool set_expiry(Node& node, const Node& ttl, EpochSeconds now, Arena& arena) {
  constexpr std::int64_t kSecondsMax = 3'155'760'000;
  if (ttl.kind == Kind::Number) {
    std::int64_t seconds = 0;
    if (!read_integer(ttl, seconds) || seconds < 1 || seconds > kSecondsMax) return false;
    if (!node.is_object() || node.size == 0) {
      node.expires = now + seconds;
      return true;
    }
  } else if (!ttl.is_object() || !node.is_object()) {
    return false;
  } else {
    for (const Node& named : ttl.children())
      if (find(node, named.name()) == nullptr) return false;
  }
  std::vector<Node> members(node.children().begin(), node.children().end());
  for (Node& member : members) {
    const Node* const inner = ttl.is_object() ? find(ttl, member.name()) : &ttl;
    if (inner != nullptr && !set_expiry(member, *inner, now, arena)) return false;
  }
  hold(node, members, arena);
  return true;
}

Refusal read_ttl(const Node& root, EpochSeconds now, Arena& arena, UpdateRequest& request) {
  const Node* const ttl = find_value(root, "ttl");
  if (ttl == nullptr) return {};
  if (request.desired.kind != SectionChange::Kind::Merged ||
      !set_expiry(request.desired.patch, *ttl, now, arena))
    return refuse(400, "Invalid ttl");
  request.expires = true;
  return {};
}

}  // namespace

Refusal read_update(std::string_view payload, EpochSeconds now, const RequestLimits& limits,
                    JsonReader& reader, Arena& arena, UpdateRequest& request) {
  Node root;
  if (Refusal refusal = read_object(payload, now, limits, reader, arena, root)) return refusal;
  if (Refusal refusal = read_token(root, limits, request.token)) return refusal;
  if (Refusal refusal = read_state(root, limits, request)) return refusal;
  return read_version(root, request);
}

Refusal read_extended(std::string_view payload, EpochSeconds now, bool patch,
                      const RequestLimits& limits, JsonReader& reader, Arena& arena,
                      UpdateRequest& request) {
  Node root;
  if (Refusal refusal = read_object(payload, now, limits, reader, arena, root)) return refusal;
  if (Refusal refusal = read_token(root, limits, request.token)) return refusal;
  // Trees are walked by recursion from here on.
  if (root.depth > limits.depth_max + 4) return refuse(400, kTooDeep);
  if (patch) {
    const Node* const node = find(root, "patch");
    if (node == nullptr) return refuse(400, "Missing required node: patch");
    request.patch = *node;
  } else if (Refusal refusal = read_state(root, limits, request)) {
    return refusal;
  } else if (Refusal wrong = read_ttl(root, now, arena, request)) {
    return wrong;
  }
  if (const Node* const node = find_value(root, "if")) {
    if (!node->is_object()) return refuse(400, "Invalid condition");
    for (const Node& section : node->children())
      if (!section.is_object() || (section.name() != "desired" && section.name() != "reported"))
        return refuse(400, "Invalid condition");
    request.condition = *node;
  }
  return read_version(root, request);
}

Refusal read_get(std::string_view payload, const RequestLimits& limits, JsonReader& reader,
                 Arena& arena, std::optional<std::string_view>& token) {
  if (payload.empty()) return {};
  Node root;
  if (Refusal refusal = read_object(payload, 0, limits, reader, arena, root)) return refusal;
  return read_token(root, limits, token);
}

std::optional<std::string_view> read_delete_token(std::string_view payload,
                                                  const RequestLimits& limits, JsonReader& reader,
                                                  Arena& arena) {
  std::optional<std::string_view> token;
  Node root;
  if (payload.empty() || read_object(payload, 0, limits, reader, arena, root)) return token;
  if (read_token(root, limits, token)) token.reset();
  return token;
}

}  // namespace twinmq::shadow
