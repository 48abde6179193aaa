#include "sql/lookup_table.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "json/read.hpp"
#include "json/write.hpp"
#include "sql/utf8.hpp"

namespace twinmq::sql {

using json::Kind;
using json::Member;
using json::Value;

namespace {

// A node of the table beside what the arena counts.
constexpr std::size_t kRowBytes = 64;

Error wrong(std::string what) {
  return {ErrorCode::InvalidConfig, std::move(what)};
}

Error too_large() {
  return wrong("it takes more room than rules.files_bytes_max leaves");
}

std::string line_name(std::size_t line) {
  return "line " + std::to_string(line) + ": ";
}

// The fields of one record after the other.
class CsvReader {
 public:
  CsvReader(std::string_view text, json::Arena& arena) : text_(text), arena_(arena) {}

  bool at_end() const { return text_.empty(); }
  std::size_t line() const { return line_; }

  // False: a quote is never closed, or something follows a closed one.
  bool record(std::vector<std::string_view>& fields) {
    fields.clear();
    while (true) {
      const auto field = text_.starts_with('"') ? quoted() : plain();
      if (!field) return false;
      fields.push_back(*field);
      if (text_.starts_with(',')) {
        text_.remove_prefix(1);
        continue;
      }
      if (text_.starts_with("\r\n")) text_.remove_prefix(1);
      if (!text_.empty() && text_.front() != '\n') return false;
      if (!text_.empty()) text_.remove_prefix(1);
      ++line_;
      return true;
    }
  }

 private:
  std::optional<std::string_view> plain() {
    const std::size_t end = std::min(text_.find_first_of(",\n"), text_.size());
    std::string_view field = text_.substr(0, end);
    if (end < text_.size() && text_[end] == '\n' && field.ends_with('\r')) field.remove_suffix(1);
    text_.remove_prefix(field.size());
    if (field.find('"') != std::string_view::npos) return std::nullopt;
    return field;
  }

  std::optional<std::string_view> quoted() {
    std::string made;
    text_.remove_prefix(1);
    while (true) {
      const std::size_t quote = text_.find('"');
      if (quote == std::string_view::npos) return std::nullopt;
      made += text_.substr(0, quote);
      line_ += static_cast<std::size_t>(
          std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(quote), '\n'));
      text_.remove_prefix(quote + 1);
      if (!text_.starts_with('"')) return arena_.copy(made);
      made += '"';
      text_.remove_prefix(1);
    }
  }

  std::string_view text_;
  json::Arena& arena_;
  std::size_t line_ = 1;
};

// A number is what JSON takes for one.
Value value_of(std::string_view field, json::Arena& arena) {
  const bool begins =
      !field.empty() && (field.front() == '-' || (field.front() >= '0' && field.front() <= '9'));
  if (begins && field.back() >= '0' && field.back() <= '9') {
    const json::ReadResult read = json::read(field, arena);
    if (read && read.value.is(Kind::Number)) return read.value;
  }
  return Value::string(field);
}

}  // namespace

bool LookupTable::add(const Value& key, const Value& row) {
  return rows_.emplace(key.is(Kind::String) ? key.text() : arena_.copy(json::text_of(key)), row)
      .second;
}

std::size_t LookupTable::bytes() const {
  return text_.size() + arena_.used() + rows_.size() * kRowBytes;
}

Value LookupTable::row(std::string_view key) const {
  const auto found = rows_.find(key);
  return found == rows_.end() ? Value() : found->second;
}

Result<std::shared_ptr<const LookupTable>> LookupTable::read_csv(std::string text,
                                                                 std::size_t bytes_max) {
  std::shared_ptr<LookupTable> table(new LookupTable(std::move(text), bytes_max));
  std::string_view rest = table->text_;
  if (rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);
  if (!is_utf8(rest)) return wrong("it is no UTF-8");
  CsvReader in(rest, table->arena_);
  std::vector<std::string_view> headings;
  std::vector<std::string_view> fields;
  if (in.at_end() || !in.record(headings))
    return wrong("line 1: expected the names of the columns");
  for (std::size_t i = 0; i < headings.size(); ++i)
    if (headings[i].empty() ||
        std::find(headings.begin(), headings.begin() + static_cast<std::ptrdiff_t>(i),
                  headings[i]) != headings.begin() + static_cast<std::ptrdiff_t>(i))
      return wrong("line 1: column " + std::to_string(i + 1) + " has no name of its own");
  while (!in.at_end()) {
    const std::string line = line_name(in.line());
    if (!in.record(fields))
      return wrong(
          line +
          "a quoted field is never closed, or a quote stands inside of one that is not quoted");
    if (fields.size() == 1 && fields[0].empty()) continue;
    if (fields.size() != headings.size())
      return wrong(line + "expected " + std::to_string(headings.size()) + " fields, found " +
                   std::to_string(fields.size()));
    Member* const members = table->arena_.array<Member>(fields.size());
    for (std::size_t i = 0; members != nullptr && i < fields.size(); ++i)
      members[i] = {headings[i], value_of(fields[i], table->arena_)};
    if (table->arena_.exhausted() || table->bytes() > bytes_max) return too_large();
    if (!table->add(Value::string(fields[0]), Value::object({members, fields.size()})))
      return wrong(line + "the key \"" + std::string(fields[0]) + "\" was there before");
  }
  return std::shared_ptr<const LookupTable>(table);
}

Result<std::shared_ptr<const LookupTable>> LookupTable::read_json(std::string text,
                                                                  std::size_t bytes_max) {
  std::shared_ptr<LookupTable> table(new LookupTable(std::move(text), bytes_max));
  const json::ReadResult read = json::read(table->text_, table->arena_);
  if (read.fault == json::ReadFault::OutOfMemory) return too_large();
  if (!read)
    return wrong(
        line_name(1 + static_cast<std::size_t>(std::count(
                          table->text_.begin(),
                          table->text_.begin() + static_cast<std::ptrdiff_t>(read.offset), '\n'))) +
        "it " + std::string(json::describe(read.fault)));
  if (!read.value.is(Kind::Object) && !read.value.is(Kind::Array))
    return wrong("expected an object of rows, or a list of objects");
  for (const Member& each : read.value.members_or_none())
    table->add(Value::string(each.key), each.value);
  const auto items = read.value.is(Kind::Array) ? read.value.items() : std::span<const Value>();
  for (std::size_t i = 0; i < items.size(); ++i) {
    const auto members = items[i].members_or_none();
    if (members.empty() ||
        (!members[0].value.is(Kind::String) && !members[0].value.is(Kind::Number)))
      return wrong("element " + std::to_string(i) +
                   ": expected an object whose first member is the key, a text or a number");
    if (!table->add(members[0].value, items[i]))
      return wrong("element " + std::to_string(i) + ": the key " + json::text_of(members[0].value) +
                   " was there before");
  }
  if (table->arena_.exhausted() || table->bytes() > bytes_max) return too_large();
  return std::shared_ptr<const LookupTable>(table);
}

}  // namespace twinmq::sql
