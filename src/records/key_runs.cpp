#include "records/key_runs.hpp"

#include <algorithm>

#include "records/session_record.hpp"

namespace twinmq::records {

std::size_t run_prefix(std::string_view key) {
  constexpr char kShadow = 'd';
  if (key.starts_with(kShadow)) return key.size();
  if (key.starts_with(kCommonMessagePrefix)) return std::min<std::size_t>(key.size(), 3);
  const auto parts = parse_session_key(key);
  if (!parts || parts->kind != SessionRecordKind::Delivery) return 0;
  return key.size() - parts->rest.size();
}

}  // namespace twinmq::records
