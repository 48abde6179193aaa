#pragma once
// The version of headers and library. The build reads it from here.

#include <string_view>

namespace twinmq {

inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace twinmq
