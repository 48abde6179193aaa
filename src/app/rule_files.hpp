#pragma once
// The files that statements of rules look into: tables for lookup(), descriptors for decode(…,
// 'proto', …).

#include <memory>
#include <string>
#include <vector>

#include <twinmq/config.hpp>
#include <twinmq/result.hpp>

#include "sql/known_files.hpp"

namespace twinmq::app {

/// Everything below rules.lookup_directory (*.csv, *.json) and rules.descriptor_directory, checked.
/// The error names the file and what is wrong with it.
Result<std::shared_ptr<const sql::KnownFiles>> read_rule_files(const RulesConfig& config);

/// What to watch: the directories, with those inside, and every file. Empty: none is configured.
std::vector<std::string> rule_file_paths(const RulesConfig& config);

}  // namespace twinmq::app
