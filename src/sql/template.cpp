#include "sql/template.hpp"

#include <algorithm>
#include <utility>

#include "json/write.hpp"

namespace twinmq::sql {

std::size_t closing_brace(std::string_view text, std::size_t at) {
  int open = 1;
  char quote = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '\'' || c == '"' || c == '`') {
      quote = c;
    } else if (c == '{') {
      ++open;
    } else if (c == '}' && --open == 0) {
      return at;
    }
  }
  return std::string_view::npos;
}

Result<Template, SyntaxFault> Template::compile(std::string_view text, const Statement& statement,
                                                Dialect dialect) {
  constexpr std::string_view kOpen = "${";
  const std::string_view variables =
      std::string_view(statement.text()).substr(0, statement.syntax().select_offset);
  Template made;
  made.text_ = std::string(text);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t open = text.find(kOpen, at);
    if (const std::string_view plain = text.substr(at, open - at); !plain.empty()) {
      made.pieces_.push_back({std::string(plain), nullptr});
    }
    if (open == std::string_view::npos) break;
    const std::size_t begin = open + kOpen.size();
    const std::size_t close = closing_brace(text, begin);
    if (close == std::string_view::npos) return SyntaxFault{open, "this ${ is never closed by }"};
    const std::string head = std::string(variables) + " SELECT VALUE (";
    const std::string whole = head + std::string(text.substr(begin, close - begin)) + ")";
    auto syntax = parse_statement(whole, dialect);
    const auto moved = [&](const SyntaxFault& fault) {
      const std::size_t inside = fault.offset < head.size() ? 0 : fault.offset - head.size();
      return SyntaxFault{std::min(begin + inside, close), fault.message};
    };
    if (!syntax) return moved(syntax.error());
    // A parenthesis that closes the one around the expression would begin a clause.
    if (!syntax->filters.empty() || syntax->selects[0].where || syntax->grouping || syntax->foreach)
      return SyntaxFault{begin, "a template holds one expression"};
    CompileOptions options;
    options.dialect = dialect;
    options.version = statement.version();
    auto program = sql::compile(*syntax, options);
    if (!program) return moved(program.error());
    if ((*program)->state_slots > 0)
      return SyntaxFault{begin,
                         "functions that remember belong into the statement, not into a template"};
    made.pieces_.push_back({{}, std::move(*program)});
    at = close + 1;
  }
  return made;
}

bool Template::constant() const {
  for (const Piece& piece : pieces_)
    if (piece.program) return false;
  return true;
}

bool Template::asks() const {
  return std::any_of(pieces_.begin(), pieces_.end(), [](const Piece& piece) {
    return piece.program && (piece.program->outside_by_name || !piece.program->outside.empty());
  });
}

void Template::outside(std::vector<OutsideCall>& to) const {
  for (const Piece& piece : pieces_)
    if (piece.program)
      to.insert(to.end(), piece.program->outside.begin(), piece.program->outside.end());
}

bool Template::render(const Event& event, Payload& payload, World* world, Scratch& scratch,
                      const Budget& budget, std::string& to) const {
  State state;
  for (const Piece& piece : pieces_) {
    if (!piece.program) {
      to += piece.text;
      continue;
    }
    const Evaluated evaluated =
        evaluate(*piece.program, event, payload, world, state, scratch, budget);
    if (evaluated.outcome != Outcome::Match) return false;
    if (evaluated.raw)
      to += payload.text();
    else if (evaluated.value.is(json::Kind::String))
      to += evaluated.value.text();
    else
      json::write(evaluated.value, to);
    if (to.size() > budget.memory) return false;
  }
  return true;
}

}  // namespace twinmq::sql
