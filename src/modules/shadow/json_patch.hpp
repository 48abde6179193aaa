#pragma once
// RFC 6902 on a shadow: a list of operations whose paths begin with /desired or /reported. All of
// them are done, or none.

#include <string>

#include "modules/shadow/document.hpp"

namespace twinmq::shadow {

/// Applies the operations of `patch`, whose leaves were read as written now. What fails is told as
/// a sentence in `fault`; then nothing changed. The result may hold nulls, and sections that are no
/// objects.
bool apply_patch(const Node& patch, EpochSeconds now, Arena& arena, Node& root, std::string& fault);

/// The document as the tree that patches change: {"desired": …, "reported": …}.
Node patch_root(const Document& document, Arena& arena);

}  // namespace twinmq::shadow
