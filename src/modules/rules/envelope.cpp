#include "modules/rules/envelope.hpp"

namespace twinmq::rules {
namespace {

constexpr std::size_t kSizeBytes = 4;

void append_number(std::string& bytes, std::uint64_t number, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(number >> (8 * i) & 0xFF);
}

std::optional<std::uint64_t> take_number(std::string_view& bytes, std::size_t size) {
  if (bytes.size() < size) return std::nullopt;
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < size; ++i)
    number |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  bytes.remove_prefix(size);
  return number;
}

void append_text(std::string& bytes, std::string_view text) {
  append_number(bytes, text.size(), kSizeBytes);
  bytes += text;
}

std::optional<std::string_view> take_text(std::string_view& bytes) {
  const auto size = take_number(bytes, kSizeBytes);
  if (!size || bytes.size() < *size) return std::nullopt;
  const std::string_view text = bytes.substr(0, static_cast<std::size_t>(*size));
  bytes.remove_prefix(text.size());
  return text;
}

}  // namespace

std::string write_envelope(const Envelope& envelope) {
  std::string bytes;
  bytes += static_cast<char>(envelope.qos);
  bytes += static_cast<char>(envelope.retain ? 1 : 0);
  for (const std::string_view text :
       {envelope.topic, envelope.payload, envelope.properties, envelope.publisher,
        envelope.principal, envelope.peer, envelope.trace_id, envelope.answers})
    append_text(bytes, text);
  return bytes;
}

std::optional<Envelope> read_envelope(std::string_view bytes) {
  if (bytes.size() < 2) return std::nullopt;
  Envelope envelope;
  envelope.qos = static_cast<std::uint8_t>(bytes[0]);
  envelope.retain = bytes[1] != 0;
  bytes.remove_prefix(2);
  for (std::string_view* text :
       {&envelope.topic, &envelope.payload, &envelope.properties, &envelope.publisher,
        &envelope.principal, &envelope.peer, &envelope.trace_id, &envelope.answers}) {
    const auto taken = take_text(bytes);
    if (!taken) return std::nullopt;
    *text = *taken;
  }
  if (!bytes.empty() || envelope.qos > 2) return std::nullopt;
  return envelope;
}

std::string write_answers(const Answers& answers) {
  std::string bytes;
  append_number(bytes, answers.seed, sizeof answers.seed);
  for (const auto& [call, answer] : answers.by_call) {
    append_text(bytes, call);
    append_text(bytes, answer);
  }
  return bytes;
}

std::optional<Answers> read_answers(std::string_view bytes) {
  Answers answers;
  const auto seed = take_number(bytes, sizeof answers.seed);
  if (!seed) return std::nullopt;
  answers.seed = *seed;
  while (!bytes.empty()) {
    const auto call = take_text(bytes);
    const auto answer = call ? take_text(bytes) : std::nullopt;
    if (!answer) return std::nullopt;
    answers.by_call.emplace(*call, *answer);
  }
  return answers;
}

}  // namespace twinmq::rules
