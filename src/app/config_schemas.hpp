#pragma once
// [[shadow.schema]] of the configuration.

#include <string>
#include <vector>

#include <toml++/toml.h>

#include "app/config_draft.hpp"

namespace twinmq::app {

/// Reads the array of schemas and the files they name into the draft, or complains.
void read_schemas(ConfigDraft& draft, const toml::node& node, const std::string& file);

/// The schemas as TOML that reads back.
std::string schemas_text(const std::vector<ShadowSchemaConfig>& schemas);

}  // namespace twinmq::app
