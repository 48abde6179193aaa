#pragma once
// A password from whoever sits at the terminal, or from a pipe.

#include <string>

#include <twinmq/result.hpp>

namespace twinmq {

/// From a terminal: asked for twice, without echo. Otherwise: the first line of standard input.
Result<std::string> ask_password();

}  // namespace twinmq
