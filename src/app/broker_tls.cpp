// The broker's part for TLS: reading what listeners need, renewing it while they serve, and warning
// before certificates expire.

#include <chrono>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "app/broker.hpp"
#include "base/escape.hpp"

namespace twinmq::app {
namespace {

constexpr std::int64_t kWarningDays = 30;
constexpr std::int64_t kDaySeconds = 86'400;

}  // namespace

// Before anything else of a reload changes: what cannot be read refuses all of it.
Result<TlsListeners::Renewal> HouseBroker::prepare_tls(
    const std::vector<ListenerConfig>& listeners) {
  const std::scoped_lock lock(tls_mutex_);
  return tls_.prepare(listeners);
}

void HouseBroker::install_tls(TlsListeners::Renewal renewal,
                              const std::vector<ListenerConfig>& listeners) {
  bool trust_changed = false;
  {
    const std::scoped_lock lock(tls_mutex_);
    tls_files_read_ = renewal.files;
    trust_changed = tls_.install(std::move(renewal), true);
    tls_config_ = listeners;
    certificate_expiry_ = tls_.expiry();
  }
  if (trust_changed) apply_trust();
}

void HouseBroker::apply_trust() {
  const auto set = running();
  if (!set) return;
  log(LogLevel::Info, "trust changed", "applies_to=\"new connections\"");
  set->for_each_inbox([log = log_](ShardThread& thread) {
    const std::size_t closed = thread.connections().judge_again();
    if (closed == 0) return;
    (*log)({LogLevel::Warning, "live connections closed",
            fmt::format("shard={} connections={} because=\"their certificates are not trusted any "
                        "more\"",
                        thread.id(), closed)});
  });
}

std::shared_ptr<net::TlsServer> HouseBroker::tls_of(std::size_t listener) {
  const std::scoped_lock lock(tls_mutex_);
  return tls_.of(tls_config_, listener);
}

void HouseBroker::watch_tls() {
  stop_watching();
  std::vector<std::string> files;
  std::string known;
  {
    const std::scoped_lock lock(tls_mutex_);
    files = tls_files(tls_config_);
    known = tls_files_read_;
  }
  if (files.empty()) return;
  auto watch = FileWatch::start(std::move(files), std::move(known),
                                {[this] { renew_tls(true); }, [this] { on_tls_hour(); }});
  if (!watch) {
    return log(LogLevel::Warning, "files are not watched",
               "reason=" + escaped(watch.error().detail));
  }
  const std::scoped_lock lock(tls_mutex_);
  file_watch_ = std::move(*watch);
}

// Ended outside of the lock, for which its thread may be waiting.
void HouseBroker::stop_watching() {
  std::unique_ptr<FileWatch> watch;
  {
    const std::scoped_lock lock(tls_mutex_);
    watch = std::move(file_watch_);
  }
}

// On the thread of the watch. A reload waits meanwhile, so that neither undoes the other.
void HouseBroker::renew_tls(bool keep_tickets) {
  bool trust_changed = false;
  Error fault;
  {
    const std::scoped_lock lock(tls_mutex_);
    auto renewal = tls_.prepare(tls_config_);
    if (renewal) {
      trust_changed = tls_.install(std::move(*renewal), keep_tickets);
      certificate_expiry_ = tls_.expiry();
    } else {
      fault = renewal.error();
    }
  }
  if (!fault.detail.empty())
    return log(LogLevel::Error, "certificates kept", "reason=" + escaped(fault.detail));
  if (trust_changed) apply_trust();
  log(LogLevel::Info, "certificates renewed", "");
  warn_of_expiry();
}

// A ticket's key opens what was said under it: it does not live longer than a day.
void HouseBroker::on_tls_hour() {
  warn_of_expiry();
  if (++tls_hours_ % 24 == 0) renew_tls(false);
}

void HouseBroker::warn_of_expiry() {
  const auto expiry = static_cast<std::int64_t>(certificate_expiry_.load());
  if (expiry == 0) return;
  const std::int64_t now =
      std::chrono::duration_cast<Seconds>(read_clocks().wall.time_since_epoch()).count();
  if (expiry - now > kWarningDays * kDaySeconds) return;
  const auto when = fmt::gmtime(static_cast<std::time_t>(expiry));
  if (expiry <= now) {
    log(LogLevel::Error, "certificate expired", fmt::format("at={:%Y-%m-%dT%H:%M:%SZ}", when));
  } else {
    log(LogLevel::Warning, "certificate expires soon",
        fmt::format("at={:%Y-%m-%dT%H:%M:%SZ} days={}", when, (expiry - now) / kDaySeconds));
  }
}

}  // namespace twinmq::app
