#pragma once
// Functions that neither SQL nor this house has: whoever knows plugins answers for them.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "json/value.hpp"

namespace twinmq::sql {

/// Names are in lower case. Any thread.
class OutsideFunctions {
 public:
  enum class Kind : std::uint8_t {
    None,
    Fast,    ///< answers call() at once
    Pooled,  ///< answers submit(), later
    Aggregate,
  };

  virtual ~OutsideFunctions() = default;

  virtual Kind kind_of(std::string_view name) const = 0;

  /// Of a Fast one. Undefined: it has no answer, or failed.
  virtual json::Value call(std::string_view name, std::span<const json::Value> arguments,
                           json::Arena& arena) = 0;

  virtual json::Value aggregate(std::string_view name, std::span<const json::Value> values,
                                json::Arena& arena) = 0;

  /// Of a Pooled one; `arguments` is a JSON array. `done` is called once, on any thread and perhaps
  /// before this returns, with the answer as JSON; empty: Undefined, as it is without an answer in
  /// time.
  virtual void submit(std::string_view name, std::string arguments,
                      std::function<void(std::string)> done) = 0;
};

}  // namespace twinmq::sql
