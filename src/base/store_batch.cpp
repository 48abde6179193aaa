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

}  // namespace twinmq
