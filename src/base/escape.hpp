#pragma once
// Text that clients sent, made safe for one line of a log or a terminal.

#include <string>
#include <string_view>

namespace twinmq {

/// The text as the value of a key=value pair. Plain words stay as they are. Everything else
/// (blanks, quotes,
/// '=', numbers and truth values, the empty text) is put in quotes, in which control characters,
/// quotes, backslashes and characters that reorder a line are written as JSON escapes, and a byte
/// that is no UTF-8 as
/// \\xNN. The part between the quotes is a JSON string as it stands.
std::string escaped(std::string_view text);

/// The same, always in quotes.
std::string quoted(std::string_view text);

}  // namespace twinmq
