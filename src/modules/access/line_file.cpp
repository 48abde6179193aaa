#include "modules/access/line_file.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace twinmq::access {
namespace {

constexpr std::string_view kBlank = " \t\r\n\v\f";

ErrorCode code_of(int error) {
  if (error == ENOENT) return ErrorCode::NotFound;
  if (error == EACCES || error == EPERM) return ErrorCode::PermissionDenied;
  return ErrorCode::Internal;
}

Error cannot_read(const std::string& path, int error) {
  return Error{code_of(error), path + ": cannot be read: " + std::strerror(error)};
}

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

}  // namespace

Result<std::string> read_file(const std::string& path) {
  const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rb"));
  if (!file) return cannot_read(path, errno);
  std::string text;
  std::array<char, 16384> piece{};
  while (true) {
    const std::size_t got = std::fread(piece.data(), 1, piece.size(), file.get());
    if (got == 0) break;
    if (text.size() + got > kFileBytesMax) {
      return Error{ErrorCode::LimitReached,
                   path + ": larger than " + std::to_string(kFileBytesMax) + " bytes"};
    }
    text.append(piece.data(), got);
  }
  if (std::ferror(file.get()) != 0) return cannot_read(path, errno);
  return text;
}

void for_each_line(std::string_view text,
                   const std::function<void(std::size_t line, std::string_view text)>& visit) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const std::size_t last = line.find_last_not_of(kBlank);
    if (last == std::string_view::npos) continue;
    line = line.substr(0, last + 1);
    if (line[line.find_first_not_of(kBlank)] == '#') continue;
    visit(number, line);
  }
}

std::string quoted(std::string_view input) {
  constexpr std::size_t kBytesShown = 60;
  std::string out = "'";
  for (const char c : input.substr(0, kBytesShown)) {
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
    out += control ? '?' : c;
  }
  if (input.size() > kBytesShown) out += "...";
  return out + "'";
}

void Complaints::add(std::size_t line, std::size_t column, std::string_view what) {
  ++count_;
  if (count_ > kShown) return;
  if (!shown_.empty()) shown_ += '\n';
  shown_ += name_ + ":" + std::to_string(line) + ":" + std::to_string(column) + ": ";
  shown_ += what;
}

Error Complaints::error() const {
  std::string detail = shown_;
  if (count_ > kShown) detail += "\nand " + std::to_string(count_ - kShown) + " more";
  return Error{ErrorCode::InvalidConfig, std::move(detail)};
}

}  // namespace twinmq::access
