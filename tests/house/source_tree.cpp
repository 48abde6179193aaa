#include "house/source_tree.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace house {

namespace fs = std::filesystem;

namespace {

bool word_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
}

// The part of a path's folders that names a part of the product: two for src/modules/x and
// bench/load.
std::string first_folders(std::string_view path, int count) {
  std::size_t end = 0;
  for (int i = 0; i < count; ++i) {
    const std::size_t slash = path.find('/', end ? end + 1 : 0);
    if (slash == std::string_view::npos) break;
    end = slash;
  }
  return std::string(path.substr(0, end));
}

}  // namespace

std::vector<Include> SourceFile::includes() const {
  std::vector<Include> result;
  unsigned line = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    ++line;
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view rest = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    if (!rest.starts_with("#include ")) continue;
    rest.remove_prefix(9);
    const char close = rest.starts_with('<') ? '>' : '"';
    const std::size_t stop = rest.find(close, 1);
    if (stop == std::string_view::npos) continue;
    result.push_back({std::string(rest.substr(1, stop - 1)), close == '>', line});
  }
  return result;
}

std::string SourceFile::code() const {
  std::string out = text;
  enum { Code, Line, Block, Text, Character } state = Code;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const char c = text[i];
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (c == '\n') {
      if (state == Line) state = Code;
      continue;
    }
    switch (state) {
      case Code:
        if (c == '/' && next == '/') state = Line;
        if (c == '/' && next == '*') state = Block;
        if (c == '"') state = Text;
        if (c == '\'' && (i == 0 || !word_character(text[i - 1]))) state = Character;
        if (state == Line || state == Block) out[i] = ' ';
        break;
      case Block:
        out[i] = ' ';
        if (c == '*' && next == '/') {
          out[++i] = ' ';
          state = Code;
        }
        break;
      case Line: out[i] = ' '; break;
      case Text:
      case Character:
        if (c == (state == Text ? '"' : '\'')) {
          state = Code;
        } else {
          out[i] = ' ';
          if (c == '\\' && next != '\n') out[++i] = ' ';
        }
        break;
    }
  }
  return out;
}

std::string root() {
  return TWINMQ_SOURCE_DIR;
}

bool exists(std::string_view relative_path) {
  return fs::exists(fs::path(root()) / relative_path);
}

std::string read(std::string_view relative_path) {
  std::ifstream in(fs::path(root()) / relative_path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<SourceFile> files_below(const std::vector<std::string>& folders,
                                    const std::vector<std::string>& endings) {
  std::vector<SourceFile> result;
  for (const std::string& folder : folders) {
    if (!exists(folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(root()) / folder)) {
      const std::string path = fs::relative(entry.path(), root()).generic_string();
      const bool wanted =
          std::any_of(endings.begin(), endings.end(),
                      [&](const std::string& ending) { return path.ends_with(ending); });
      if (entry.is_regular_file() && wanted) result.push_back({path, read(path)});
    }
  }
  std::sort(result.begin(), result.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  return result;
}

const std::vector<SourceFile>& product_files() {
  static const std::vector<SourceFile> files =
      files_below({"include", "src", "broker", "bench", "plugins"}, {".hpp", ".cpp", ".h"});
  return files;
}

std::string part_of(std::string_view path) {
  if (path.starts_with("include/")) return "include";
  if (path.starts_with("src/modules/")) return first_folders(path.substr(4), 2);
  if (path.starts_with("src/")) return first_folders(path.substr(4), 1);
  if (path.starts_with("bench/")) return first_folders(path, 2);
  return first_folders(path, 1);
}

bool has_word(std::string_view text, std::string_view word) {
  for (std::size_t at = text.find(word); at != std::string_view::npos;
       at = text.find(word, at + 1)) {
    const bool begins = at == 0 || !word_character(text[at - 1]);
    const std::size_t end = at + word.size();
    if (begins && (end == text.size() || !word_character(text[end]))) return true;
  }
  return false;
}

std::string place(const SourceFile& file, std::size_t offset) {
  const auto end =
      file.text.begin() + static_cast<std::ptrdiff_t>(std::min(offset, file.text.size()));
  return file.path + ":" + std::to_string(1 + std::count(file.text.begin(), end, '\n'));
}

}  // namespace house
