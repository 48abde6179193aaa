#include "sinks/csv_line.hpp"

#include "json/read.hpp"
#include "json/write.hpp"

namespace twinmq::sinks {

namespace {

void append_field(std::string_view field, std::string& line) {
  const bool blank_edge = !field.empty() && (field.front() == ' ' || field.back() == ' ');
  if (!blank_edge && field.find_first_of(",\"\r\n") == std::string_view::npos) {
    line += field;
    return;
  }
  line += '"';
  for (const char each : field) line.append(each == '"' ? 2 : 1, each);
  line += '"';
}

}  // namespace

std::string csv_header(const std::vector<std::string>& columns) {
  std::string line;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (i > 0) line += ',';
    append_field(columns[i], line);
  }
  return line;
}

Result<std::string> csv_line(std::string_view payload, const std::vector<std::string>& columns) {
  json::Arena arena;
  const auto read = json::read(payload, arena);
  if (!read || !read.value.is(json::Kind::Object))
    return Error{ErrorCode::InvalidArgument, "a line of CSV is made of a JSON object"};
  std::string line;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (i > 0) line += ',';
    const json::Value value = read.value.member(columns[i]);
    if (value.is(json::Kind::String))
      append_field(value.text(), line);
    else if (!value.is_undefined() && !value.is_null())
      append_field(json::text_of(value, json::Numbers::AsWritten), line);
  }
  // A line of one empty field would be no line.
  return line.empty() ? std::string("\"\"") : line;
}

}  // namespace twinmq::sinks
