// The log's lines on their way to a file or standard error.

#include <twinmq/log.hpp>

#include <fcntl.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>

#include <fmt/format.h>

#include "app/log_format.hpp"
#include "app/log_writer.hpp"

namespace twinmq {
namespace {

Result<net::Descriptor> open_target(const LogConfig& config) {
  net::Descriptor target(
      config.file.empty()
          ? ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)
          : ::open(config.file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  // A program without standard error logs to nobody.
  if (!target && config.file.empty())
    target = net::Descriptor(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  if (target) return target;
  return Error{ErrorCode::InvalidConfig, fmt::format("log.file: {} cannot be appended to: {}",
                                                     config.file, std::strerror(errno))};
}

class WriterLog final : public Log {
 public:
  WriterLog(net::Descriptor target, const LogConfig& config)
      : level_(config.level),
        json_(config.json),
        writer_(std::move(target), [this](std::uint64_t lines) {
          return text_of({LogLevel::Warning, "log lines left out", fmt::format("lines={}", lines)});
        }) {}

  const Result<void>& started() const { return writer_.started(); }

  void write(const LogLine& line) override {
    if (!wants(line.level)) return;
    writer_.write(text_of(line));
  }

  bool wants(LogLevel level) const override { return level >= level_; }
  void flush() override { writer_.flush(); }

  Result<void> reconfigure(const LogConfig& config) override {
    auto target = open_target(config);
    if (!target) return target.error();
    writer_.set_target(std::move(*target));
    level_ = config.level;
    json_ = config.json;
    return {};
  }

 private:
  std::string text_of(const LogLine& line) const {
    const auto now = std::chrono::time_point_cast<Milliseconds>(std::chrono::system_clock::now());
    return json_ ? app::log_json(line, now) : app::log_text(line, now);
  }

  std::atomic<LogLevel> level_;
  std::atomic<bool> json_;
  app::LogWriter writer_;
};

}  // namespace

Result<std::shared_ptr<Log>> Log::open(const LogConfig& config) {
  auto target = open_target(config);
  if (!target) return target.error();
  const auto log = std::make_shared<WriterLog>(std::move(*target), config);
  if (!log->started()) return log->started().error();
  return std::shared_ptr<Log>(log);
}

}  // namespace twinmq
