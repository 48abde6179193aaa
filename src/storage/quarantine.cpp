#include "storage/quarantine.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>

#include <rocksdb/db.h>
#include <rocksdb/sst_file_reader.h>

namespace twinmq::storage {

namespace fs = std::filesystem;

namespace {

// RocksDB's log: blocks, in them records, each with checksum (4), length (2) and type (1).
constexpr std::size_t kLogBlock = 32'768;
constexpr std::size_t kLogHeader = 7;
// Fewer zeros at the end of a log are padding.
constexpr std::size_t kZerosMin = 64;

std::uint64_t size_of(const std::string& path) {
  std::error_code code;
  const auto size = fs::file_size(path, code);
  return code ? 0 : size;
}

/// Where the first run of zeros begins that stands in a record's place; the file's size: nowhere.
std::uint64_t first_zeros(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string block(kLogBlock, '\0');
  for (std::uint64_t at = 0; in; at += kLogBlock) {
    in.read(block.data(), kLogBlock);
    const auto size = static_cast<std::size_t>(in.gcount());
    std::size_t record = 0;
    while (record + kLogHeader <= size) {
      const auto byte = [&](std::size_t i) {
        return static_cast<std::size_t>(static_cast<unsigned char>(block[record + i]));
      };
      const std::size_t length = byte(4) | byte(5) << 8;
      const std::size_t zeros = std::min(block.find_first_not_of('\0', record), size) - record;
      if (length == 0 && byte(6) == 0 && zeros >= std::min(kZerosMin, kLogBlock - record))
        return at + record;
      record += kLogHeader + length;
    }
  }
  return size_of(path);
}

}  // namespace

bool Quarantine::is_damage(const rocksdb::Status& status) {
  return status.IsCorruption() || status.IsNotFound() || status.IsPathNotFound();
}

bool Quarantine::headless() const {
  std::error_code code;
  return !fs::exists(store_ + "/CURRENT", code) &&
         (!files(".sst").empty() || !files(".log").empty());
}

std::vector<std::string> Quarantine::files(std::string_view ending) const {
  std::vector<std::string> found;
  std::error_code code;
  for (fs::directory_iterator each(store_, code), end; !code && each != end; each.increment(code)) {
    const std::string name = each->path().filename().string();
    if (name.ends_with(ending) && each->is_regular_file(code)) found.push_back(name);
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::string Quarantine::folder() {
  std::error_code code;
  for (unsigned number = 1; folder_.empty(); ++number) {
    const std::string name = quarantine_ + "/" + std::to_string(number);
    if (fs::exists(name, code)) continue;
    fs::create_directories(name, code);
    folder_ = name;
  }
  return folder_;
}

Damage Quarantine::move(const std::string& file, const std::string& because) {
  Damage damage{file, size_of(store_ + "/" + file), because, folder() + "/" + file};
  std::error_code code;
  fs::rename(store_ + "/" + file, damage.kept_as, code);
  if (code) {
    damage.kept_as.clear();
    fs::remove(store_ + "/" + file, code);
  }
  return damage;
}

// By hard links: no byte is copied, and what a file system without them loses is a second look at
// the damage.
void Quarantine::hold_logs() {
  std::error_code code;
  const std::string held = quarantine_ + "/held";
  fs::remove_all(held, code);
  const auto logs = files(".log");
  if (logs.empty()) return;
  fs::create_directories(held, code);
  for (const std::string& name : logs)
    fs::create_hard_link(store_ + "/" + name, held + "/" + name, code);
}

void Quarantine::forget_logs() {
  std::error_code code;
  fs::remove_all(quarantine_ + "/held", code);
  fs::remove(quarantine_, code);  // if it is empty
}

std::vector<Damage> Quarantine::keep_logs(const std::string& because) {
  std::vector<Damage> kept;
  std::error_code code;
  for (fs::directory_iterator each(quarantine_ + "/held", code), end; !code && each != end;
       each.increment(code)) {
    const std::string name = each->path().filename().string();
    const std::string to = folder() + "/" + name;
    std::error_code moved;
    fs::rename(each->path(), to, moved);
    if (!moved) kept.push_back({name, size_of(to), because, to});
  }
  forget_logs();
  return kept;
}

std::vector<Damage> Quarantine::zeros_in_logs() const {
  std::vector<Damage> found;
  for (const std::string& name : files(".log")) {
    const std::string path = store_ + "/" + name;
    const std::uint64_t size = size_of(path);
    const std::uint64_t from = first_zeros(path);
    if (from < size)
      found.push_back({name, size - from, "zeros from byte " + std::to_string(from) + " on", ""});
  }
  return found;
}

Result<std::vector<Damage>> Quarantine::mend(const rocksdb::Options& options) {
  std::vector<Damage> found;
  for (const std::string& name : files(".sst")) {
    rocksdb::SstFileReader table(options);
    rocksdb::Status status = table.Open(store_ + "/" + name);
    if (status.ok()) status = table.VerifyChecksum();
    if (status.ok()) continue;
    if (!is_damage(status))
      return Error{ErrorCode::StorageFailed, name + " cannot be read: " + status.ToString()};
    found.push_back(move(name, status.ToString()));
  }
  const rocksdb::Status repaired = rocksdb::RepairDB(store_, options);
  if (!repaired.ok()) {
    return Error{is_damage(repaired) ? ErrorCode::Corrupt : ErrorCode::StorageFailed,
                 "the store in " + store_ + " cannot be mended: " + repaired.ToString()};
  }
  // What RepairDB has no more use for.
  std::error_code code;
  if (fs::exists(store_ + "/lost", code)) fs::rename(store_ + "/lost", folder() + "/lost", code);
  return found;
}

Result<Damage> Quarantine::set_aside(const std::string& because) {
  const std::string to = folder() + "/store";
  std::error_code code;
  fs::rename(store_, to, code);
  if (code) {
    return Error{ErrorCode::StorageFailed, store_ + " cannot be set aside: " + code.message()};
  }
  return Damage{"store", 0, because, to};
}

}  // namespace twinmq::storage
