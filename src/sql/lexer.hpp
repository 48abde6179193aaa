#pragma once
// Statement text to tokens.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace twinmq::sql {

enum class TokenKind : std::uint8_t {
  Name,      ///< a word; keywords are words that the parser knows
  Quoted,    ///< a name between backticks: never a keyword
  Variable,  ///< @name, the text without the @
  Text,      ///< between single or double quotes; the quote doubled stands for itself
  Number,
  Sign,  ///< one of ( ) [ ] { } , . : * / % + - = <> != < > <= >=
  End,
  Wrong,  ///< `text` says what is wrong
};

struct Token {
  TokenKind kind = TokenKind::End;
  std::string_view source;  ///< as written
  std::size_t offset = 0;
};

/// Reads one token after the other. The text must outlive the lexer and its tokens.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Token next();

 private:
  Token quoted(std::size_t begin, char quote);
  Token number(std::size_t begin);
  Token taken(TokenKind kind, std::size_t begin) const {
    return {kind, text_.substr(begin, at_ - begin), begin};
  }
  Token wrong(std::string_view what, std::size_t begin) const {
    return {TokenKind::Wrong, what, begin};
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

/// What a token of kind Text or Quoted stands for.
std::string unquoted(const Token& token);

/// Whether two words are the same but for the case of ASCII letters.
bool same_word(std::string_view a, std::string_view b);
std::string lower_case(std::string_view text);

/// Whether the text can stand in a statement as a name without backticks.
bool is_plain_name(std::string_view text);

}  // namespace twinmq::sql
