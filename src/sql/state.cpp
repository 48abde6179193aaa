#include "sql/state.hpp"

#include <algorithm>
#include <cstring>

namespace twinmq::sql {
namespace {

constexpr char kForm = 1;

void put(std::string& to, std::uint64_t number) {
  for (int i = 0; i < 8; ++i) to += static_cast<char>(number >> (8 * i) & 0xFF);
}

void put(std::string& to, std::string_view text) {
  put(to, text.size());
  to += text;
}

struct Cut {
  std::string_view left;
  bool wrong = false;

  std::uint64_t number() {
    if (left.size() < 8) wrong = true;
    if (wrong) return 0;
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < 8; ++i)
      number |= std::uint64_t{static_cast<unsigned char>(left[i])} << (8 * i);
    left.remove_prefix(8);
    return number;
  }

  std::string_view text() {
    const std::uint64_t size = number();
    if (size > left.size()) wrong = true;
    if (wrong) return {};
    const std::string_view text = left.substr(0, size);
    left.remove_prefix(size);
    return text;
  }

  // A count of things that take at least eight bytes each.
  std::uint64_t count() {
    const std::uint64_t count = number();
    if (count > left.size() / 8) wrong = true;
    return wrong ? 0 : count;
  }
};

}  // namespace

Cell& State::cell(std::uint32_t slot, std::string_view partition, std::int64_t now) {
  ++changes_;
  name_.assign(reinterpret_cast<const char*>(&slot), sizeof slot);
  name_ += partition;
  if (tracked_) touched_.push_back(name_);
  auto found = cells_.find(name_);
  if (found == cells_.end()) {
    if (cells_.size() >= cells_max_) forget_oldest();
    found = cells_.emplace(name_, Cell{}).first;
  }
  found->second.used = now;
  return found->second;
}

void State::forget_oldest() {
  // A sixteenth at a time, so that the search is paid by many.
  std::vector<std::int64_t> times;
  times.reserve(cells_.size());
  for (const auto& [name, cell] : cells_) times.push_back(cell.used);
  const auto border = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 16);
  std::nth_element(times.begin(), border, times.end());
  std::size_t more = times.size() / 16 + 1;
  for (auto it = cells_.begin(); it != cells_.end() && more > 0;) {
    const bool old = it->second.used <= *border;
    it = old ? cells_.erase(it) : std::next(it);
    if (old) --more;
  }
}

namespace {

void put_cell(std::string& text, const Cell& cell) {
  put(text, cell.numbers.size());
  for (const double number : cell.numbers) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &number, sizeof bits);
    put(text, bits);
  }
  put(text, cell.texts.size());
  for (const std::string& one : cell.texts) put(text, one);
  put(text, static_cast<std::uint64_t>(cell.time));
  put(text, static_cast<std::uint64_t>(cell.count));
  put(text, static_cast<std::uint64_t>(cell.used));
}

Cell cut_cell(Cut& cut) {
  Cell cell;
  for (std::uint64_t count = cut.count(); count > 0; --count) {
    const std::uint64_t bits = cut.number();
    double number = 0;
    std::memcpy(&number, &bits, sizeof number);
    cell.numbers.push_back(number);
  }
  for (std::uint64_t count = cut.count(); count > 0; --count) cell.texts.emplace_back(cut.text());
  cell.time = static_cast<std::int64_t>(cut.number());
  cell.count = static_cast<std::int64_t>(cut.number());
  cell.used = static_cast<std::int64_t>(cut.number());
  return cell;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> State::take_touched() {
  std::sort(touched_.begin(), touched_.end());
  touched_.erase(std::unique(touched_.begin(), touched_.end()), touched_.end());
  std::vector<std::pair<std::string, std::string>> cells;
  for (std::string& name : touched_) {
    const auto found = cells_.find(name);
    if (found == cells_.end()) continue;
    std::string text;
    put_cell(text, found->second);
    cells.emplace_back(std::move(name), std::move(text));
  }
  touched_.clear();
  return cells;
}

bool State::restore_cell(std::string_view name, std::string_view text) {
  Cut cut{text};
  Cell cell = cut_cell(cut);
  if (cut.wrong || !cut.left.empty()) return false;
  cells_[std::string(name)] = std::move(cell);
  return true;
}

std::string State::save() const {
  std::string text(1, kForm);
  put(text, cells_.size());
  for (const auto& [name, cell] : cells_) {
    put(text, name);
    put_cell(text, cell);
  }
  return text;
}

bool State::restore(std::string_view text) {
  cells_.clear();
  if (text.empty() || text.front() != kForm) return false;
  Cut cut{text.substr(1)};
  for (std::uint64_t cells = cut.count(); cells > 0 && !cut.wrong; --cells) {
    const std::string name(cut.text());
    Cell cell = cut_cell(cut);
    if (!cut.wrong) cells_[name] = std::move(cell);
  }
  if (cut.wrong || !cut.left.empty()) cells_.clear();
  return !cut.wrong && cut.left.empty();
}

}  // namespace twinmq::sql
