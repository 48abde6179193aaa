#pragma once
// What one shard tells another in one go. Most of it is small messages to deliver: these lie one behind the
// other as bytes, so that they cross threads without an allocation on one side and its end on the other.

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
  void deliver(const MessageParts& message, const PartOf& part) {
    Header header = header_of(message, part);
    append(header, message, {});
  }
  /// A DeliverToMember in the same way; `to.message` and `to.part` are not looked at.
  void deliver_to_member(const MessageParts& message, const PartOf& part,
                         const DeliverToMember& to) {
    Header header = header_of(message, part);
    header.to_member = true;
    header.member = to.member;
    header.member_qos = to.qos;
    header.retain_as_published = to.retain_as_published;
    header.subscription_id = to.subscription_id;
    header.share_size = static_cast<std::uint32_t>(to.share.size());
    append(header, message, to.share);
  }

  /// The part is closed without records. Such letters about one transaction after the other are one.
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

  /// Calls reader.deliver(parts, part), reader.deliver_to_member(parts, part, member) for messages in
  /// the batch and reader.read(letter) for any other letter, in order.
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

  struct Header {
    std::uint32_t payload_size;
    std::uint32_t properties_size;
    std::uint16_t topic_size;
    std::uint16_t publisher_size;
    QoS qos;
    bool retain;
    std::uint8_t hops;
    bool to_member;
    std::uint64_t publisher_session;
    Instant expires_at;
    PartOf part;
    SessionKey member;
    std::uint32_t subscription_id;
    std::uint32_t share_size;
    QoS member_qos;
    bool retain_as_published;
  };
  static_assert(std::is_trivially_copyable_v<Header>);

  static Header header_of(const MessageParts& message, const PartOf& part) {
    Header header;
    header.payload_size = static_cast<std::uint32_t>(message.payload.size());
    header.properties_size = static_cast<std::uint32_t>(message.properties.size());
    header.topic_size = static_cast<std::uint16_t>(message.topic.size());
    header.publisher_size = static_cast<std::uint16_t>(message.publisher.size());
    header.qos = message.qos;
    header.retain = message.retain;
    header.hops = message.hops;
    header.to_member = false;
    header.publisher_session = message.publisher_session;
    header.expires_at = message.expires_at;
    header.part = part;
    header.member = {};
    header.subscription_id = 0;
    header.share_size = 0;
    header.member_qos = QoS::AtMostOnce;
    header.retain_as_published = false;
    return header;
  }

  void append(const Header& header, const MessageParts& message, std::string_view share) {
    const std::size_t size = sizeof header + message.topic.size() + message.payload.size() +
                             message.properties.size() + message.publisher.size() + share.size();
    if (text_capacity_ - text_size_ < size) grow(size);
    auto* const run = letters_.empty() ? nullptr : std::get_if<DeliverRun>(&letters_.back());
    if (run) {
      ++run->count;
    } else {
      letters_.emplace_back(DeliverRun{text_size_, 1});
    }
    char* out = text_.get() + text_size_;
    text_size_ += size;
    const auto put = [&out](const void* from, std::size_t bytes) {
      if (bytes > 0) std::memcpy(out, from, bytes);
      out += bytes;
    };
    put(&header, sizeof header);
    for (const std::string_view each :
         {message.topic, message.properties, message.payload, message.publisher, share})
      put(each.data(), each.size());
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
    for (std::size_t i = 0; i < run.count; ++i) {
      Header header;
      std::memcpy(static_cast<void*>(&header), in, sizeof header);
      in += sizeof header;
      const auto take = [&in](std::size_t size) {
        const std::string_view view(in, size);
        in += size;
        return view;
      };
      MessageParts message;
      message.topic = take(header.topic_size);
      message.properties = take(header.properties_size);
      message.payload = take(header.payload_size);
      message.publisher = take(header.publisher_size);
      message.publisher_session = header.publisher_session;
      message.qos = header.qos;
      message.retain = header.retain;
      message.expires_at = header.expires_at;
      message.hops = header.hops;
      if (!header.to_member) {
        reader.deliver(message, header.part);
        continue;
      }
      reader.deliver_to_member(message, header.part,
                               MemberCopy{header.member, header.member_qos,
                                          header.retain_as_published, header.subscription_id,
                                          take(header.share_size)});
    }
  }

  std::vector<Letter> letters_;
  std::unique_ptr<char[]> text_;
  std::size_t text_size_ = 0;
  std::size_t text_capacity_ = 0;
};

}  // namespace twinmq::core
