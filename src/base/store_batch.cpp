#include <twinmq/store.hpp>

namespace twinmq {

void Batch::append(const Batch& other) {
  const std::size_t shift = text_.size();
  text_ += other.text_;
  for (Place place : other.changes_) {
    place.key_at += shift;
    changes_.push_back(place);
  }
}

Batch::Change Batch::operator[](std::size_t index) const {
  const Place& place = changes_[index];
  const std::string_view text = text_;
  return {place.kind, text.substr(place.key_at, place.key_size),
          text.substr(place.key_at + place.key_size, place.value_size)};
}

void Batch::add(Kind kind, std::string_view key, std::string_view value) {
  changes_.push_back({text_.size(), static_cast<std::uint32_t>(key.size()),
                      static_cast<std::uint32_t>(value.size()), kind});
  text_.append(key).append(value);
}

Result<StoreEntries> Store::read(const StoreRange& range) {
  if (range.search) return range.search(*this);
  StoreEntries found;
  std::size_t bytes = 0;
  const Result<void> done =
      scan(range.from, range.to, [&](std::string_view key, std::string_view value) {
        const bool full =
            found.entries.size() >= range.entries_max ||
            (!found.entries.empty() && bytes + key.size() + value.size() > range.bytes_max);
        if (full) {
          found.more = true;
          return false;
        }
        bytes += key.size() + value.size();
        found.entries.emplace_back(key, value);
        return true;
      });
  if (!done) return done.error();
  if (!range.leads_to) return found;
  bytes = 0;
  for (std::size_t i = 0; i < found.entries.size(); ++i) {
    auto& [key, value] = found.entries[i];
    if (const std::string other = range.leads_to(value); !other.empty()) {
      const Result<std::optional<std::string>> behind = get(other);
      if (!behind) return behind.error();
      if (*behind) value += **behind;
    }
    bytes += key.size() + value.size();
    if (i > 0 && bytes > range.bytes_max) {
      found.entries.resize(i);
      found.more = true;
      break;
    }
  }
  return found;
}

}  // namespace twinmq
