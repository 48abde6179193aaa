#include "sql/program.hpp"

#include <utility>

namespace twinmq::sql {

std::optional<Aggregate> aggregate_of(std::string_view name) {
  constexpr std::pair<std::string_view, Aggregate> kNames[] = {
      {"count", Aggregate::Count},     {"sum", Aggregate::Sum},
      {"avg", Aggregate::Avg},         {"min", Aggregate::Min},
      {"max", Aggregate::Max},         {"stddev", Aggregate::Stddev},
      {"median", Aggregate::Median},   {"percentile", Aggregate::Percentile},
      {"first", Aggregate::First},     {"last", Aggregate::Last},
      {"collect", Aggregate::Collect}, {"distinct", Aggregate::Distinct}};
  for (const auto& [word, kind] : kNames)
    if (word == name) return kind;
  return std::nullopt;
}

std::string_view name_of(Version version) {
  switch (version) {
    case Version::V2015: return "2015-10-08";
    case Version::V2016: return "2016-03-23";
    case Version::Beta: return "beta";
    case Version::Twinmq: return "twinmq";
  }
  return "";
}

std::optional<Version> version_of(std::string_view name) {
  for (const Version version : {Version::V2015, Version::V2016, Version::Beta, Version::Twinmq})
    if (name_of(version) == name) return version;
  return std::nullopt;
}

}  // namespace twinmq::sql
