#pragma once
// What one shard tells another in one go. Most of it is small messages to deliver: these lie one
// behind the other as bytes, so that they cross threads without an allocation on one side and its
// end on the other.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <twinmq/message.hpp>

#include "core/mail.hpp"

namespace twinmq::core {

/// Letters in the order they were posted.
class LetterBatch {
 public:
  /// Messages whose text is longer travel as a Message of their own.
  static constexpr std::size_t kInlineMax = 1024;

  static bool fits(const MessageParts& message) {
    return message.topic.size() + message.payload.size() + message.properties.size() +
               message.publisher.size() <=
           kInlineMax;
  }

  void push_back(Letter letter) { letters_.push_back(std::move(letter)); }

  /// A Deliver whose message is copied into the batch; fits(message).
  void deliver(const MessageParts& message, const PartOf& part) { append(message, part, nullptr); }
  /// A DeliverToMember in the same way; `to.message` and `to.part` are not looked at.
  void deliver_to_member(const MessageParts& message, const PartOf& part,
                         const DeliverToMember& to) {
    append(message, part, &to);
  }

  /// The part is closed without records. Such letters about one transaction after the other are
  /// one.
  void close_part(const PartClosed& closed) {
    if (!letters_.empty()) {
      auto* const last = std::get_if<PartClosed>(&letters_.back());
      if (last && !last->records && !last->wants_outcome && last->weight == closed.weight &&
          last->matched == closed.matched && last->refused == closed.refused &&
          last->transaction + last->more + 1 == closed.transaction) {
        ++last->more;
        return;
      }
    }
    PartClosed letter;
    letter.transaction = closed.transaction;
    letter.weight = closed.weight;
    letter.matched = closed.matched;
    letter.refused = closed.refused;
    letters_.emplace_back(std::move(letter));
  }

  bool empty() const { return letters_.empty(); }
  std::size_t size() const { return letters_.size(); }
  std::size_t capacity() const { return letters_.capacity(); }
  void clear() {
    letters_.clear();
    if (text_capacity_ > kKeptText && text_size_ < text_capacity_ / 8) {
      text_.reset();
      text_capacity_ = 0;
    }
    text_size_ = 0;
  }

  /// Calls reader.deliver(parts, part), reader.deliver_to_member(parts, part, member) for messages
  /// in the batch and reader.read(letter) for any other letter, in order.
  template <typename Reader>
  void read(Reader&& reader) {
    for (Letter& letter : letters_) {
      if (const auto* run = std::get_if<DeliverRun>(&letter)) {
        read_run(*run, reader);
      } else {
        reader.read(letter);
      }
    }
  }

 private:
  static constexpr std::size_t kKeptText = 64 * 1024;
  // The other side's cache has the lines that come next; fetching one takes as long as some
  // messages.
  static constexpr std::size_t kAhead = 512;

  // What every message has. Few bytes, because they move from one core's cache to another's; what
  // only some messages have stands behind, in this order: a deadline, a part, a member with its
  // share, and then the texts.
  struct Header {
    std::uint64_t publisher_session;
    std::uint16_t topic_size;
    std::uint16_t properties_size;
    std::uint16_t payload_size;
    std::uint16_t publisher_size;
    QoS qos;
    std::uint8_t hops;
    bool retain : 1;
    bool expires : 1;
    bool in_part : 1;
    bool to_member : 1;
    std::uint8_t opener;
  };
  static_assert(sizeof(Header) == 24 && kInlineMax <= 0xFFFF && kShardsMax <= 0xFF);
  struct Part {
    TransactionId transaction;
    Weight weight;
  };
  struct Member {
    SessionKey key;
    std::uint32_t subscription_id;
    std::uint32_t share_size;
    QoS qos;
    bool retain_as_published;
  };

  static Header header_of(const MessageParts& message, const PartOf& part) {
    Header header;
    header.publisher_session = message.publisher_session;
    header.topic_size = static_cast<std::uint16_t>(message.topic.size());
    header.properties_size = static_cast<std::uint16_t>(message.properties.size());
    header.payload_size = static_cast<std::uint16_t>(message.payload.size());
    header.publisher_size = static_cast<std::uint16_t>(message.publisher.size());
    header.qos = message.qos;
    header.hops = message.hops;
    header.retain = message.retain;
    header.expires = message.expires_at != kNever;
    header.in_part = part.transaction != 0;
    header.to_member = false;
    header.opener = static_cast<std::uint8_t>(part.opener);
    return header;
  }

