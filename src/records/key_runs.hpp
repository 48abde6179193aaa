#pragma once
// What a store may know of keys to write them cheaply.

#include <cstddef>
#include <string_view>

namespace twinmq::records {

/// How many bytes at the start of the key tell that it is written beside the last one with the same
/// bytes: all deliveries of one session share theirs and ascend, as do common messages of one
/// shard; a shadow's document is its only one and is written again and again. 0: neither.
std::size_t run_prefix(std::string_view key);

}  // namespace twinmq::records
