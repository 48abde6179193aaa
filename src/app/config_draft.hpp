#pragma once
// A Config under construction: takes values from the file and from the command line, remembers
// where each came from, and collects every complaint instead of stopping at the first.

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <twinmq/config_file.hpp>

#include "app/config_keys.hpp"

namespace twinmq::app {

class ConfigDraft {
 public:
  explicit ConfigDraft(Config defaults) { loaded_.config = std::move(defaults); }

  Config& config() { return loaded_.config; }

  /// Sets the key, or complains. References in texts are resolved. `found` is what a complaint
  /// shows, `where` the place it names: "twinmq.toml:3:7", "--set".
  void set(const ConfigKey& key, std::size_t listener, const ConfigValue& value,
           std::string_view found, std::string_view where);

  void complain(std::string_view where, std::string_view text);
  void complain_unknown_key(std::string_view where, std::string_view name);

  /// Puts new listeners, all at their defaults, in the place of those there are.
  void replace_listeners(std::size_t count);

  /// The whole Config, validated.
  Result<LoadedConfig, std::vector<Error>> finish() &&;

 private:
  /// The complaint's text with the value of every reference put back into its reference.
  std::string without_secrets(std::string text) const;

  LoadedConfig loaded_;
  std::map<std::string, std::string> resolved_;  ///< value of each reference, by key path
  std::map<std::string, std::string> origins_;   ///< where each key was set, by key path
  std::vector<Error> errors_;
};

/// The bytes of the file, or why they cannot be read.
Result<std::string> read_whole_file(const std::string& path);

/// Replaces ${env:NAME} and ${file:PATH} (one newline at the end of the file is dropped).
Result<std::string> resolve_references(std::string_view text);

/// "key=value" as --set takes it.
void apply_setting(ConfigDraft& draft, std::string_view setting);

/// Sets the key from the bare text of a command line.
void apply_text(ConfigDraft& draft, const ConfigKey& key, std::size_t listener,
                std::string_view text, std::string_view where);

/// Reads the TOML file into the draft. The only place that knows toml++.
void apply_file(ConfigDraft& draft, const std::string& path);

/// The same for a text; `name` stands for it in complaints.
void apply_toml(ConfigDraft& draft, std::string_view text, const std::string& name);

}  // namespace twinmq::app
