#pragma once
// The one table of configuration keys. The loader, --set, --print-config, validate() and the
// documented file conf/twinmq.toml all read it, so that a key is described in one place.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <twinmq/config.hpp>

namespace twinmq::app {

/// What a key can hold; monostate: not set.
using ConfigValue =
    std::variant<std::monostate, bool, std::int64_t, std::string, std::vector<std::string>>;

enum class KeyKind : std::uint8_t { Boolean, Integer, Text, Choice, List };

struct ConfigKey {
  std::string_view name;      ///< dotted: "mqtt.qos_max"; keys of a listener begin with "listener."
  std::string_view sentence;  ///< what it does, and what "not set" or 0 means
  KeyKind kind = KeyKind::Text;
  bool optional = false;  ///< has a state "not set"
  std::int64_t min = 0;
  std::int64_t max = 0;
  std::span<const std::string_view> choices{};
  std::string_view example{};  ///< shown, commented out, where the default is "not set"

  /// `listener` selects the listener and is ignored by other keys. set() expects a value that
  /// complaint() found no fault with.
  ConfigValue (*get)(const Config& config, std::size_t listener) = nullptr;
  void (*set)(Config& config, std::size_t listener, const ConfigValue& value) = nullptr;

  bool of_listener() const { return name.starts_with("listener."); }
  /// "mqtt" of "mqtt.qos_max", "listener" of "listener.unix.mode"; empty for keys outside of any
  /// section.
  std::string_view section() const;
  /// What follows the section: "qos_max", "unix.mode".
  std::string_view last_name() const;
};

/// Every key, grouped by section, in the order of the documented file.
std::span<const ConfigKey> config_keys();

const ConfigKey* find_config_key(std::string_view name);

/// Whether some key lives below this name: "mqtt", "listener".
bool is_config_section(std::string_view name);

/// "an integer from 0 to 2", "true or false", …
std::string allowed_values(const ConfigKey& key);

/// Why the key cannot hold the value ("found 7, allowed: …"); empty: it can. `found` is what to
/// show.
std::optional<std::string> value_complaint(const ConfigKey& key, const ConfigValue& value,
                                           std::string_view found);

/// "mqtt.qos_max", or "listener[2].url".
std::string config_key_path(const ConfigKey& key, std::size_t listener);

/// As TOML: true, 12, "text", ["a", "b"].
std::string toml_value(const ConfigValue& value);

/// A TOML basic string with everything escaped that needs it.
std::string toml_quoted(std::string_view text);

}  // namespace twinmq::app
