#include <twinmq/message.hpp>

#include <array>
#include <cstring>
#include <new>

namespace twinmq {

namespace {

// Most messages are small and short-lived; with their memory taken from a list, making and ending
// one takes about half as long as with malloc and free (bench/micro/base_message_benchmark.cpp).
// Each thread keeps its own lists; a message that ends on another thread than it began leaves its
// memory there. Sanitizers see every message's own begin and end instead.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kPooled = false;
#elif defined(__has_feature)
constexpr bool kPooled = !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer);
#else
constexpr bool kPooled = true;
#endif

constexpr std::size_t kStep = 64;         // bytes from one size to the next
constexpr std::size_t kSizes = 8;         // so up to 512 bytes
constexpr std::uint32_t kFreeMax = 1024;  // kept per size and thread: 2.3 MB in all

struct FreeBlock {
  FreeBlock* next;
};

struct FreeList {
  FreeBlock* first = nullptr;
  std::uint32_t room =
      0;  // how many more may be kept; 0 before the first and after the end of the thread
};

// Needs no construction or destruction, so that a message may end later than everything else on its
// thread.
constinit thread_local std::array<FreeList, kSizes> free_lists{};
constinit thread_local bool opened = false;

struct Closer {
  ~Closer() {
    for (FreeList& list : free_lists) {
      list.room = 0;
      while (list.first) ::operator delete(std::exchange(list.first, list.first->next));
    }
  }
};

void open_lists() {
  opened = true;
  for (FreeList& list : free_lists) list.room = kFreeMax;
  static thread_local Closer closer;
  static_cast<void>(closer);
}

void* take_memory(std::size_t bytes) {
  const std::size_t size = (bytes - 1) / kStep;
  if (!kPooled || size >= kSizes) return ::operator new(bytes);
  FreeList& list = free_lists[size];
  if (!list.first) return ::operator new((size + 1) * kStep);
  ++list.room;
  return std::exchange(list.first, list.first->next);
}

void give_memory(void* memory, std::size_t bytes) {
  const std::size_t size = (bytes - 1) / kStep;
  if (!kPooled || size >= kSizes) return ::operator delete(memory);
  if (!opened) [[unlikely]]
    open_lists();
  FreeList& list = free_lists[size];
  if (list.room == 0) return ::operator delete(memory);
  --list.room;
  list.first = ::new (memory) FreeBlock{list.first};
}

}  // namespace

MessageRef Message::make(const MessageParts& parts) {
  const std::size_t text =
      parts.topic.size() + parts.properties.size() + parts.payload.size() + parts.publisher.size();
  return MessageRef(new (take_memory(sizeof(Message) + text)) Message(parts));
}

Message::Message(const MessageParts& parts)
    : payload_size_(static_cast<std::uint32_t>(parts.payload.size())),
      properties_size_(static_cast<std::uint32_t>(parts.properties.size())),
      topic_size_(static_cast<std::uint16_t>(parts.topic.size())),
      publisher_size_(static_cast<std::uint16_t>(parts.publisher.size())),
      publisher_session_(parts.publisher_session),
      expires_at_(parts.expires_at),
      qos_(parts.qos),
      retain_(parts.retain),
      hops_(parts.hops) {
  char* out = reinterpret_cast<char*>(this + 1);
  for (const std::string_view part :
       {parts.topic, parts.properties, parts.payload, parts.publisher}) {
    if (!part.empty()) std::memcpy(out, part.data(), part.size());
    out += part.size();
  }
}

void MessageRef::destroy(Message* message) {
  const std::size_t bytes = message->footprint();
  message->~Message();
  give_memory(message, bytes);
}

}  // namespace twinmq
