#include "app/rule_files.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

namespace twinmq::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFilesMax = 10'000;

Error wrong(const std::string& path, const std::string& what) {
  return {ErrorCode::InvalidConfig, path + ": " + what};
}

struct Found {
  std::string path;
  std::string name;  // relative to the directory
};

// Links may lead from one place below the directory to another, and not out of it.
bool is_below(const fs::path& file, const fs::path& directory) {
  std::error_code fault;
  const fs::path whole = fs::canonical(file, fault);
  if (fault) return false;
  return std::mismatch(directory.begin(), directory.end(), whole.begin(), whole.end()).first ==
         directory.end();
}

Result<std::vector<Found>> files_below(const std::string& directory) {
  std::vector<Found> all;
  if (directory.empty()) return all;
  std::error_code fault;
  const fs::path top = fs::canonical(directory, fault);
  if (fault || !fs::is_directory(top))
    return wrong(directory, "this is no directory that can be read");
  std::size_t seen = 0;
  const auto failed = [&] { return wrong(directory, "cannot be read: " + fault.message()); };
  for (fs::recursive_directory_iterator at(top, fault), end; at != end; at.increment(fault)) {
    if (fault) return failed();
    const std::string name = at->path().lexically_relative(top).generic_string();
    const std::string path = (fs::path(directory) / name).string();
    if (at->path().filename().string().starts_with('.')) {
      if (at->is_directory(fault)) at.disable_recursion_pending();
      continue;
    }
    if (++seen > kFilesMax) return wrong(directory, "more than 10000 files");
    if (at->is_symlink(fault) && !is_below(at->path(), top))
      return wrong(path, "this link leads out of the directory");
    if (at->is_regular_file(fault)) all.push_back({path, name});
  }
  if (fault) return failed();
  std::sort(all.begin(), all.end(), [](const Found& a, const Found& b) { return a.name < b.name; });
  return all;
}

Result<std::string> text_of(const std::string& path, std::size_t bytes_max) {
  std::error_code fault;
  const auto size = fs::file_size(path, fault);
  if (fault) return wrong(path, "cannot be read: " + fault.message());
  if (size > bytes_max) return wrong(path, "it takes more room than rules.files_bytes_max leaves");
  std::ifstream file(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file && !file.eof()) return wrong(path, "cannot be read");
  return text;
}

class Reader {
 public:
  explicit Reader(std::size_t bytes_max) : left_(bytes_max) {}

  Result<void> table(const Found& file) {
    const fs::path name(file.name);
    const std::string kind = name.extension().string();
    if (kind != ".csv" && kind != ".json") return {};
    auto text = text_of(file.path, left_);
    if (!text) return text.error();
    auto table = kind == ".csv" ? sql::LookupTable::read_csv(std::move(*text), left_)
                                : sql::LookupTable::read_json(std::move(*text), left_);
    if (!table) return wrong(file.path, table.error().detail);
    left_ -= std::min(left_, (*table)->bytes());
    const std::string short_name = (name.parent_path() / name.stem()).generic_string();
    if (!known.tables.emplace(short_name, std::move(*table)).second)
      return wrong(file.path, "there are two tables \"" + short_name + "\"");
    return {};
  }

  Result<void> descriptor(const Found& file) {
    auto text = text_of(file.path, left_);
    if (!text) return text.error();
    left_ -= text->size();
    auto types = sql::ProtobufTypes::read(*text);
    if (!types) return wrong(file.path, types.error().detail);
    known.descriptors.emplace(file.name, std::move(*types));
    return {};
  }

  sql::KnownFiles known;

 private:
  std::size_t left_;
};

}  // namespace

Result<std::shared_ptr<const sql::KnownFiles>> read_rule_files(const RulesConfig& config) {
  const auto tables = files_below(config.lookup_directory);
  if (!tables) return tables.error();
  const auto descriptors = files_below(config.descriptor_directory);
  if (!descriptors) return descriptors.error();
  Reader reader(config.files_bytes_max);
  for (const Found& each : *tables)
    if (const auto read = reader.table(each); !read) return read.error();
  for (const Found& each : *descriptors)
    if (const auto read = reader.descriptor(each); !read) return read.error();
  return std::make_shared<const sql::KnownFiles>(std::move(reader.known));
}

std::vector<std::string> rule_file_paths(const RulesConfig& config) {
  std::vector<std::string> all;
  for (const std::string& directory : {config.lookup_directory, config.descriptor_directory}) {
    if (directory.empty()) continue;
    all.push_back(directory);
    all.push_back(directory +
                  "/.");  // so that the directory itself is watched, and not what it lies in alone
    std::error_code fault;
    for (fs::recursive_directory_iterator at(directory, fault), end;
         at != end && all.size() < kFilesMax; at.increment(fault)) {
      all.push_back(at->path().string());
      if (at->is_directory(fault)) all.push_back(at->path().string() + "/.");
    }
  }
  return all;
}

}  // namespace twinmq::app
