#include "records/rule_record.hpp"

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"

namespace twinmq::records {

namespace {

constexpr std::uint8_t kFormat = 1;

}  // namespace

std::string rule_key(std::string_view name) {
  std::string key(1, kRulePrefix);
  key += name;
  return key;
}

std::string_view rule_of_key(std::string_view key) {
  return key.substr(1);
}

std::string encode_rule(const RuleRecord& record) {
  base::ByteWriter out;
  out.number(kFormat);
  out.signed_number(record.created.time_since_epoch().count());
  out.signed_number(record.changed.time_since_epoch().count());
  out.text(record.definition);
  return out.take();
}

Result<RuleRecord> decode_rule(std::string_view key, std::string_view value) {
  base::ByteReader in(value);
  const auto format = in.number<std::uint8_t>();
  RuleRecord record;
  record.created = WallTime(Milliseconds(in.signed_number()));
  record.changed = WallTime(Milliseconds(in.signed_number()));
  record.definition = in.text();
  if (!in.finished() || format != kFormat)
    return Error{ErrorCode::Corrupt,
                 "the stored rule " + std::string(rule_of_key(key)) + " does not verify"};
  return record;
}

}  // namespace twinmq::records
