#pragma once
// Lines in files of users.

#include <optional>
#include <string>
#include <string_view>

#include <twinmq/result.hpp>

namespace twinmq {

/// The text of a password file with the user's line replaced, added, or (no hash) removed. Every
/// other line stays as it is. Nothing: there was no line to remove.
std::optional<std::string> with_entry(std::string_view text, std::string_view user,
                                      const std::optional<std::string>& hash);

/// Whether the user's name can stand in a password file.
Result<void> check_user_name(std::string_view user);

/// Reads the file, changes the user's line, and puts the new file in the place of the old one in a
/// single step, with the old one's mode and owner; a file that is not there yet gets mode 0600, and
/// `first_line` if that is not empty.
Result<void> update_password_file(const std::string& path, std::string_view user,
                                  const std::optional<std::string>& hash,
                                  const std::string& first_line = {});

/// The same for one more line at the end.
Result<void> add_line(const std::string& path, const std::string& line);

}  // namespace twinmq
