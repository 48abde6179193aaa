#include "modules/shadow/json_tree.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string>

namespace twinmq::shadow {

void* Arena::take(std::size_t bytes) {
  bytes = (bytes + 15) & ~std::size_t{15};
  if (bytes > left_) {
    const std::size_t block = std::max(bytes, kBlockBytes);
    blocks_.push_back(std::make_unique_for_overwrite<std::byte[]>(block));
    if (blocks_.size() == 1) first_bytes_ = block;
    next_ = blocks_.back().get();
    left_ = block;
  }
  void* taken = next_;
  next_ += bytes;
  left_ -= bytes;
  return taken;
}

std::string_view Arena::keep(std::string_view text) {
  if (text.empty()) return {"", 0};
  char* copy = static_cast<char*>(take(text.size()));
  std::memcpy(copy, text.data(), text.size());
  return {copy, text.size()};
}

void Arena::reset() {
  if (blocks_.empty()) return;
  if (first_bytes_ > kBlockBytes) {
    blocks_.clear();
    next_ = nullptr;
    left_ = 0;
    return;
  }
  blocks_.resize(1);
  next_ = blocks_.front().get();
  left_ = first_bytes_;
}

const Node* find(const Node& object, std::string_view key) {
  const std::span<const Node> members = object.children();
  const auto at = std::lower_bound(
      members.begin(), members.end(), key,
      [](const Node& node, std::string_view wanted) { return node.name() < wanted; });
  return at != members.end() && at->name() == key ? &*at : nullptr;
}

void hold(Node& container, std::span<const Node> members, Arena& arena) {
  container.size = static_cast<std::uint32_t>(members.size());
  container.holds_null = container.null_in_array = false;
  container.depth = 0;
  if (members.empty()) {
    container.child = nullptr;
    return;
  }
  auto* copy = static_cast<Node*>(arena.take(members.size_bytes()));
  std::memcpy(static_cast<void*>(copy), members.data(), members.size_bytes());
  container.child = copy;
  std::uint16_t depth = 0;
  for (const Node& member : members) {
    container.holds_null = container.holds_null || member.holds_null;
    container.null_in_array = container.null_in_array || member.null_in_array;
    depth = std::max(depth, member.depth);
  }
  // What has members ends with them.
  if (container.is_object()) container.expires = 0;
  if (container.kind == Kind::Array && container.holds_null) container.null_in_array = true;
  container.depth = depth == UINT16_MAX ? depth : static_cast<std::uint16_t>(depth + 1);
}

std::size_t put_in_order(std::span<Node> members) {
  const auto before = [](const Node& a, const Node& b) { return a.name() < b.name(); };
  const auto unordered = [](const Node& a, const Node& b) { return !(a.name() < b.name()); };
  if (std::adjacent_find(members.begin(), members.end(), unordered) == members.end())
    return members.size();
  std::stable_sort(members.begin(), members.end(), before);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (kept > 0 && members[kept - 1].name() == members[i].name()) --kept;
    members[kept++] = members[i];
  }
  return kept;
}

namespace {

// digits × 10^exponent, the digits without zeros at either end.
struct Decimal {
  bool negative = false;
  std::string_view whole;     // digits before the point
  std::string_view fraction;  // and behind it
  std::int64_t first = 0;     // power of ten of the first digit that counts
  std::size_t digits = 0;     // how many count

  char digit(std::size_t index) const {
    return index < whole.size() ? whole[index] : fraction[index - whole.size()];
  }
  std::size_t start = 0;  // of the digits that count
};

std::int64_t read_exponent(std::string_view text) {
  constexpr std::int64_t kFar = 1'000'000'000'000;
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  std::int64_t exponent = 0;
  const std::from_chars_result read =
      std::from_chars(text.data(), text.data() + text.size(), exponent);
  if (read.ec == std::errc::result_out_of_range) return text.front() == '-' ? -kFar : kFar;
  return std::clamp(exponent, -kFar, kFar);
}

Decimal read_decimal(std::string_view text) {
  Decimal number;
  if (!text.empty() && text.front() == '-') {
    number.negative = true;
    text.remove_prefix(1);
  }
  std::int64_t exponent = 0;
  if (const std::size_t e = text.find_first_of("eE"); e != text.npos) {
    exponent = read_exponent(text.substr(e + 1));
    text = text.substr(0, e);
  }
  const std::size_t point = text.find('.');
  number.whole = text.substr(0, point);
  if (point != text.npos) number.fraction = text.substr(point + 1);
  std::size_t end = number.whole.size() + number.fraction.size();
  while (end > 0 && number.digit(end - 1) == '0') --end;
  while (number.start < end && number.digit(number.start) == '0') ++number.start;
  number.digits = end - number.start;
  number.first = static_cast<std::int64_t>(number.whole.size()) - 1 -
                 static_cast<std::int64_t>(number.start) + exponent;
  return number;
}

bool same_children(const Node& a, const Node& b) {
  if (a.size != b.size) return false;
  for (std::uint32_t i = 0; i < a.size; ++i) {
    if (a.kind == Kind::Object && a.child[i].name() != b.child[i].name()) return false;
    if (!same_value(a.child[i], b.child[i])) return false;
  }
  return true;
}

}  // namespace

bool same_number(std::string_view a, std::string_view b) {
  if (a == b) return true;
  const Decimal x = read_decimal(a);
  const Decimal y = read_decimal(b);
  if (x.digits != y.digits) return false;
  if (x.digits == 0) return true;
  if (x.negative != y.negative || x.first != y.first) return false;
  for (std::size_t i = 0; i < x.digits; ++i)
    if (x.digit(x.start + i) != y.digit(y.start + i)) return false;
  return true;
}

bool number_fits(std::string_view text) {
  if (text.size() < 300 && text.find_first_of("eE") == text.npos) return true;
  const Decimal number = read_decimal(text);
  return number.digits == 0 || number.first < 309;
}

bool same_value(const Node& a, const Node& b) {
  if (a.kind != b.kind) return false;
  switch (a.kind) {
    case Kind::Null:
    case Kind::False:
    case Kind::True: return true;
    case Kind::Number: return same_number(a.characters(), b.characters());
    case Kind::String: return a.characters() == b.characters();
    case Kind::Array:
    case Kind::Object: return same_children(a, b);
  }
  return false;
}

bool read_integer(const Node& node, std::int64_t& value) {
  if (node.kind != Kind::Number) return false;
  const std::string_view text = node.characters();
  const std::from_chars_result read =
      std::from_chars(text.data(), text.data() + text.size(), value);
  return read.ec == std::errc() && read.ptr == text.data() + text.size();
}

}  // namespace twinmq::shadow