  // At most what append() writes behind the texts.
  static constexpr std::size_t kHeadMax =
      sizeof(Header) + sizeof(Instant) + sizeof(Part) + sizeof(Member);

  void append(const MessageParts& message, const PartOf& part, const DeliverToMember* to) {
    const std::string_view share = to ? std::string_view(to->share) : std::string_view();
    const std::size_t size_max = kHeadMax + message.topic.size() + message.payload.size() +
                                 message.properties.size() + message.publisher.size() +
                                 share.size();
    if (text_capacity_ - text_size_ < size_max) grow(size_max);
    auto* const run = letters_.empty() ? nullptr : std::get_if<DeliverRun>(&letters_.back());
    if (run) {
      ++run->count;
    } else {
      letters_.emplace_back(DeliverRun{text_size_, 1});
    }
    char* out = text_.get() + text_size_;
    __builtin_prefetch(out + kAhead, 1);
    const auto put = [&out](const void* from, std::size_t bytes) {
      if (bytes > 0) std::memcpy(out, from, bytes);
      out += bytes;
    };
    Header header = header_of(message, part);
    header.to_member = to != nullptr;
    put(&header, sizeof header);
    if (header.expires) put(&message.expires_at, sizeof message.expires_at);
    if (header.in_part) {
      const Part of{part.transaction, part.weight};
      put(&of, sizeof of);
    }
    if (to) {
      const Member member{to->member, to->subscription_id, static_cast<std::uint32_t>(share.size()),
                          to->qos, to->retain_as_published};
      put(&member, sizeof member);
    }
    for (const std::string_view each :
         {message.topic, message.properties, message.payload, message.publisher, share})
      put(each.data(), each.size());
    text_size_ = static_cast<std::size_t>(out - text_.get());
  }

  void grow(std::size_t more) {
    const std::size_t wanted = std::max<std::size_t>(2 * text_capacity_, text_size_ + more + 4096);
    auto larger = std::make_unique_for_overwrite<char[]>(wanted);
    if (text_size_ > 0) std::memcpy(larger.get(), text_.get(), text_size_);
    text_ = std::move(larger);
    text_capacity_ = wanted;
  }

  template <typename Reader>
  void read_run(const DeliverRun& run, Reader& reader) {
    const char* in = text_.get() + run.at;
    const auto get = [&in](void* to, std::size_t bytes) {
      std::memcpy(to, in, bytes);
      in += bytes;
    };
    const auto take = [&in](std::size_t size) {
      const std::string_view view(in, size);
      in += size;
      return view;
    };
    for (std::size_t i = 0; i < run.count; ++i) {
      __builtin_prefetch(in + kAhead);
      Header header;
      get(&header, sizeof header);
      MessageParts message;
      if (header.expires) get(&message.expires_at, sizeof message.expires_at);
      Part of{};
      if (header.in_part) get(&of, sizeof of);
      Member member{};
      if (header.to_member) get(static_cast<void*>(&member), sizeof member);
      message.topic = take(header.topic_size);
      message.properties = take(header.properties_size);
      message.payload = take(header.payload_size);
      message.publisher = take(header.publisher_size);
      message.publisher_session = header.publisher_session;
      message.qos = header.qos;
      message.retain = header.retain;
      message.hops = header.hops;
      const PartOf part{header.opener, of.transaction, of.weight};
      if (header.to_member) {
        reader.deliver_to_member(message, part,
                                 {member.key, member.qos, member.retain_as_published,
                                  member.subscription_id, take(member.share_size)});
      } else {
        reader.deliver(message, part);
      }
    }
  }

  std::vector<Letter> letters_;
  std::unique_ptr<char[]> text_;
  std::size_t text_size_ = 0;
  std::size_t text_capacity_ = 0;
};

}  // namespace twinmq::core
