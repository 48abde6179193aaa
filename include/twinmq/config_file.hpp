#pragma once
// A Config from a TOML file and from command line words, with complaints a person can act on. The
// daemon uses this; a host that wants the same file format may too. No call here throws or keeps
// state.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <twinmq/config.hpp>
#include <twinmq/result.hpp>

namespace twinmq {

/// Where the settings come from, weakest first: built-in defaults, the file, then the other
/// members.
struct ConfigSource {
  std::string file;                 ///< TOML; empty: none
  std::vector<std::string> listen;  ///< URLs; not empty: they replace the listeners of the file
  std::optional<std::string> data_dir;
  std::optional<std::string> log_level;
  /// "key=value", applied in order and last. Listener keys: "listener[0].name=…" for one of them,
  /// "listener.anonymous=…" for all.
  std::vector<std::string> settings;
};

struct LoadedConfig {
  Config config;
  /// Values that were written as ${env:NAME} or ${file:PATH}: the key and the text as it was
  /// written, which is shown in place of the value.
  std::map<std::string, std::string> references;
};

/// The Config a daemon runs with when nothing is said: one listener on loopback, a data directory.
Config daemon_defaults();

/// Reads, merges and validates. On failure every complaint is in the list, each with file, line and
/// column (or the option), the key, what was found and what is allowed; the value of a reference
/// never is.
Result<LoadedConfig, std::vector<Error>> load_config(const ConfigSource& source);

/// The effective configuration as TOML that load_config reads back. References are printed as
/// written.
std::string print_config(const LoadedConfig& loaded);

}  // namespace twinmq
