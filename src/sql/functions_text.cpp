// Functions over texts.

#include <algorithm>
#include <cstring>
#include <string>

#include "sql/conversion.hpp"
#include "sql/functions.hpp"
#include "sql/utf8.hpp"

namespace twinmq::sql {
namespace {

using json::Kind;
using json::Value;

constexpr std::int64_t kPaddingMax = 1000;

struct Texts {
  std::optional<std::string_view> first;
  std::optional<std::string_view> second;
};

Texts two_texts(const Call& call) {
  return {text_of(call[0], call.evaluation), text_of(call[1], call.evaluation)};
}

Value joined(const Call& call) {
  std::size_t size = 0;
  std::string_view* parts = call.evaluation.arena.array<std::string_view>(call.size());
  if (parts == nullptr) return {};
  for (std::size_t i = 0; i < call.size(); ++i) {
    const auto text = text_of(call[i], call.evaluation);
    if (!text) return {};
    parts[i] = *text;
    size += text->size();
  }
  char* to = call.evaluation.arena.text(size);
  if (to == nullptr) return {};
  char* out = to;
  for (std::size_t i = 0; i < call.size(); ++i)
    out = std::copy(parts[i].begin(), parts[i].end(), out);
  return Value::string({to, size});
}

Value spliced(const Call& call) {
  std::size_t count = 0;
  for (const Value& value : call.arguments)
    count += value.is(Kind::Array) ? value.items().size() : 1;
  Value* items = call.evaluation.arena.array<Value>(count);
  if (items == nullptr) return {};
  std::size_t at = 0;
  for (const Value& value : call.arguments) {
    if (value.is(Kind::Array))
      for (const Value& item : value.items()) items[at++] = item;
    else if (!value.is_undefined())
      items[at++] = value;
  }
  return Value::array({items, at});
}

Value concat(const Call& call) {
  if (call.size() == 0) return {};
  if (call.size() == 1) return call[0];
  for (const Value& value : call.arguments)
    if (value.is(Kind::Array)) return spliced(call);
  return joined(call);
}

Value chr(const Call& call) {
  const auto code = int_of(call[0]);
  if (!code || *code < 0 || *code > 127) return {};
  const char c = static_cast<char>(*code);
  return text_value({&c, 1}, call.evaluation);
}

Value startswith(const Call& call) {
  const auto [text, start] = two_texts(call);
  return text && start ? Value::boolean(text->starts_with(*start)) : Value();
}

Value endswith(const Call& call) {
  const auto [text, end] = two_texts(call);
  return text && end ? Value::boolean(text->ends_with(*end)) : Value();
}

Value indexof(const Call& call) {
  const auto [text, wanted] = two_texts(call);
  if (!text || !wanted || !call.evaluation.spend(text->size() / 16)) return {};
  const std::size_t at = text->find(*wanted);
  if (at == std::string_view::npos) return Value::integer(-1);
  return Value::integer(static_cast<std::int64_t>(character_count(text->substr(0, at))));
}

Value length(const Call& call) {
  const auto text = text_of(call[0], call.evaluation);
  return text ? Value::integer(static_cast<std::int64_t>(character_count(*text))) : Value();
}

Value numbytes(const Call& call) {
  const auto text = text_of(call[0], call.evaluation);
  return text ? Value::integer(static_cast<std::int64_t>(text->size())) : Value();
}

template <std::uint32_t (*Step)(std::uint32_t)>
Value mapped(const Call& call) {
  const auto text = text_of(call[0], call.evaluation);
  if (!text || !call.evaluation.spend(text->size() / 16)) return {};
  const bool ascii = std::all_of(text->begin(), text->end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0x80) == 0;
  });
  if (!ascii) {
    std::string result;
    for (std::size_t at = 0; at < text->size();)
      append_character(Step(next_character(*text, at)), result);
    return text_value(result, call.evaluation);
  }
  char* to = call.evaluation.arena.text(text->size());
  if (to == nullptr) return {};
  for (std::size_t i = 0; i < text->size(); ++i)
    to[i] = static_cast<char>(Step(static_cast<unsigned char>((*text)[i])));
  return Value::string({to, text->size()});
}

