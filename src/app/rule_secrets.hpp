#pragma once
// Secrets that rules name and never show: rules.secrets says where each one is.

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <twinmq/result.hpp>

namespace twinmq::app {

/// Any thread.
class RuleSecrets {
 public:
  /// Entries are "NAME=file:PATH" or "NAME=env:VARIABLE". Every one must be there now. The error
  /// names the entry, and never what it holds.
  static Result<void> check(const std::vector<std::string>& entries);

  /// Checked ones.
  void set(const std::vector<std::string>& entries);

  /// The text with each ${get_secret('NAME')} in it replaced by what the secret is at this moment,
  /// without a line's end. Blocks while it reads a file. The error says which secret there is not.
  Result<std::string> fill(std::string_view text) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string, std::less<>> places_;  // file:… or env:… by name
};

/// The names of secrets that a text refers to. The error: it holds a ${…} that is something else.
Result<std::vector<std::string>> secret_names(std::string_view text);

}  // namespace twinmq::app
