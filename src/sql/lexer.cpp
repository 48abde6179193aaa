#include "sql/lexer.hpp"

#include <algorithm>

namespace twinmq::sql {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool begins_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         (static_cast<unsigned char>(c) & 0x80) != 0;
}

bool is_name(char c) {
  return begins_name(c) || is_digit(c);
}

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

}  // namespace

Token Lexer::next() {
  while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  const std::size_t begin = at_;
  if (at_ == text_.size()) return taken(TokenKind::End, begin);
  const char c = text_[at_];
  if (c == '\'' || c == '"' || c == '`') return quoted(begin, c);
  if (is_digit(c)) return number(begin);
  if (begins_name(c)) {
    while (at_ < text_.size() && is_name(text_[at_])) ++at_;
    return taken(TokenKind::Name, begin);
  }
  ++at_;
  if (c == '@') {
    if (at_ == text_.size() || !begins_name(text_[at_]))
      return wrong("a variable needs a name after @", begin);
    while (at_ < text_.size() && is_name(text_[at_])) ++at_;
    Token token = taken(TokenKind::Variable, begin);
    token.source.remove_prefix(1);
    return token;
  }
  const char second = at_ < text_.size() ? text_[at_] : '\0';
  if ((c == '<' && (second == '>' || second == '=')) || (c == '>' && second == '=') ||
      (c == '!' && second == '=')) {
    ++at_;
    return taken(TokenKind::Sign, begin);
  }
  if (std::string_view("()[]{},.:*/%+-=<>").find(c) != std::string_view::npos)
    return taken(TokenKind::Sign, begin);
  if (c == ';') return wrong("a statement has no semicolon", begin);
  return wrong("this character has no meaning here", begin);
}

Token Lexer::quoted(std::size_t begin, char quote) {
  for (++at_; at_ < text_.size(); ++at_) {
    if (text_[at_] != quote) continue;
    ++at_;
    if (at_ < text_.size() && text_[at_] == quote) continue;
    return taken(quote == '`' ? TokenKind::Quoted : TokenKind::Text, begin);
  }
  return wrong("the quote that opens here is never closed", begin);
}

Token Lexer::number(std::size_t begin) {
  const auto digits = [&] {
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
  };
  digits();
  if (at_ + 1 < text_.size() && text_[at_] == '.' && is_digit(text_[at_ + 1])) {
    ++at_;
    digits();
  }
  if (at_ < text_.size() && lower(text_[at_]) == 'e') {
    std::size_t ahead = at_ + 1;
    if (ahead < text_.size() && (text_[ahead] == '+' || text_[ahead] == '-')) ++ahead;
    if (ahead < text_.size() && is_digit(text_[ahead])) {
      at_ = ahead;
      digits();
    }
  }
  if (at_ < text_.size() && begins_name(text_[at_])) {
    return wrong(
        "a name cannot begin with a digit: write it between backticks, or use get(object, "
        "\"name\")",
        begin);
  }
  return taken(TokenKind::Number, begin);
}

std::string unquoted(const Token& token) {
  const char quote = token.source.front();
  std::string text;
  text.reserve(token.source.size());
  for (std::size_t at = 1; at + 1 < token.source.size(); ++at) {
    text += token.source[at];
    if (token.source[at] == quote) ++at;
  }
  return text;
}

bool same_word(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

std::string lower_case(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), lower);
  return result;
}

bool is_plain_name(std::string_view text) {
  return !text.empty() && begins_name(text.front()) &&
         std::all_of(text.begin(), text.end(), is_name);
}

}  // namespace twinmq::sql
