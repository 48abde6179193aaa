// The log's lines on their way to a file or standard error. The only place that knows spdlog.

#include <twinmq/log.hpp>

#include <atomic>
#include <chrono>
#include <mutex>

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "app/log_format.hpp"

namespace twinmq {
namespace {

using Sink = std::shared_ptr<spdlog::sinks::sink>;

Result<Sink> open_sink(const LogConfig& config) {
  try {
    Sink sink;
    if (config.file.empty()) {
      sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    } else {
      sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(config.file);
    }
    sink->set_pattern("%v");
    return sink;
  } catch (const spdlog::spdlog_ex& fault) {
    return Error{ErrorCode::InvalidConfig,
                 fmt::format("log.file: {} cannot be appended to: {}", config.file, fault.what())};
  }
}

class SpdlogLog final : public Log {
 public:
  SpdlogLog(Sink sink, const LogConfig& config)
      : sink_(std::move(sink)), level_(config.level), json_(config.json) {}

  void write(const LogLine& line) override {
    if (!wants(line.level)) return;
    const auto now = std::chrono::time_point_cast<Milliseconds>(std::chrono::system_clock::now());
    const std::string text = json_ ? app::log_json(line, now) : app::log_text(line, now);
    const std::lock_guard lock(mutex_);
    try {
      sink_->log(spdlog::details::log_msg("", spdlog::level::info, text));
      sink_->flush();
    } catch (const std::exception&) {
      // A full disk under the log is no reason to stop serving; the next line tries again.
    }
  }

  bool wants(LogLevel level) const override { return level >= level_; }

  Result<void> reconfigure(const LogConfig& config) override {
    auto sink = open_sink(config);
    if (!sink) return sink.error();
    const std::lock_guard lock(mutex_);
    sink_ = std::move(*sink);
    level_ = config.level;
    json_ = config.json;
    return {};
  }

 private:
  std::mutex mutex_;
  Sink sink_;
  std::atomic<LogLevel> level_;
  std::atomic<bool> json_;
};

}  // namespace

Result<std::shared_ptr<Log>> Log::open(const LogConfig& config) {
  auto sink = open_sink(config);
  if (!sink) return sink.error();
  return std::shared_ptr<Log>(std::make_shared<SpdlogLog>(std::move(*sink), config));
}

}  // namespace twinmq
