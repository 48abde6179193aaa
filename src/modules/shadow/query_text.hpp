#pragma once
// Queries and their pages as JSON.

#include <optional>
#include <string>
#include <string_view>

#include <twinmq/result.hpp>
#include <twinmq/shadow.hpp>

#include "modules/shadow/shadow_request.hpp"

namespace twinmq::shadow {

struct QueryRequest {
  ShadowQuery query;
  std::optional<std::string> token;
};

/// Reads {"query": …, "limit": …, "nextToken": …, "clientToken": …}.
Refusal read_query_request(std::string_view payload, QueryRequest& request);

/// {"results":[…],"nextToken":…,"lookedAt":n,"index":…,"clientToken":…}
std::string query_answer(const ShadowPage& page, const std::optional<std::string>& token);

std::string query_refusal(int code, std::string_view why, const std::optional<std::string>& token);

/// The status of a query that failed.
int query_code(ErrorCode code);

}  // namespace twinmq::shadow
