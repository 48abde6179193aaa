#include "process_meter.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace twinmq::load {
namespace {

std::string proc_path(pid_t pid, const char* rest) {
  return "/proc/" + std::to_string(pid) + "/" + rest;
}

// utime and stime follow the name, which is in parentheses and may hold anything.
std::optional<std::int64_t> read_ticks_ns(pid_t pid) {
  std::ifstream file(proc_path(pid, "stat"));
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(name_end + 1));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  std::int64_t user = 0;
  std::int64_t system = 0;
  if (!(fields >> user >> system)) return std::nullopt;
  return (user + system) * (1'000'000'000 / ::sysconf(_SC_CLK_TCK));
}

}  // namespace

bool ProcessMeter::readable() const {
  return pid_ == 0 || read_ticks_ns(pid_).has_value();
}

std::optional<CpuReading> ProcessMeter::cpu() const {
  if (pid_ == 0) return std::nullopt;
  const auto ticks = read_ticks_ns(pid_);
  if (!ticks) return std::nullopt;
  CpuReading reading;
  reading.ticks_ns = *ticks;
  std::error_code failed;
  std::filesystem::directory_iterator threads(proc_path(pid_, "task"), failed);
  if (failed) return reading;
  for (const auto& thread : threads) {
    std::ifstream file(thread.path() / "schedstat");
    std::int64_t on_cpu_ns = 0;
    if (!(file >> on_cpu_ns)) continue;
    reading.precise_ns += on_cpu_ns;
    reading.threads.push_back(static_cast<pid_t>(std::stol(thread.path().filename())));
  }
  std::sort(reading.threads.begin(), reading.threads.end());
  return reading;
}

std::optional<std::int64_t> ProcessMeter::rss_bytes() const {
  if (pid_ == 0) return std::nullopt;
  std::ifstream rollup(proc_path(pid_, "smaps_rollup"));
  for (std::string line; std::getline(rollup, line);) {
    if (line.rfind("Rss:", 0) == 0) return std::stoll(line.substr(4)) * 1024;
  }
  std::ifstream statm(proc_path(pid_, "statm"));
  std::int64_t size = 0;
  std::int64_t resident = 0;
  if (!(statm >> size >> resident)) return std::nullopt;
  return resident * ::sysconf(_SC_PAGESIZE);
}

std::string ProcessMeter::name() const {
  std::string name;
  if (pid_ != 0) {
    std::ifstream file(proc_path(pid_, "comm"));
    std::getline(file, name);
  }
  return name;
}

std::optional<double> cpu_ns_between(const std::optional<CpuReading>& before,
                                     const std::optional<CpuReading>& after) {
  if (!before || !after) return std::nullopt;
  const bool precise =
      !before->threads.empty() && std::includes(after->threads.begin(), after->threads.end(),
                                                before->threads.begin(), before->threads.end());
  return static_cast<double>(precise ? after->precise_ns - before->precise_ns
                                     : after->ticks_ns - before->ticks_ns);
}

}  // namespace twinmq::load
