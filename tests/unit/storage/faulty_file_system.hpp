#pragma once
// A file system for RocksDB that forgets at a power cut what was not synced, and that fails when
// told to.

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

namespace twinmq::testing {

class FaultyFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  FaultyFileSystem() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  static const char* kClassName() { return "FaultyFileSystem"; }
  const char* Name() const override { return kClassName(); }

  /// From now on whatever would change the disk fails like this, until heal().
  void fail_writes(rocksdb::IOStatus how) { set(writes_, std::move(how)); }
  /// Only syncs fail; what they should have made safe stays unsafe.
  void fail_syncs(rocksdb::IOStatus how) { set(syncs_, std::move(how)); }
  void heal() {
    set(writes_, rocksdb::IOStatus::OK());
    set(syncs_, rocksdb::IOStatus::OK());
  }

  /// Nothing reaches the disk any more. When whoever uses it has gone, forget() makes of the files
  /// what is left of them: what was not synced is gone, and so are files and names whose directory
  /// was not.
  void cut_power() { fail_writes(rocksdb::IOStatus::IOError("no power")); }
  void forget() {
    const std::scoped_lock lock(mutex_);
    for (auto each = renamed_.rbegin(); each != renamed_.rend(); ++each) {
      write(each->from, read(each->to).value_or(""));
      if (each->before) {
        write(each->to, *each->before);
      } else {
        std::filesystem::remove(each->to);
      }
    }
    for (const std::string& name : unnamed_) {
      std::filesystem::remove(name);
      synced_.erase(name);
    }
    for (const auto& [name, size] : synced_) {
      std::error_code gone;
      if (std::filesystem::exists(name, gone) && std::filesystem::file_size(name, gone) > size)
        std::filesystem::resize_file(name, size, gone);
    }
    renamed_.clear();
    unnamed_.clear();
    synced_.clear();
    writes_ = syncs_ = rocksdb::IOStatus::OK();
  }

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* context) override {
    if (auto failed = write_fault(); !failed.ok()) return failed;
    std::unique_ptr<rocksdb::FSWritableFile> file;
    auto status = FileSystemWrapper::NewWritableFile(name, options, &file, context);
    if (!status.ok()) return status;
    const std::scoped_lock lock(mutex_);
    synced_[name] = 0;
    unnamed_.insert(name);
    *result = std::make_unique<File>(*this, name, std::move(file));
    return status;
  }

  rocksdb::IOStatus NewDirectory(const std::string& name, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* result,
                                 rocksdb::IODebugContext* context) override {
    std::unique_ptr<rocksdb::FSDirectory> directory;
    auto status = FileSystemWrapper::NewDirectory(name, options, &directory, context);
    if (status.ok()) *result = std::make_unique<Directory>(*this, std::move(directory));
    return status;
  }

  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* context) override {
    if (auto failed = write_fault(); !failed.ok()) return failed;
    Rename rename{from, to, read(to)};
    auto status = FileSystemWrapper::RenameFile(from, to, options, context);
    if (!status.ok()) return status;
    const std::scoped_lock lock(mutex_);
    synced_[to] = synced_[from];
    synced_.erase(from);
    if (unnamed_.erase(from) > 0) unnamed_.insert(to);
    if (rename.before) unnamed_.erase(to);
    renamed_.push_back(std::move(rename));
    return status;
  }

  rocksdb::IOStatus DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* context) override {
    if (auto failed = write_fault(); !failed.ok()) return failed;
    auto status = FileSystemWrapper::DeleteFile(name, options, context);
    const std::scoped_lock lock(mutex_);
    synced_.erase(name);
    unnamed_.erase(name);
    return status;
  }

 private:
  struct Rename {
    std::string from;
    std::string to;
    std::optional<std::string> before;  ///< what lay at `to`
  };

  class File final : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    File(FaultyFileSystem& system, std::string name, std::unique_ptr<rocksdb::FSWritableFile> file)
        : FSWritableFileOwnerWrapper(std::move(file)), system_(system), name_(std::move(name)) {}

    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* context) override {
      if (auto failed = system_.write_fault(); !failed.ok()) return failed;
      return target()->Append(data, options, context);
    }
    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             const rocksdb::DataVerificationInfo&,
                             rocksdb::IODebugContext* context) override {
      return Append(data, options, context);
    }
    rocksdb::IOStatus Sync(const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* context) override {
      if (auto failed = system_.sync_fault(); !failed.ok()) return failed;
      auto status = target()->Flush(options, context);
      if (status.ok()) system_.synced(name_, target()->GetFileSize(options, context));
      return status;
    }
    rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options,
                            rocksdb::IODebugContext* context) override {
      return Sync(options, context);
    }
    rocksdb::IOStatus Allocate(std::uint64_t, std::uint64_t, const rocksdb::IOOptions&,
                               rocksdb::IODebugContext*) override {
      return rocksdb::IOStatus::OK();
    }
    rocksdb::IOStatus RangeSync(std::uint64_t, std::uint64_t, const rocksdb::IOOptions&,
                                rocksdb::IODebugContext*) override {
      return rocksdb::IOStatus::OK();
    }

   private:
    FaultyFileSystem& system_;
    const std::string name_;
  };

  class Directory final : public rocksdb::FSDirectoryWrapper {
   public:
    Directory(FaultyFileSystem& system, std::unique_ptr<rocksdb::FSDirectory> directory)
        : FSDirectoryWrapper(std::move(directory)), system_(system) {}
    rocksdb::IOStatus Fsync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
      return system_.directory_synced();
    }
    rocksdb::IOStatus FsyncWithDirOptions(const rocksdb::IOOptions&, rocksdb::IODebugContext*,
                                          const rocksdb::DirFsyncOptions&) override {
      return system_.directory_synced();
    }

   private:
    FaultyFileSystem& system_;
  };

  void set(rocksdb::IOStatus& which, rocksdb::IOStatus how) {
    const std::scoped_lock lock(mutex_);
    which = std::move(how);
  }
  rocksdb::IOStatus write_fault() {
    const std::scoped_lock lock(mutex_);
    return writes_;
  }
  rocksdb::IOStatus sync_fault() {
    const std::scoped_lock lock(mutex_);
    return writes_.ok() ? syncs_ : writes_;
  }
  void synced(const std::string& name, std::uint64_t size) {
    const std::scoped_lock lock(mutex_);
    synced_[name] = size;
  }
  rocksdb::IOStatus directory_synced() {
    if (auto failed = sync_fault(); !failed.ok()) return failed;
    const std::scoped_lock lock(mutex_);
    unnamed_.clear();
    renamed_.clear();
    return rocksdb::IOStatus::OK();
  }

  static std::optional<std::string> read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) return std::nullopt;
    return std::string(std::istreambuf_iterator<char>(in), {});
  }
  static void write(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
  }

  std::mutex mutex_;
  rocksdb::IOStatus writes_;
  rocksdb::IOStatus syncs_;
  std::map<std::string, std::uint64_t> synced_;  ///< bytes of each file that a power cut leaves
  std::set<std::string> unnamed_;                ///< made since the directory was synced
  std::vector<Rename> renamed_;                  ///< since then, oldest first
};

}  // namespace twinmq::testing
