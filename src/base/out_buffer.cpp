#include "base/out_buffer.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <new>

namespace twinmq::base {

namespace {

using out_buffer_detail::Chunk;

// What a lent piece keeps in its room.
struct Loan {
  MessageRef message;
  const char* bytes;
};
static_assert(sizeof(Chunk) + sizeof(Loan) <= 64 && sizeof(Chunk) % alignof(Loan) == 0);

Loan& loan_of(Chunk* chunk) {
  return *std::launder(reinterpret_cast<Loan*>(chunk->room()));
}

bool inside(const Message& message, std::string_view part) {
  const std::less_equal<const char*> not_after;
  const char* begin = message.topic().data();
  return not_after(begin, part.data()) &&
         not_after(part.data() + part.size(), begin + (message.footprint() - sizeof(Message)));
}

}  // namespace

void OutBuffer::append(std::string_view bytes, ChunkPool& pool) {
  while (!bytes.empty()) {
    if (!tail_ || tail_->end == tail_->capacity)
      add_chunk(std::min(bytes.size(), kReserveMax), pool);
    const std::size_t fits = std::min<std::size_t>(bytes.size(), tail_->capacity - tail_->end);
    std::memcpy(tail_->room() + tail_->end, bytes.data(), fits);
    commit(fits);
    bytes.remove_prefix(fits);
  }
}

void OutBuffer::append_shared(const MessageRef& message, std::string_view part, ChunkPool& pool) {
  if (part.empty()) return;
  TWINMQ_ASSERT(message && inside(*message, part));
  Chunk* chunk = pool.take(ChunkPool::kLent);
  ::new (static_cast<void*>(chunk->room())) Loan{message, part.data()};
  chunk->capacity = static_cast<std::uint32_t>(part.size());
  link(chunk);
  commit(part.size());
}

std::size_t OutBuffer::gather(iovec* out, std::size_t n) const {
  std::size_t pieces = 0;
  for (Chunk* chunk = head_; chunk && pieces < n; chunk = chunk->next) {
    if (chunk->begin == chunk->end) continue;
    const void* bytes = chunk->size_class == ChunkPool::kLent
                            ? static_cast<const void*>(loan_of(chunk).bytes)
                            : static_cast<const void*>(chunk->room());
    out[pieces].iov_base = const_cast<char*>(static_cast<const char*>(bytes) + chunk->begin);
    out[pieces].iov_len = chunk->end - chunk->begin;
    ++pieces;
  }
  return pieces;
}

void OutBuffer::consume(std::size_t bytes, ChunkPool& pool) {
  TWINMQ_ASSERT(bytes <= size_);
  if (bytes == size_) return clear(pool);
  size_ -= bytes;
  // More bytes wait than were sent, so the loop ends at a chunk that still has some.
  while (head_->end - head_->begin <= bytes) {
    bytes -= head_->end - head_->begin;
    Chunk* sent = std::exchange(head_, head_->next);
    pool.give_back(sent);
  }
  head_->begin += static_cast<std::uint32_t>(bytes);
}

void OutBuffer::clear(ChunkPool& pool) {
  while (head_) pool.give_back(std::exchange(head_, head_->next));
  tail_ = nullptr;
  size_ = 0;
}

// A connection that sends little gets little: chunks grow while the backlog does. A lent piece
// starts anew, so that the short prefixes between large payloads do not each take a large chunk.
void OutBuffer::add_chunk(std::size_t room, ChunkPool& pool) {
  TWINMQ_ASSERT(room <= kReserveMax);
  std::uint32_t size_class = 0;
  if (tail_ && tail_->size_class != ChunkPool::kLent)
    size_class = std::min(tail_->size_class + 1, 2u);
  while (ChunkPool::kBytes[size_class] - sizeof(Chunk) < room) ++size_class;
  link(pool.take(size_class));
}

void OutBuffer::link(Chunk* chunk) {
  (tail_ ? tail_->next : head_) = chunk;
  tail_ = chunk;
}

void OutBuffer::destroy_all() {
  while (head_) {
    Chunk* chunk = std::exchange(head_, head_->next);
    if (chunk->size_class == ChunkPool::kLent) loan_of(chunk).~Loan();
    ChunkPool::destroy(chunk);
  }
}

ChunkPool::~ChunkPool() {
  for (Chunk*& list : free_)
    while (list) destroy(std::exchange(list, list->next));
}

std::size_t ChunkPool::free_bytes() const {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < kBytes.size(); ++i) sum += free_counts_[i] * kBytes[i];
  return sum;
}

ChunkPool::Chunk* ChunkPool::take(std::uint32_t size_class) {
  Chunk* chunk = free_[size_class];
  if (chunk) {
    free_[size_class] = chunk->next;
    --free_counts_[size_class];
  } else {
    chunk = static_cast<Chunk*>(::operator new(kBytes[size_class]));
  }
  return ::new (static_cast<void*>(chunk)) Chunk{
      nullptr, 0, 0, static_cast<std::uint32_t>(kBytes[size_class] - sizeof(Chunk)), size_class};
}

void ChunkPool::give_back(Chunk* chunk) {
  const std::uint32_t size_class = chunk->size_class;
  if (size_class == kLent) loan_of(chunk).~Loan();
  if ((free_counts_[size_class] + 1) * kBytes[size_class] > free_bytes_max_) return destroy(chunk);
  ++free_counts_[size_class];
  chunk->next = std::exchange(free_[size_class], chunk);
}

void ChunkPool::destroy(Chunk* chunk) {
  ::operator delete(static_cast<void*>(chunk));
}

}  // namespace twinmq::base
