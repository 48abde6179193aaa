#pragma once
// Values to compact JSON text.

#include <string>
#include <string_view>

#include "json/value.hpp"

namespace twinmq::json {

enum class Numbers {
  Stripped,   ///< 10.0 as 10, 1.50 as 1.5
  AsWritten,  ///< 10.0 stays 10.0
};

/// Appends the value without blanks. Members that are Undefined are left out, elements become null;
/// Undefined by itself appends nothing.
void write(const Value& value, std::string& to, Numbers numbers = Numbers::Stripped);

std::string text_of(const Value& value, Numbers numbers = Numbers::Stripped);

/// Appends a text between quotes, with what JSON wants escaped.
void write_text(std::string_view text, std::string& to);

}  // namespace twinmq::json
