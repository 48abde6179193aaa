#pragma once
// What a Config must satisfy beyond the type of each field.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <twinmq/config.hpp>

namespace twinmq::app {

struct ConfigComplaint {
  std::string key;   ///< as config_key_path() writes it
  std::string text;  ///< what was found and what is allowed
};

/// Everything that is wrong with the Config, apart from what depends on the store.
std::vector<ConfigComplaint> config_complaints(const Config& config);

/// The strongest durability of the store that this Config leads to when the host brings none.
Durability built_in_durability_max(const Config& config);

/// Whether the store gives what was asked for explicitly; the complaint says why not.
std::vector<ConfigComplaint> durability_complaints(const Config& config, Durability store_max);

/// What was asked for, otherwise the strongest the store gives.
Durability effective_durability(const Config& config, Durability store_max);

/// Why it is what it is, for the log and --print-config.
std::string durability_reason(const Config& config, Durability store_max);

std::string_view durability_word(Durability durability);

/// The permissions that the text means; nothing: it is none.
std::optional<std::uint32_t> unix_mode(const ListenerConfig& listener);

/// Whether a client without a user name may connect at this listener.
bool anonymous_allowed(const Config& config, const ListenerConfig& listener);

}  // namespace twinmq::app
