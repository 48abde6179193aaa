#pragma once
// JSON values as plugins see them, and back.

#include <string>
#include <string_view>

#include <twinmq/plugin_abi.h>

#include "json/value.hpp"

namespace twinmq::plugins {

inline twinmq_text shown(std::string_view text) {
  return {text.data(), text.size()};
}
inline std::string_view taken(twinmq_text text) {
  return {text.data == nullptr ? "" : text.data, text.size};
}

/// For a plugin's eyes; arrays and objects take room in the arena. Undefined when that is spent.
twinmq_value shown(const json::Value& value, json::Arena& arena);

/// A copy of what a plugin gave. Undefined: what is no value (an unknown kind, NaN), nests deeper
/// than json::kDepthMax, or exceeds the arena.
json::Value taken(const twinmq_value& value, json::Arena& arena);

/// Collects what one call leaves. Hand raw() to the plugin.
class Answer {
 public:
  explicit Answer(json::Arena& arena);
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;

  twinmq_answer* raw() { return &door_.raw; }
  const json::Value& value() const { return value_; }
  /// The text that was given; empty: none.
  std::string_view text() const {
    return value_.is(json::Kind::String) ? value_.text() : std::string_view();
  }
  bool failed() const { return failed_; }
  const std::string& why() const { return why_; }

 private:
  struct Door {
    twinmq_answer raw;  // first, so that its address is the door's
    Answer* self;
  };
  static void give(twinmq_answer* raw, const twinmq_value* value);
  static void fail(twinmq_answer* raw, twinmq_text why);

  Door door_;
  json::Arena& arena_;
  json::Value value_;
  std::string why_;
  bool failed_ = false;
};

}  // namespace twinmq::plugins
