#include "app/config_text.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "app/config_keys.hpp"
#include "app/config_rules.hpp"
#include "app/config_schemas.hpp"
#include "app/config_validate.hpp"

namespace twinmq {
namespace app {
namespace {

constexpr std::size_t kTextWidth = 96;

constexpr std::string_view kPreface =
    "The configuration of twinmqd: every key with its default, and a sentence on what it does. "
    "Only what "
    "differs needs to be in a file of yours. A line that begins with \"#name =\" shows a key that "
    "is not set by "
    "default. Any key can also be given as an option: twinmqd --set mqtt.qos_max=1\n"
    "\n"
    "A text may take its value from elsewhere: \"${env:NAME}\" is the environment variable NAME, "
    "\"${file:PATH}\" is what the file PATH holds. Such values appear neither in twinmqd "
    "--print-config nor in "
    "complaints. Paths are relative to the directory the daemon is started in.\n"
    "\n"
    "Try a file with: twinmqd --config FILE --check\n";

constexpr std::string_view kListenerPreface =
    "One [[listener]] section for each address. Without any, twinmqd listens on the one below. An "
    "address that "
    "other machines can reach needs a word on who may connect: access.password_file, "
    "access.anonymous, or "
    "anonymous in the section of the listener.\n";

/// Every line of the text as a comment, wrapped at blanks.
std::string comment(std::string_view text) {
  std::string lines;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    std::string_view rest = line;
    do {
      std::size_t end = rest.size();
      if (end > kTextWidth) end = rest.rfind(' ', kTextWidth);
      if (end == std::string_view::npos) end = rest.size();
      lines += rest.empty() ? std::string("#\n") : fmt::format("# {}\n", rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    } while (!rest.empty());
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return lines;
}

std::string heading(std::string_view section) {
  if (section.empty()) return "";
  return section == "listener" ? "\n[[listener]]\n" : fmt::format("\n[{}]\n", section);
}

std::string documented_key(const ConfigKey& key, const Config& defaults) {
  std::string text(key.sentence.substr(0, key.sentence.size() - 1));
  if (key.kind == KeyKind::Integer) text += fmt::format(" ({} to {})", key.min, key.max);
  if (key.kind == KeyKind::Choice) text += fmt::format(" ({})", allowed_values(key));
  text += '.';
  const ConfigValue value = key.get(defaults, 0);
  const bool set = !std::holds_alternative<std::monostate>(value);
  return comment(text) + (set ? fmt::format("{} = {}\n", key.last_name(), toml_value(value))
                              : fmt::format("#{} = {}\n", key.last_name(), key.example));
}

std::string effective_key(const ConfigKey& key, const LoadedConfig& loaded, std::size_t listener) {
  if (key.name == "storage.durability") {
    const Durability max = built_in_durability_max(loaded.config);
    return comment(fmt::format("because {}", durability_reason(loaded.config, max))) +
           fmt::format("durability = \"{}\"\n",
                       durability_word(effective_durability(loaded.config, max)));
  }
  const auto reference = loaded.references.find(config_key_path(key, listener));
  const ConfigValue value = reference == loaded.references.end() ? key.get(loaded.config, listener)
                                                                 : ConfigValue(reference->second);
  if (!std::holds_alternative<std::monostate>(value)) {
    return fmt::format("{} = {}\n", key.last_name(), toml_value(value));
  }
  if (key.name == "listener.anonymous") {
    return fmt::format("# anonymous is not set, here that means {}\n",
                       anonymous_allowed(loaded.config, loaded.config.listeners[listener]));
  }
  return fmt::format("# {} is not set\n", key.last_name());
}

}  // namespace

std::string documented_config() {
  const Config defaults = daemon_defaults();
  std::string text = comment(kPreface) + "\n";
  std::string_view section;
  for (const ConfigKey& key : config_keys()) {
    if (key.section() != section) {
      section = key.section();
      if (section == "listener") text += "\n" + comment(kListenerPreface);
      text += section == "listener" ? "[[listener]]\n" : heading(section);
    }
    text += documented_key(key, defaults);
  }
  return text;
}

}  // namespace app

std::string print_config(const LoadedConfig& loaded) {
  using app::ConfigKey;
  std::string text;
  std::string_view section;
  // A section once opened lasts to the next heading, so the listeners' array goes to the end.
  for (const ConfigKey& key : app::config_keys()) {
    if (key.of_listener()) continue;
    if (key.section() != section) text += app::heading(section = key.section());
    text += app::effective_key(key, loaded, 0);
  }
  for (std::size_t i = 0; i < loaded.config.listeners.size(); ++i) {
    text += app::heading("listener");
    for (const ConfigKey& key : app::config_keys()) {
      if (key.of_listener()) text += app::effective_key(key, loaded, i);
    }
  }
  text += app::schemas_text(loaded.config.shadow.schemas);
  text += app::rules_text(loaded.config.rule) + app::plugins_text(loaded.config.plugin);
  // No [[listener]] at all would mean the default one.
  if (loaded.config.listeners.empty()) text.insert(0, "listener = []\n");
  return text;
}

}  // namespace twinmq
