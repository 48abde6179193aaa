#include "app/rule_secrets.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

namespace twinmq::app {
namespace {

constexpr std::size_t kSecretBytesMax = 8192;
constexpr std::string_view kOpen = "${";
constexpr std::string_view kFile = "file:";
constexpr std::string_view kEnvironment = "env:";

Error wrong(std::string what) {
  return {ErrorCode::InvalidConfig, std::move(what)};
}

std::string_view without_blanks(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// 'text', taken off the front; nothing: there is none.
std::optional<std::string_view> take_quoted(std::string_view& text) {
  text = without_blanks(text);
  if (text.empty() || (text.front() != '\'' && text.front() != '"')) return std::nullopt;
  const std::size_t end = text.find(text.front(), 1);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view quoted = text.substr(1, end - 1);
  text = without_blanks(text.substr(end + 1));
  return quoted;
}

// get_secret('name'[, 'SecretString'][, 'arn:…']): what follows the name is AWS's and means nothing
// here.
std::optional<std::string_view> secret_of(std::string_view expression) {
  constexpr std::string_view kFunction = "get_secret(";
  expression = without_blanks(expression);
  if (!expression.starts_with(kFunction) || !expression.ends_with(')')) return std::nullopt;
  expression = expression.substr(kFunction.size(), expression.size() - kFunction.size() - 1);
  const auto name = take_quoted(expression);
  while (name && expression.starts_with(',')) {
    expression.remove_prefix(1);
    const auto more = take_quoted(expression);
    if (!more || (*more != "SecretString" && !more->starts_with("arn:"))) return std::nullopt;
  }
  return expression.empty() ? name : std::nullopt;
}

// Calls text(…) and secret(name) for the parts of a text, in order. False: an expression is
// something else.
template <typename Text, typename Secret>
bool walk(std::string_view from, const Text& text, const Secret& secret) {
  while (!from.empty()) {
    const std::size_t open = from.find(kOpen);
    text(from.substr(0, open));
    if (open == std::string_view::npos) return true;
    const std::size_t close = from.find('}', open);
    if (close == std::string_view::npos) return false;
    const auto name = secret_of(from.substr(open + kOpen.size(), close - open - kOpen.size()));
    if (!name) return false;
    secret(*name);
    from.remove_prefix(close + 1);
  }
  return true;
}

std::optional<std::string> read_place(std::string_view place) {
  std::string text;
  if (place.starts_with(kEnvironment)) {
    const char* const value = std::getenv(std::string(place.substr(kEnvironment.size())).c_str());
    if (value == nullptr) return std::nullopt;
    text = value;
  } else {
    const std::string path(place.substr(kFile.size()));
    std::error_code fault;
    if (!std::filesystem::is_regular_file(path, fault))
      return std::nullopt;  // a pipe would be waited for
    std::ifstream file(path, std::ios::binary);
    if (!file) return std::nullopt;
    text.resize(kSecretBytesMax + 1);
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (text.size() > kSecretBytesMax) return std::nullopt;
  }
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  return text;
}

std::pair<std::string_view, std::string_view> parts_of(std::string_view entry) {
  const std::size_t equal = entry.find('=');
  if (equal == std::string_view::npos) return {};
  return {entry.substr(0, equal), entry.substr(equal + 1)};
}

}  // namespace

Result<void> RuleSecrets::check(const std::vector<std::string>& entries) {
  std::vector<std::string_view> names;
  for (const std::string& entry : entries) {
    const auto [name, place] = parts_of(entry);
    const bool placed = (place.starts_with(kFile) && place.substr(kFile.size()).starts_with('/')) ||
                        (place.starts_with(kEnvironment) && place.size() > kEnvironment.size());
    // What is no such entry may be a secret itself.
    if (name.empty() || !placed)
      return wrong("entry " + std::to_string(names.size()) +
                   ": expected NAME=file:/PATH or NAME=env:VARIABLE");
    if (std::find(names.begin(), names.end(), name) != names.end())
      return wrong("\"" + std::string(name) + "\" is there twice");
    names.push_back(name);
    if (!read_place(place))
      return wrong("\"" + entry + "\": " +
                   (place.starts_with(kFile)
                        ? "the file cannot be read, or has more than 8192 bytes"
                        : "there is no such variable"));
  }
  return {};
}

void RuleSecrets::set(const std::vector<std::string>& entries) {
  const std::scoped_lock lock(mutex_);
  places_.clear();
  for (const std::string& entry : entries) places_.emplace(parts_of(entry));
}

Result<std::string> RuleSecrets::fill(std::string_view text) const {
  std::string filled;
  std::string missing;
  walk(
      text, [&](std::string_view plain) { filled += plain; },
      [&](std::string_view name) {
        std::string place;
        {
          const std::scoped_lock lock(mutex_);
          if (const auto found = places_.find(name); found != places_.end()) place = found->second;
        }
        const auto secret = place.empty() ? std::nullopt : read_place(place);
        if (secret)
          filled += *secret;
        else
          missing = name;
      });
  if (!missing.empty())
    return Error{ErrorCode::NotFound, "the secret \"" + missing + "\" is not there"};
  return filled;
}

Result<std::vector<std::string>> secret_names(std::string_view text) {
  std::vector<std::string> names;
  if (!walk(
          text, [](std::string_view) {}, [&](std::string_view name) { names.emplace_back(name); }))
    return wrong(
        "a header that names a secret holds ${get_secret('NAME')} and no other expression");
  return names;
}

}  // namespace twinmq::app
