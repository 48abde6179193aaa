#include "storage/rocksdb_store.hpp"

#include <sys/statvfs.h>

#include <exception>
#include <filesystem>
#include <mutex>
#include <utility>

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/utilities/checkpoint.h>

#include "base/escape.hpp"
#include "storage/encrypted_env.hpp"
#include "storage/key_ring.hpp"
#include "storage/quarantine.hpp"
#include "storage/rocksdb_options.hpp"

namespace twinmq::storage {

namespace {

using rocksdb::Slice;
using rocksdb::Status;

Slice slice(std::string_view bytes) {
  return {bytes.data(), bytes.size()};
}
std::string_view view(const Slice& bytes) {
  return {bytes.data(), bytes.size()};
}

Error closed() {
  return {ErrorCode::StorageFailed, "the store is closed since it could not be reopened"};
}

}  // namespace

struct RocksDbStore::Setup {
  std::unique_ptr<rocksdb::Env> encrypted;
  rocksdb::Options options;
  std::mutex mutex;
  std::vector<std::string> dropped;  ///< what recovery left out, in RocksDB's words; under mutex
};

Result<std::unique_ptr<RocksDbStore>> RocksDbStore::open(const std::string& data_dir,
                                                         RocksDbParts parts) {
  Result<DataDirectory> directory = DataDirectory::claim(data_dir);
  if (!directory) return directory.error();
  const unsigned newest = parts.form.number;
  Result<unsigned> format = directory->format(newest);
  if (!format && format.error().code == ErrorCode::Corrupt && !parts.config.strict &&
      !parts.read_only) {
    // Each step may be run again: the first form leads to the newest, whichever it was.
    if (parts.log)
      parts.log(LogLevel::Error, "storage damaged",
                "because=" + escaped(format.error().detail) +
                    " action=\"every step to the newest form is run\"");
    if (const Result<void> noted = directory->set_format(1); !noted) return noted.error();
    format = 1u;
  }
  if (!format) return format.error();
  if (*format == 0 && parts.read_only)
    return Error{ErrorCode::NotFound, data_dir + " holds no data"};
  std::unique_ptr<RocksDbStore> store(new RocksDbStore(std::move(*directory), std::move(parts)));
  if (const Result<void> keys = store->open_keys(); !keys) return keys.error();
  if (*format == 0) {
    if (const Result<void> noted = store->directory_.set_format(newest); !noted)
      return noted.error();
  }
  if (const Result<void> opened = store->open_database(); !opened) return opened.error();
  if (*format != 0)
    if (const Result<void> done = store->bring_up_to_date(*format); !done) return done.error();
  return store;
}

Result<void> RocksDbStore::bring_up_to_date(unsigned format) {
  for (; format < parts_.form.number; ++format) {
    const auto& step = parts_.form.steps.at(format - 1);
    if (parts_.read_only) {
      if (!step) continue;
      return Error{ErrorCode::Unavailable, directory_.path() + " has format " +
                                               std::to_string(format) +
                                               "; start the broker once, which brings it to " +
                                               std::to_string(parts_.form.number)};
    }
    const std::string which =
        "from=" + std::to_string(format) + " to=" + std::to_string(format + 1);
    if (step) {
      if (parts_.log) parts_.log(LogLevel::Info, "data are brought to a newer form", which);
      if (const Result<void> done = step(*this); !done)
        return Error{done.error().code, "the data in " + directory_.path() +
                                            " cannot be brought to a newer form (" + which +
                                            "): " + done.error().detail};
    }
    if (const Result<void> noted = directory_.set_format(format + 1); !noted) return noted;
    if (parts_.log) parts_.log(LogLevel::Info, "data have a newer form", which);
  }
  return {};
}

RocksDbStore::RocksDbStore(DataDirectory directory, RocksDbParts parts)
    : directory_(std::move(directory)),
      parts_(std::move(parts)),
      setup_(std::make_unique<Setup>()),
      synced_(directory_.path() + "/SYNCED", !parts_.read_only) {
  setup_->options = rocksdb_options(parts_.config, parts_.run_prefix);
  if (parts_.env != nullptr) setup_->options.env = parts_.env;
  setup_->options.info_log =
      rocksdb_logger([log = parts_.log, setup = setup_.get()](const std::string& line) {
        if (log) log(LogLevel::Warning, "storage warns", "text=" + escaped(line));
        if (line.find(": dropping ") == std::string::npos) return;
        const std::scoped_lock lock(setup->mutex);
        setup->dropped.push_back(line);
      });
}

Result<void> RocksDbStore::open_keys() {
  const std::string file = directory_.path() + "/KEYS";
  std::error_code code;
  const bool encrypted = std::filesystem::exists(file, code);
  const Result<unsigned> format = directory_.format(parts_.form.number);
  if (!format) return format.error();
  if (parts_.config.encryption_key.empty()) {
    if (!encrypted) return {};
    return Error{ErrorCode::PermissionDenied,
                 "the data in " + directory_.path() + " are encrypted; set storage.encryption_key"};
  }
  if (!encrypted && *format != 0) {
    return Error{ErrorCode::PermissionDenied,
                 "the data in " + directory_.path() +
                     " are not encrypted, but storage.encryption_key is set; start without it, or "
                     "with an empty data_dir"};
  }
  const Result<CipherKey> owner = parse_cipher_key(parts_.config.encryption_key);
  if (!owner) return owner.error();
  std::optional<CipherKey> previous;
  if (!parts_.config.encryption_previous_key.empty()) {
    const Result<CipherKey> parsed = parse_cipher_key(parts_.config.encryption_previous_key);
    if (!parsed) return parsed.error();
    previous = *parsed;
  }
  Result<KeyRing> ring = KeyRing::open(file, *owner, previous ? &*previous : nullptr);
  if (!ring) return ring.error();
  setup_->encrypted =
      encrypted_env(*setup_->options.env, std::make_shared<KeyRing>(std::move(*ring)));
  setup_->options.env = setup_->encrypted.get();
  return {};
}

RocksDbStore::~RocksDbStore() {
  close_database();
}

Result<void> RocksDbStore::open_database() {
  if (parts_.read_only) return open_once(true);
  // Otherwise RocksDB warns that it is missing.
  std::error_code ignored;
  std::filesystem::create_directory(directory_.store_path(), ignored);
  Quarantine quarantine(directory_.store_path(), directory_.path() + "/quarantine");
  const bool strict = parts_.config.strict;
  if (damaged_ || quarantine.headless()) {
    const std::string because = damaged_ ? "what was read does not verify" : "CURRENT is missing";
    if (strict) return refused(because);
    if (Result<void> mended = mend(because); !mended) return mended;
    damaged_ = false;
  }
  // In an encrypted log, zeros are as good as any damage: checksums tell.
  const std::vector<Damage> zeros =
      setup_->encrypted ? std::vector<Damage>() : quarantine.zeros_in_logs();
  if (strict && !zeros.empty()) return refused(zeros[0].file + " holds " + zeros[0].because);
  if (strict)
    if (Result<void> whole = check_log_first(); !whole) return whole;
  quarantine.hold_logs();
  {
    const std::scoped_lock lock(setup_->mutex);
    setup_->dropped.clear();
  }
  Result<void> opened = open_once(false);
  if (!opened && damaged_) {
    damaged_ = false;
    if (strict) return refused(opened.error().detail);
    if (Result<void> mended = mend(opened.error().detail); !mended) return mended;
    opened = open_once(false);
  }
  std::string left_out;
  const auto add = [&left_out](const std::string& line) {
    left_out += (left_out.empty() ? "" : "; ") + line;
  };
  {
    const std::scoped_lock lock(setup_->mutex);
    for (const std::string& line : setup_->dropped) add(line);
  }
  for (const Damage& each : zeros) add(each.file + " holds " + each.because);
  if (const std::uint64_t missing = missing_changes(); missing > 0) {
    if (parts_.log)
      parts_.log(LogLevel::Error, "stored changes are missing",
                 fmt::format("missing={} synced={} because=\"a log was cut, damaged or removed\"",
                             missing, synced_.change()));
    add(fmt::format("the last {} changes are missing", missing));
    synced_.set(db_->GetLatestSequenceNumber());  // told once
  }
  if (left_out.empty()) {
    quarantine.forget_logs();
  } else {
    report(quarantine.keep_logs(left_out));
  }
  return opened;
}

// What was synced and is not there: RocksDB takes a log that was cut, or is gone, for one that
// never was longer.
std::uint64_t RocksDbStore::missing_changes() const {
  if (!db_) return 0;
  const std::uint64_t found = db_->GetLatestSequenceNumber();
  return synced_.change() > found ? synced_.change() - found : 0;
}

// Opening for good would write tables of what is left of the log.
Result<void> RocksDbStore::check_log_first() {
  if (synced_.change() == 0) return {};
  if (!open_once(true)) {  // for a reason that opening for good will find again
    damaged_ = false;
    return {};
  }
  const std::uint64_t missing = missing_changes();
  db_.reset();
  if (missing == 0) return {};
  return refused(fmt::format(
      "the last {} changes that were synced are missing: a log was cut or removed", missing));
}

Result<void> RocksDbStore::open_once(bool read_only) {
  rocksdb::DB* db = nullptr;
  Status status;
  // It starts threads of its own, and lets fall through what their constructor throws.
  try {
    status = read_only ? rocksdb::DB::OpenForReadOnly(setup_->options, directory_.store_path(), &db)
                       : rocksdb::DB::Open(setup_->options, directory_.store_path(), &db);
  } catch (const std::exception& refused) {
    return Error{ErrorCode::StorageFailed,
                 "the store in " + directory_.path() + " cannot be opened: " + refused.what()};
  }
  if (!status.ok()) {
    damaged_ = Quarantine::is_damage(status);
    return Error{damaged_ ? ErrorCode::Corrupt : ErrorCode::StorageFailed,
                 "the store in " + directory_.path() + " cannot be opened: " + status.ToString()};
  }
  db_.reset(db);
  written_ = 0;
  return {};
}

Error RocksDbStore::refused(const std::string& because) const {
  return {ErrorCode::Corrupt,
          "the store in " + directory_.path() + " is damaged (" + because +
              ") and storage.strict is set; restore a backup, or start once with "
              "storage.strict = false to serve what is left"};
}

// Sets aside what is damaged; all of it, if nothing can be made of the rest.
Result<void> RocksDbStore::mend(const std::string& because) {
  if (parts_.log)
    parts_.log(LogLevel::Error, "storage damaged",
               "because=" + escaped(because) + " action=\"what does not verify is set aside\"");
  Quarantine quarantine(directory_.store_path(), directory_.path() + "/quarantine");
  const Result<std::vector<Damage>> found = quarantine.mend(setup_->options);
  if (found) {
    report(*found);
    return {};
  }
  if (found.error().code != ErrorCode::Corrupt) return found.error();
  const Result<Damage> whole = quarantine.set_aside(found.error().detail);
  if (!whole) return whole.error();
  report({*whole});
  std::error_code ignored;
  std::filesystem::create_directory(directory_.store_path(), ignored);
  return {};
}

void RocksDbStore::report(const std::vector<Damage>& found) const {
  if (!parts_.log) return;
  for (const Damage& each : found) {
    parts_.log(LogLevel::Error, "stored file set aside",
               "file=" + escaped(each.file) + " bytes=" + std::to_string(each.bytes) +
                   " because=" + escaped(each.because) + " kept_as=" + escaped(each.kept_as));
  }
}

Error RocksDbStore::failed(std::string_view what, const Status& status) {
  if (status.IsCorruption()) damaged_ = true;
  return {status.IsCorruption() ? ErrorCode::Corrupt : ErrorCode::StorageFailed,
          std::string(what) + ": " + status.ToString()};
}

// What was written at durability "os" is synced, so that an orderly end survives whatever comes
// next.
void RocksDbStore::close_database() {
  if (!db_) return;
  if (written_ > 0 && db_->SyncWAL().ok()) synced_.set(db_->GetLatestSequenceNumber());
  static_cast<void>(db_->Close().ok());
  db_.reset();
}

Result<void> RocksDbStore::commit(const Batch& batch, Durability durability) {
  if (batch.empty()) return {};
  const std::shared_lock lock(exchange_);
  if (!db_) return closed();
  constexpr std::size_t kOverhead = 16;  // a change's header in a WriteBatch
  rocksdb::WriteBatch changes(batch.bytes() + kOverhead * batch.size() + 64);
  Status status;
  for (std::size_t i = 0; i < batch.size() && status.ok(); ++i) {
    const Batch::Change change = batch[i];
    switch (change.kind) {
      case Batch::Kind::Put: status = changes.Put(slice(change.key), slice(change.value)); break;
      case Batch::Kind::Erase: status = changes.Delete(slice(change.key)); break;
      case Batch::Kind::EraseRange:
        if (change.key < change.value)
          status = changes.DeleteRange(slice(change.key), slice(change.value));
        break;
    }
  }
  if (!status.ok()) return failed("a batch cannot be built", status);
  rocksdb::WriteOptions options;
  options.sync = durability == Durability::Fsync;
  status = db_->Write(options, &changes);
  if (!status.ok()) {
    written_ = 0;  // the log must not be touched again: RocksDB aborts
    return failed("a commit failed", status);
  }
  written_ = options.sync ? 0 : written_ + batch.size();
  if (options.sync) synced_.set(db_->GetLatestSequenceNumber());
  return {};
}

Result<void> RocksDbStore::scan(std::string_view from, std::string_view to, const Visitor& visit) {
  const std::shared_lock lock(exchange_);
  if (!db_) return closed();
  const Slice end = slice(to);
  rocksdb::ReadOptions options;
  if (!to.empty()) options.iterate_upper_bound = &end;
  options.fill_cache = false;  // a scan must not push out what single reads come back to
  const std::unique_ptr<rocksdb::Iterator> place(db_->NewIterator(options));
  for (place->Seek(slice(from)); place->Valid(); place->Next()) {
    if (!visit(view(place->key()), view(place->value()))) return {};
  }
  if (!place->status().ok()) return failed("a scan failed", place->status());
  return {};
}

Result<std::optional<std::string>> RocksDbStore::get(std::string_view key) {
  const std::shared_lock lock(exchange_);
  if (!db_) return closed();
  std::string value;
  const Status status = db_->Get({}, slice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return failed("a read failed", status);
  return std::optional<std::string>(std::move(value));
}

Result<void> RocksDbStore::reopen() {
  const std::unique_lock lock(exchange_);
  // Not close_database(): syncing again after a failed sync would promise what nobody can know.
  if (db_) static_cast<void>(db_->Close().ok());
  db_.reset();
  return open_database();
}

Result<void> RocksDbStore::verify() {
  const std::shared_lock lock(exchange_);
  if (!db_) return closed();
  const Status status = db_->VerifyChecksum();
  if (!status.ok()) return failed("the store does not verify", status);
  if (const std::uint64_t missing = missing_changes(); missing > 0)
    return Error{
        ErrorCode::Corrupt,
        fmt::format("the last {} changes that were synced are missing: a log was cut or removed",
                    missing)};
  return {};
}

std::uint64_t RocksDbStore::room() const {
  const std::shared_lock lock(exchange_);
  return room_now();
}

std::uint64_t RocksDbStore::room_now() const {
  if (const std::uint64_t most = parts_.config.bytes_max; most > 0 && db_) {
    // What is not yet in tables stands in the log.
    std::uint64_t taken = 0;
    for (const std::string& part : {rocksdb::DB::Properties::kTotalSstFilesSize,
                                    rocksdb::DB::Properties::kCurSizeAllMemTables}) {
      std::uint64_t bytes = 0;
      if (db_->GetIntProperty(part, &bytes)) taken += bytes;
    }
    if (taken >= most) return 0;
  }
  struct statvfs facts {};
  if (statvfs(directory_.path().c_str(), &facts) != 0) return 0;
  return std::uint64_t{facts.f_bavail} * facts.f_frsize;
}

Result<void> RocksDbStore::back_up(const std::string& directory) {
  const std::shared_lock lock(exchange_);
  if (!db_) return closed();
  std::error_code code;
  if (std::filesystem::exists(directory, code)) {
    return Error{ErrorCode::InvalidArgument,
                 directory + " exists; a backup goes into a directory that does not"};
  }
  std::filesystem::create_directories(directory, code);
  if (code) {
    return Error{ErrorCode::StorageFailed, directory + " cannot be created: " + code.message()};
  }
  std::filesystem::permissions(directory, std::filesystem::perms::owner_all, code);
  rocksdb::Checkpoint* made = nullptr;
  Status status = rocksdb::Checkpoint::Create(db_.get(), &made);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  if (status.ok()) status = checkpoint->CreateCheckpoint(directory + "/store");
  if (!status.ok()) return failed("the backup failed", status);
  if (setup_->encrypted) {
    const Result<std::string> keys = read_file(directory_.path() + "/KEYS");
    if (!keys) return keys.error();
    if (Result<void> copied = replace_file(directory + "/KEYS", *keys); !copied) return copied;
  }
  // Last, so that a backup without it is known to be incomplete.
  return replace_file(directory + "/FORMAT", std::to_string(parts_.form.number) + "\n");
}

std::vector<StoreFigure> RocksDbStore::figures() const {
  const std::shared_lock lock(exchange_);
  std::vector<StoreFigure> figures;
  if (!db_) return figures;
  const auto property = [&](const char* name, const std::string& from) {
    std::uint64_t value = 0;
    if (db_->GetIntProperty(from, &value)) figures.push_back({name, value});
  };
  property("keys_estimated", rocksdb::DB::Properties::kEstimateNumKeys);
  property("table_bytes", rocksdb::DB::Properties::kTotalSstFilesSize);
  property("live_data_bytes", rocksdb::DB::Properties::kEstimateLiveDataSize);
  property("write_buffer_bytes", rocksdb::DB::Properties::kCurSizeAllMemTables);
  property("cache_bytes", rocksdb::DB::Properties::kBlockCacheUsage);
  property("compaction_pending_bytes", rocksdb::DB::Properties::kEstimatePendingCompactionBytes);
  property("compactions_running", rocksdb::DB::Properties::kNumRunningCompactions);
  property("background_errors", rocksdb::DB::Properties::kBackgroundErrors);
  figures.push_back({"room_bytes", room_now()});
  return figures;
}

}  // namespace twinmq::storage
