#include "net/filter_chain.hpp"

#include <utility>

namespace twinmq::net {

FilterChain::FilterChain(std::vector<std::unique_ptr<Filter>> filters)
    : filters_(std::move(filters)) {
  settle(FilterState::Open);
}

void FilterChain::start(FilterRoom& room) {
  if (!filters_.empty()) filters_.front()->start(room.down);
}

// What lies in room.sinking[0] goes through the filters below and on to the socket.
void FilterChain::sink(std::size_t below, FilterRoom& room) {
  ByteBuffer* from = &room.sinking[0];
  ByteBuffer* to = &room.sinking[1];
  if (from->empty()) return;
  for (std::size_t i = below; i-- > 0;) {
    ByteBuffer& out = i == 0 ? room.down : *to;
    const ByteView bytes = from->view();
    const iovec part{const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
    filters_[i]->send({&part, 1}, out);
    from->clear();
    std::swap(from, to);
  }
}

ByteView FilterChain::receive(ByteView bytes, FilterRoom& room) {
  ByteView rising = bytes;
  FilterState trouble = FilterState::Open;
  int turn = 0;
  for (std::size_t i = 0; i < filters_.size();) {
    Filter& filter = *filters_[i];
    ByteBuffer& up = room.rising[turn];
    turn = 1 - turn;
    up.clear();
    room.sinking[0].clear();
    filter.receive(rising, up, i == 0 ? room.down : room.sinking[0]);
    if (i > 0) sink(i, room);
    rising = up.view();
    const FilterState now = filter.state();
    if (now == FilterState::Failed) error_ = filter.error();
    if (now == FilterState::Failed || now == FilterState::Ended) trouble = now;
    if (now == FilterState::Failed || now == FilterState::Handshaking) {
      rising = {};
      break;
    }
    if (i >= told_) {
      filter.tell(*facts_);
      if (now != FilterState::Gone) ++told_;
      if (i + 1 < filters_.size()) {
        room.sinking[0].clear();
        const std::size_t below = now == FilterState::Gone ? i : i + 1;
        filters_[i + 1]->start(below == 0 ? room.down : room.sinking[0]);
        if (now == FilterState::Gone) filters_.erase(filters_.begin() + static_cast<long>(i));
        if (below > 0) sink(below, room);
        if (now == FilterState::Gone) continue;
      } else if (now == FilterState::Gone) {
        filters_.pop_back();
        break;
      }
    }
    if (rising.empty()) break;
    ++i;
  }
  settle(trouble);
  return rising;
}

void FilterChain::settle(FilterState trouble) {
  if (trouble != FilterState::Open) {
    state_ = trouble;
  } else if (filters_.empty()) {
    state_ = FilterState::Gone;
  } else {
    state_ = told_ == filters_.size() ? FilterState::Open : FilterState::Handshaking;
  }
}

void FilterChain::send(std::span<const iovec> parts, FilterRoom& room) {
  if (filters_.empty()) {
    for (const iovec& part : parts)
      room.down.append({static_cast<const std::uint8_t*>(part.iov_base), part.iov_len});
    return;
  }
  const std::size_t top = filters_.size() - 1;
  room.sinking[0].clear();
  filters_[top]->send(parts, top == 0 ? room.down : room.sinking[0]);
  sink(top, room);
  for (const auto& filter : filters_) {
    if (filter->state() != FilterState::Failed) continue;
    error_ = filter->error();
    state_ = FilterState::Failed;
  }
}

void FilterChain::end(FilterRoom& room) {
  for (std::size_t i = filters_.size(); i-- > 0;) {
    if (filters_[i]->state() != FilterState::Open && filters_[i]->state() != FilterState::Ended)
      continue;
    room.sinking[0].clear();
    filters_[i]->end(i == 0 ? room.down : room.sinking[0]);
    if (i > 0) sink(i, room);
  }
}

std::string_view FilterChain::objection() {
  for (const auto& filter : filters_) {
    if (const std::string_view why = filter->objection(); !why.empty()) return why;
  }
  return {};
}

std::size_t FilterChain::memory() const {
  std::size_t sum = sizeof *this + filters_.capacity() * sizeof(filters_[0]) + waiting.capacity();
  for (const auto& filter : filters_) sum += filter->memory();
  return sum;
}

}  // namespace twinmq::net