Value padded(const Call& call, bool left) {
  const auto text = text_of(call[0], call.evaluation);
  const auto count = int_of(call[1]);
  if (!text || !count) return {};
  const auto blanks = static_cast<std::size_t>(std::clamp<std::int64_t>(*count, 0, kPaddingMax));
  char* to = call.evaluation.arena.text(text->size() + blanks);
  if (to == nullptr) return {};
  std::memset(to + (left ? 0 : text->size()), ' ', blanks);
  std::copy(text->begin(), text->end(), to + (left ? blanks : 0));
  return Value::string({to, text->size() + blanks});
}

Value lpad(const Call& call) {
  return padded(call, true);
}
Value rpad(const Call& call) {
  return padded(call, false);
}

Value trimmed(const Call& call, bool left, bool right) {
  auto text = text_of(call[0], call.evaluation);
  if (!text) return {};
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (left && !text->empty() && blank(text->front())) text->remove_prefix(1);
  while (right && !text->empty() && blank(text->back())) text->remove_suffix(1);
  return Value::string(*text);
}

Value ltrim(const Call& call) {
  return trimmed(call, true, false);
}
Value rtrim(const Call& call) {
  return trimmed(call, false, true);
}
Value trim(const Call& call) {
  return trimmed(call, true, true);
}

Value replace(const Call& call) {
  const auto [text, wanted] = two_texts(call);
  const auto other = text_of(call[2], call.evaluation);
  if (!text || !wanted || !other || !call.evaluation.spend(text->size() / 16)) return {};
  if (wanted->empty()) return Value::string(*text);
  std::size_t count = 0;
  for (std::size_t at = text->find(*wanted); at != std::string_view::npos;
       at = text->find(*wanted, at + wanted->size()))
    ++count;
  if (count == 0) return Value::string(*text);
  const std::size_t size = text->size() - count * wanted->size() + count * other->size();
  char* to = call.evaluation.arena.text(size);
  if (to == nullptr) return {};
  char* out = to;
  std::size_t begin = 0;
  for (std::size_t at = text->find(*wanted); at != std::string_view::npos;
       at = text->find(*wanted, begin)) {
    out = std::copy(text->begin() + static_cast<std::ptrdiff_t>(begin),
                    text->begin() + static_cast<std::ptrdiff_t>(at), out);
    out = std::copy(other->begin(), other->end(), out);
    begin = at + wanted->size();
  }
  std::copy(text->begin() + static_cast<std::ptrdiff_t>(begin), text->end(), out);
  return Value::string({to, size});
}

Value substring(const Call& call) {
  const auto text = text_of(call[0], call.evaluation);
  const auto from = int_of(call[1]);
  if (!text || !from) return {};
  const auto size = static_cast<std::int64_t>(character_count(*text));
  std::int64_t end = size;
  if (call.size() == 3) {
    const auto to = int_of(call[2]);
    if (!to) return {};
    end = std::clamp<std::int64_t>(*to, 0, size);
  }
  const std::int64_t begin = std::clamp<std::int64_t>(*from, 0, size);
  if (begin >= end) return Value::string("");
  const std::size_t first = character_offset(*text, static_cast<std::size_t>(begin));
  const std::size_t last = character_offset(*text, static_cast<std::size_t>(end));
  return Value::string(text->substr(first, last - first));
}

constexpr Function kFunctions[] = {
    {"concat", 0, kAnyNumber, concat},
    {"chr", 1, 1, chr},
    {"startswith", 2, 2, startswith},
    {"endswith", 2, 2, endswith},
    {"indexof", 2, 2, indexof},
    {"length", 1, 1, length},
    {"numbytes", 1, 1, numbytes},
    {"lower", 1, 1, mapped<lower_character>},
    {"upper", 1, 1, mapped<upper_character>},
    {"lpad", 2, 2, lpad},
    {"rpad", 2, 2, rpad},
    {"ltrim", 1, 1, ltrim},
    {"rtrim", 1, 1, rtrim},
    {"trim", 1, 1, trim},
    {"replace", 3, 3, replace},
    {"substring", 2, 3, substring},
};

}  // namespace

std::span<const Function> text_functions() {
  return kFunctions;
}

}  // namespace twinmq::sql
