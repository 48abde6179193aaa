// A rule's definition of any bytes is read or complained about, and what is read survives being
// printed; so is AWS's.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "app/aws_rules.hpp"
#include "app/rule_definition.hpp"

namespace {

using namespace twinmq;

void survives(const RuleConfig& rule) {
  const std::string printed = app::rule_definition(rule);
  const auto again = app::read_rule_definition(printed, "printed");
  if (!again || app::rule_definition(*again) != printed) std::abort();
  const auto json = app::read_rule_definition(app::rule_definition_json(rule), "json");
  if (!json || app::rule_definition(*json) != printed) std::abort();
  RuleStatus status;
  status.config = rule;
  (void)app::aws_list_entry(status);
  if (!app::aws_of_rule(status).contains("rule")) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (const auto rule = app::read_rule_definition(text, "fuzz")) {
    survives(*rule);
  } else if (rule.error().detail.empty()) {
    std::abort();
  }
  if (const auto rule = app::rule_of_aws(text, "r")) {
    survives(*rule);
  } else if (rule.error().detail.empty()) {
    std::abort();
  }
  return 0;
}
