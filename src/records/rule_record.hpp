#pragma once
// A rule made at run time, as it lies in the store: key 'u' and its name.

#include <string>
#include <string_view>

#include <twinmq/result.hpp>
#include <twinmq/time.hpp>

namespace twinmq::records {

inline constexpr char kRulePrefix = 'u';

struct RuleRecord {
  WallTime created{};
  WallTime changed{};
  std::string definition;  ///< TOML, as `twinmq rule show` prints it
};

std::string rule_key(std::string_view name);
/// The name in a key of rule_key().
std::string_view rule_of_key(std::string_view key);

std::string encode_rule(const RuleRecord& record);
Result<RuleRecord> decode_rule(std::string_view key, std::string_view value);

}  // namespace twinmq::records
