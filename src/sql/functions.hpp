#pragma once
// The functions of statements, by name.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "sql/evaluation.hpp"

namespace twinmq::sql {

struct Function {
  std::string_view name;  ///< in lower case
  std::uint8_t arguments_min;
  std::uint8_t arguments_max;  ///< kAnyNumber: no limit
  json::Value (*run)(const Call& call);
  bool superset = false;   ///< not in AWS IoT SQL
  bool remembers = false;  ///< has a cell of state for each partition
};

constexpr std::uint8_t kAnyNumber = 255;

/// nullptr: there is none. Names are not case-sensitive.
const Function* find_function(std::string_view name);

/// The name that is meant when only a letter or two are wrong; empty: none is near. `superset`: of
/// all.
std::string_view nearest_function(std::string_view name, bool superset);

/// A UUID of version 4.
std::string new_uuid(World* world);

/// The message's; made now, if it has none yet. Empty: it cannot have one.
std::string_view trace_id_of(const Event& event, World* world);

/// What a function from outside is called: in lower case, of an ARN
/// (arn:aws:lambda:…:function:NAME) the name.
std::string outside_name(std::string_view text);

/// Every function, for suggestions and documentation.
std::span<const Function> all_functions();

std::span<const Function> number_functions();
std::span<const Function> text_functions();
std::span<const Function> pattern_functions();
std::span<const Function> collection_functions();
std::span<const Function> message_functions();
std::span<const Function> time_functions();
std::span<const Function> codec_functions();
std::span<const Function> digest_functions();
std::span<const Function> lookup_functions();
std::span<const Function> stream_functions();
std::span<const Function> masking_functions();

}  // namespace twinmq::sql
