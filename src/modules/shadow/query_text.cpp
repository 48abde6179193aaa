#include "modules/shadow/query_text.hpp"

#include "modules/shadow/json_text.hpp"

namespace twinmq::shadow {
namespace {

constexpr std::size_t kPayloadBytesMax = 65'536;

void write_text(std::string_view key, std::string_view text, std::string& out) {
  if (out.back() != '{') out += ',';
  write_string(key, out);
  out += ':';
  write_string(text, out);
}

void write_token(const std::optional<std::string>& token, std::string& out) {
  if (token) write_text("clientToken", *token, out);
  out += '}';
}

bool read_text(const Node& root, std::string_view key, std::string& to) {
  const Node* const node = find(root, key);
  if (node == nullptr || node->kind == Kind::Null) return true;
  if (node->kind != Kind::String) return false;
  to = node->characters();
  return true;
}

}  // namespace

Refusal read_query_request(std::string_view payload, QueryRequest& request) {
  if (payload.size() > kPayloadBytesMax)
    return {413, "The payload exceeds the maximum size allowed"};
  Arena arena;
  JsonReader reader;
  Node root;
  if (reader.read(payload, 0, arena, root) != Reading::Good || !root.is_object())
    return {400, "Invalid JSON"};
  std::string token;
  if (!read_text(root, "clientToken", token) || token.size() > RequestLimits().token_bytes_max)
    return {400, "Invalid clientToken"};
  if (find(root, "clientToken") != nullptr) request.token = token;
  if (!read_text(root, "query", request.query.condition) || request.query.condition.empty())
    return {400, "Invalid query"};
  if (!read_text(root, "nextToken", request.query.after)) return {400, "Invalid nextToken"};
  if (const Node* const limit = find(root, "limit")) {
    std::int64_t number = 0;
    if (!read_integer(*limit, number) || number < 1) return {400, "Invalid limit"};
    request.query.limit = static_cast<std::size_t>(number);
  }
  return {};
}

std::string query_answer(const ShadowPage& page, const std::optional<std::string>& token) {
  std::string out = R"({"results":[)";
  for (const ShadowMatch& match : page.matches) {
    if (out.back() != '[') out += ',';
    out += '{';
    write_text("thing", match.shadow.thing, out);
    if (!match.shadow.name.empty()) write_text("name", match.shadow.name, out);
    out += R"(,"version":)";
    write_integer(match.version, out);
    out += R"(,"changed":)";
    write_integer(match.changed, out);
    out += match.connected ? R"(,"connected":true,"state":)" : R"(,"connected":false,"state":)";
    out += match.state;
    out += '}';
  }
  out += R"(],"lookedAt":)";
  write_integer(static_cast<std::int64_t>(page.looked_at), out);
  if (!page.index.empty()) write_text("index", page.index, out);
  if (!page.next.empty()) write_text("nextToken", page.next, out);
  write_token(token, out);
  return out;
}

std::string query_refusal(int code, std::string_view why, const std::optional<std::string>& token) {
  std::string out = R"({"code":)";
  write_integer(code, out);
  write_text("message", why, out);
  write_token(token, out);
  return out;
}

int query_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::InvalidArgument: return 400;
    case ErrorCode::NotFound: return 404;
    case ErrorCode::Unavailable: return 429;
    default: return 500;
  }
}

}  // namespace twinmq::shadow
