#pragma once
// What a store may know of keys to write them cheaply.

#include <cstddef>
#include <string_view>

namespace twinmq::records {

/// How many bytes at the start of the key all deliveries of one session share; 0: it is no
/// delivery's key. They are written in ascending order.
std::size_t run_prefix(std::string_view key);

}  // namespace twinmq::records
