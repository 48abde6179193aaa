#pragma once
// Filters simple enough to be checked by eye.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "net/filter_chain.hpp"

namespace toy {

using namespace twinmq;
using namespace twinmq::net;

/// Every byte plus one, as Cipher sends it; its own inverse is shifted back by the filter.
inline std::string shifted(std::string text) {
  for (char& c : text) c = static_cast<char>(c + 1);
  return text;
}

/// Wants the line "hello", answers with the line "welcome", then shifts every byte; a zero byte
/// ends the stream.
class Cipher final : public Filter {
 public:
  explicit Cipher(std::string principal = "toy")
      : Filter(FilterState::Handshaking), principal_(std::move(principal)) {}

  std::string_view error() const override { return "no greeting"; }
  void receive(ByteView bytes, ByteBuffer& up, ByteBuffer& down) override {
    for (const std::uint8_t byte : bytes) {
      if (state_ == FilterState::Open) {
        if (byte == 0) {
          state_ = FilterState::Ended;
          return;
        }
        const auto plain = static_cast<std::uint8_t>(byte - 1);
        up.append({&plain, 1});
        continue;
      }
      greeting_ += static_cast<char>(byte);
      if (greeting_ == "hello\n") {
        state_ = FilterState::Open;
        down.append(bytes_of("welcome\n"));
      } else if (!std::string_view("hello\n").starts_with(greeting_)) {
        state_ = FilterState::Failed;
        down.append(bytes_of("go away\n"));
        return;
      }
    }
  }
  void send(std::span<const iovec> parts, ByteBuffer& down) override {
    for (const iovec& part : parts) {
      const std::string text(static_cast<const char*>(part.iov_base), part.iov_len);
      down.append(bytes_of(shifted(text)));
    }
  }
  void end(ByteBuffer& down) override { down.append(bytes_of("bye\n")); }
  void tell(ConnectionFacts& facts) const override { facts.principal = principal_; }

 private:
  std::string principal_;
  std::string greeting_;
};

/// Takes an address up to a semicolon, then leaves.
class Header final : public Filter {
 public:
  Header() : Filter(FilterState::Handshaking) {}

  void receive(ByteView bytes, ByteBuffer& up, ByteBuffer&) override {
    const std::string_view text = text_of(bytes);
    const std::size_t end = text.find(';');
    address_ += text.substr(0, end);
    if (end == std::string_view::npos) return;
    state_ = FilterState::Gone;
    up.append(bytes.subspan(end + 1));
  }
  void send(std::span<const iovec> parts, ByteBuffer& down) override {
    for (const iovec& part : parts)
      down.append({static_cast<const std::uint8_t*>(part.iov_base), part.iov_len});
  }
  void tell(ConnectionFacts& facts) const override { facts.peer = address_; }

 private:
  std::string address_;
};

template <typename... Filters>
std::unique_ptr<FilterChain> chain(Filters... filters) {
  std::vector<std::unique_ptr<Filter>> all;
  (all.push_back(std::move(filters)), ...);
  return std::make_unique<FilterChain>(std::move(all));
}

}  // namespace toy
