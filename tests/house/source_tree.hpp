#pragma once
// The tree of sources as the house rules see it: files by path, their includes, their words.

#include <string>
#include <string_view>
#include <vector>

namespace house {

struct Include {
  std::string path;    // as written between the quotes or brackets
  bool angle = false;  // <path>
  unsigned line = 0;
};

struct SourceFile {
  std::string path;  // relative to the root of the project: "src/base/prng.hpp"
  std::string text;

  std::vector<Include> includes() const;
  /// The text with comments and the contents of string literals blanked out, line for line.
  std::string code() const;
  bool is_header() const { return path.ends_with(".hpp") || path.ends_with(".h"); }
};

/// The root of the project, and a file or folder below it.
std::string root();
bool exists(std::string_view relative_path);
std::string read(std::string_view relative_path);

/// Every file below the given folders whose name ends with one of the endings, in the order of
/// their paths.
std::vector<SourceFile> files_below(const std::vector<std::string>& folders,
                                    const std::vector<std::string>& endings);
/// The C++ files of the product: include, src, broker, bench, plugins.
const std::vector<SourceFile>& product_files();

/// The part a file of the product belongs to: "include", "base", "modules/access", "broker",
/// "bench/load", …
std::string part_of(std::string_view path);

/// Where `word` stands alone in the text, not inside a longer word.
bool has_word(std::string_view text, std::string_view word);

/// "path:line" of an offset into the file's text.
std::string place(const SourceFile& file, std::size_t offset);

}  // namespace house
