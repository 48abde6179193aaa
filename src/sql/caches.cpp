#include <re2/re2.h>

#include "sql/evaluation.hpp"
#include "sql/time_zone.hpp"

namespace twinmq::sql {
namespace {

constexpr std::size_t kPatternsMax = 256;
constexpr std::size_t kPatternBytesMax = 4096;
constexpr std::int64_t kPatternMemory = std::int64_t{2} << 20;
constexpr std::size_t kZonesMax = 600;

}  // namespace

Caches::Caches() = default;
Caches::~Caches() = default;
Caches::Caches(Caches&&) noexcept = default;
Caches& Caches::operator=(Caches&&) noexcept = default;

const re2::RE2* Caches::pattern(std::string_view text) {
  if (text.size() > kPatternBytesMax) return nullptr;
  auto found = patterns_.find(text);
  if (found == patterns_.end()) {
    if (patterns_.size() >= kPatternsMax) patterns_.clear();
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(kPatternMemory);
    auto made = std::make_unique<re2::RE2>(re2::StringPiece(text.data(), text.size()), options);
    found = patterns_.emplace(std::string(text), std::move(made)).first;
  }
  return found->second->ok() ? found->second.get() : nullptr;
}

const TimeZone* Caches::zone(std::string_view name, World* world) {
  auto found = zones_.find(name);
  if (found == zones_.end()) {
    if (zones_.size() >= kZonesMax) zones_.clear();
    found = zones_.emplace(std::string(name), TimeZone::find(name, world)).first;
  }
  return found->second.get();
}

}  // namespace twinmq::sql
