#include "app/config_draft.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include <fmt/format.h>

#include "app/config_suggest.hpp"
#include "app/config_validate.hpp"

namespace twinmq {
namespace app {
namespace {

Error bad_reference(std::string_view text, std::string_view why) {
  return {
      ErrorCode::InvalidConfig,
      fmt::format(
          "found {}, {}; allowed: ${{env:NAME}} of a variable that is set, or ${{file:PATH}} of a "
          "readable file",
          toml_quoted(text), why)};
}

Result<std::string> referenced(std::string_view reference) {
  if (reference.starts_with("env:")) {
    const std::string name(reference.substr(4));
    const char* value = std::getenv(name.c_str());
    if (value == nullptr)
      return bad_reference(reference, "but there is no such environment variable");
    return std::string(value);
  }
  if (!reference.starts_with("file:")) return bad_reference(reference, "which is no reference");
  const std::string path(reference.substr(5));
  auto value = read_whole_file(path);
  if (!value) return bad_reference(reference, fmt::format("but it {}", value.error().detail));
  if (value->ends_with('\n')) value->pop_back();
  if (value->ends_with('\r')) value->pop_back();
  return value;
}

struct Setting {
  const ConfigKey* key = nullptr;
  std::size_t listener = 0;
  bool all_listeners = false;
};

/// "mqtt.qos_max", "listener.anonymous" or "listener[1].url".
Setting find_setting(std::string_view name) {
  Setting setting;
  std::string plain(name);
  if (name.starts_with("listener[")) {
    const auto end = name.find(']');
    const char* last = name.data() + (end == std::string_view::npos ? name.size() : end);
    const auto [stop, fault] = std::from_chars(name.data() + 9, last, setting.listener);
    if (fault != std::errc() || stop != last || end == std::string_view::npos) return {};
    plain = "listener" + plain.substr(end + 1);
  } else {
    setting.all_listeners = name.starts_with("listener.");
  }
  setting.key = find_config_key(plain);
  return setting;
}

/// "a,b" of a command line.
std::vector<std::string> list_of(std::string_view text) {
  std::vector<std::string> list;
  while (!text.empty()) {
    const auto comma = text.find(',');
    list.emplace_back(text.substr(0, comma));
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  return list;
}

}  // namespace

void ConfigDraft::set(const ConfigKey& key, std::size_t listener, const ConfigValue& value,
                      std::string_view found, std::string_view where) {
  const std::string path = config_key_path(key, listener);
  ConfigValue resolved = value;
  bool reference = false;
  if (const auto* text = std::get_if<std::string>(&value);
      text && text->find("${") != std::string::npos) {
    auto result = resolve_references(*text);
    if (!result) return complain(where, fmt::format("{}: {}", path, result.error().detail));
    resolved = *result;
    reference = true;
  }
  if (auto complaint = value_complaint(key, resolved, found)) {
    return complain(where, fmt::format("{}: {}", path, *complaint));
  }
  loaded_.references.erase(path);
  resolved_.erase(path);
  if (reference) {
    loaded_.references[path] = std::get<std::string>(value);
    resolved_[path] = std::get<std::string>(resolved);
  }
  origins_[path] = where;
  key.set(loaded_.config, listener, resolved);
}

void ConfigDraft::complain(std::string_view where, std::string_view text) {
  errors_.push_back({ErrorCode::InvalidConfig, fmt::format("{}: {}", where, text)});
}

void ConfigDraft::complain_unknown_key(std::string_view where, std::string_view name) {
  const std::string near = nearest_config_key(name);
  if (!near.empty())
    return complain(where, fmt::format("{}: unknown key; did you mean {}?", name, near));
  const auto dot = name.rfind('.');
  const std::string_view section =
      dot == std::string_view::npos ? std::string_view() : name.substr(0, dot);
  std::string allowed;
  for (const ConfigKey& key : config_keys()) {
    if (key.section() != section) continue;
    allowed += (allowed.empty() ? "" : ", ") + std::string(key.last_name());
  }
  if (!allowed.empty())
    return complain(where, fmt::format("{}: unknown key; allowed: {}", name, allowed));
  const std::string near_section = nearest_config_section(section);
  complain(where, near_section.empty()
                      ? fmt::format("{}: unknown key; every key is in conf/twinmq.toml", name)
                      : fmt::format("{}: unknown key; did you mean something under {}?", name,
                                    near_section));
}

void ConfigDraft::replace_listeners(std::size_t count) {
  const auto forget = [](std::map<std::string, std::string>& of) {
    std::erase_if(of, [](const auto& entry) { return entry.first.starts_with("listener["); });
  };
  forget(loaded_.references);
  forget(resolved_);
  forget(origins_);
  loaded_.config.listeners.assign(count, ListenerConfig());
}

Result<LoadedConfig, std::vector<Error>> ConfigDraft::finish() && {
  auto complaints = config_complaints(loaded_.config);
  for (auto& complaint :
       durability_complaints(loaded_.config, built_in_durability_max(loaded_.config))) {
    complaints.push_back(std::move(complaint));
  }
  for (const ConfigComplaint& complaint : complaints) {
    const auto origin = origins_.find(complaint.key);
    complain(origin == origins_.end() ? "default" : origin->second,
             without_secrets(fmt::format("{}: {}", complaint.key, complaint.text)));
  }
  if (!errors_.empty()) return std::move(errors_);
  return std::move(loaded_);
}

std::string ConfigDraft::without_secrets(std::string text) const {
  for (const auto& [path, value] : resolved_) {
    if (value.empty()) continue;
    const std::string& reference = loaded_.references.at(path);
    for (auto at = text.find(value); at != std::string::npos;
         at = text.find(value, at + reference.size())) {
      text.replace(at, value.size(), reference);
    }
  }
  return text;
}

Result<std::string> read_whole_file(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             &std::fclose);
  const auto fault = [] {
    return Error{ErrorCode::InvalidConfig,
                 fmt::format("cannot be read ({})", std::strerror(errno))};
  };
  if (!file) return fault();
  std::string text;
  std::array<char, 4096> part;
  while (const std::size_t count = std::fread(part.data(), 1, part.size(), file.get())) {
    text.append(part.data(), count);
  }
  if (std::ferror(file.get()) != 0) return fault();
  return text;
}

Result<std::string> resolve_references(std::string_view text) {
  std::string resolved;
  while (true) {
    const auto begin = text.find("${");
    resolved += text.substr(0, begin);
    if (begin == std::string_view::npos) return resolved;
    const auto end = text.find('}', begin);
    if (end == std::string_view::npos)
      return bad_reference(text.substr(begin), "whose brace is not closed");
    auto value = referenced(text.substr(begin + 2, end - begin - 2));
    if (!value) return value.error();
    resolved += *value;
    text.remove_prefix(end + 1);
  }
}

void apply_setting(ConfigDraft& draft, std::string_view setting) {
  const std::string where = "--set";
  const auto equals = setting.find('=');
  if (equals == std::string_view::npos) {
    return draft.complain(where, fmt::format("found {}, allowed: key=value", toml_quoted(setting)));
  }
  const std::string_view name = setting.substr(0, equals);
  const std::string_view text = setting.substr(equals + 1);
  const Setting found = find_setting(name);
  if (found.key == nullptr) return draft.complain_unknown_key(where, name);
  const std::size_t count = draft.config().listeners.size();
  if (!found.key->of_listener()) return apply_text(draft, *found.key, 0, text, where);
  if (found.all_listeners) {
    for (std::size_t i = 0; i < count; ++i) apply_text(draft, *found.key, i, text, where);
    return;
  }
  if (found.listener >= count) {
    return draft.complain(where,
                          fmt::format("{}: there are {} listeners, counted from 0", name, count));
  }
  apply_text(draft, *found.key, found.listener, text, where);
}

void apply_text(ConfigDraft& draft, const ConfigKey& key, std::size_t listener,
                std::string_view text, std::string_view where) {
  ConfigValue value{std::string(text)};
  if (key.kind == KeyKind::Boolean && (text == "true" || text == "false")) value = text == "true";
  if (key.kind == KeyKind::Integer) {
    std::int64_t number = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (fault == std::errc() && end == text.data() + text.size()) value = number;
  }
  if (key.kind == KeyKind::List) value = list_of(text);
  // A shell has eaten the quotes already, or it has not: both spell the same text.
  if (std::holds_alternative<std::string>(value) && text.size() >= 2 && text.front() == '"' &&
      text.back() == '"') {
    value = std::string(text.substr(1, text.size() - 2));
  }
  draft.set(key, listener, value, toml_quoted(text), where);
}

}  // namespace app

Config daemon_defaults() {
  Config config;
  config.data_dir = "./twinmq-data";
  config.listeners.emplace_back();
  return config;
}

Result<LoadedConfig, std::vector<Error>> load_config(const ConfigSource& source) {
  app::ConfigDraft draft(daemon_defaults());
  if (!source.file.empty()) app::apply_file(draft, source.file);
  if (!source.listen.empty()) {
    draft.replace_listeners(source.listen.size());
    for (std::size_t i = 0; i < source.listen.size(); ++i) {
      app::apply_text(draft, *app::find_config_key("listener.url"), i, source.listen[i],
                      "--listen");
    }
  }
  if (source.data_dir) {
    app::apply_text(draft, *app::find_config_key("data_dir"), 0, *source.data_dir, "--data-dir");
  }
  if (source.log_level) {
    app::apply_text(draft, *app::find_config_key("log.level"), 0, *source.log_level, "--log-level");
  }
  for (const std::string& setting : source.settings) app::apply_setting(draft, setting);
  return std::move(draft).finish();
}

}  // namespace twinmq
