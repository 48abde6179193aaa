#include "sql/statement.hpp"

#include <algorithm>
#include <utility>

namespace twinmq::sql {
namespace {

std::string_view take_level(std::string_view& text, bool& more) {
  const std::size_t slash = text.find('/');
  more = slash != std::string_view::npos;
  const std::string_view level = text.substr(0, slash);
  text.remove_prefix(more ? slash + 1 : text.size());
  return level;
}

}  // namespace

Version default_version(Dialect dialect) {
  return dialect == Dialect::Twinmq ? Version::Twinmq : Version::V2016;
}

Result<Statement, SyntaxFault> Statement::compile(std::string_view text,
                                                  const StatementOptions& options) {
  auto syntax = parse_statement(text, options.dialect);
  if (!syntax) return syntax.error();
  for (const std::string& filter : syntax->filters) {
    if (const std::string_view fault = filter_fault(filter); !fault.empty())
      return SyntaxFault{std::min(text.find(filter), text.size()),
                         "the topic filter " + std::string(fault)};
  }
  CompileOptions compile_options;
  compile_options.dialect = options.dialect;
  compile_options.version = options.version;
  auto program = sql::compile(*syntax, compile_options);
  if (!program) return program.error();
  Statement statement;
  statement.text_ = std::string(text);
  statement.syntax_ = std::move(*syntax);
  statement.program_ = std::move(*program);
  return statement;
}

bool Statement::covers(std::string_view topic) const {
  return std::any_of(syntax_.filters.begin(), syntax_.filters.end(),
                     [&](const std::string& filter) { return filter_covers(filter, topic); });
}

bool filter_covers(std::string_view filter, std::string_view topic) {
  if (topic.starts_with('$') && (filter.starts_with('#') || filter.starts_with('+'))) return false;
  bool filter_goes_on = true;
  bool topic_goes_on = true;
  while (filter_goes_on && topic_goes_on) {
    const std::string_view wanted = take_level(filter, filter_goes_on);
    if (wanted == "#") return true;
    const std::string_view level = take_level(topic, topic_goes_on);
    if (wanted != "+" && wanted != level) return false;
  }
  return filter_goes_on == topic_goes_on;
}

std::string_view filter_fault(std::string_view filter) {
  if (filter.empty()) return "is empty";
  if (filter.size() > 65535) return "is longer than 65535 bytes";
  if (filter.find('\0') != std::string_view::npos) return "contains a zero byte";
  for (bool more = true; more;) {
    const std::string_view level = take_level(filter, more);
    if (level == "#" && more) return "goes on after #";
    if (level.size() > 1 && level.find_first_of("#+") != std::string_view::npos)
      return "has # or + beside other characters of a level";
  }
  return {};
}

std::optional<BasicIngest> basic_ingest(std::string_view topic) {
  constexpr std::string_view kPrefix = "$aws/rules/";
  if (!topic.starts_with(kPrefix)) return std::nullopt;
  topic.remove_prefix(kPrefix.size());
  bool more = false;
  const std::string_view rule = take_level(topic, more);
  if (rule.empty()) return std::nullopt;
  return BasicIngest{rule, topic};
}

}  // namespace twinmq::sql
