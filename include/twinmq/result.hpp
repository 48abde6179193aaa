#pragma once
// Result<T, E>: a value, or the reason there is none. Operating errors travel as values; nothing in
// the house throws. The names follow std::expected, which this type will give way to.

#include <cassert>
#include <string>
#include <utility>
#include <variant>

namespace twinmq {

/// What a caller can act on. A code exists only where some caller treats it differently.
enum class ErrorCode {
  InvalidArgument,   ///< the caller's input is wrong; the detail names what, where and what is
                     ///< allowed
  InvalidConfig,     ///< a configuration key or file is wrong; nothing was changed
  NotFound,          ///< the named thing does not exist
  AlreadyExists,     ///< the name is taken
  Unavailable,       ///< the broker is not running, or stops
  AddressInUse,      ///< a listener's address is taken
  PermissionDenied,  ///< the operating system or an access rule refused
  LimitReached,      ///< a configured limit was hit
  StorageFailed,     ///< the store could not write or read
  Corrupt,           ///< stored bytes do not verify
  Internal,          ///< everything else from outside, with the reason in the detail
};

struct Error {
  ErrorCode code = ErrorCode::Internal;
  std::string detail;  ///< one sentence for a person: what, where, why, and what to do next
};

template <typename T, typename E = Error>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(E error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  T& value() & { return *value_pointer(); }
  const T& value() const& { return *value_pointer(); }
  T&& value() && { return std::move(*value_pointer()); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return value_pointer(); }
  const T* operator->() const { return value_pointer(); }

  E& error() & { return *error_pointer(); }
  const E& error() const& { return *error_pointer(); }
  E&& error() && { return std::move(*error_pointer()); }

 private:
  T* value_pointer() {
    assert(has_value());
    return std::get_if<0>(&state_);
  }
  const T* value_pointer() const {
    assert(has_value());
    return std::get_if<0>(&state_);
  }
  E* error_pointer() {
    assert(!has_value());
    return std::get_if<1>(&state_);
  }
  const E* error_pointer() const {
    assert(!has_value());
    return std::get_if<1>(&state_);
  }

  std::variant<T, E> state_;
};

template <typename E>
class [[nodiscard]] Result<void, E> {
 public:
  Result() = default;
  Result(E error) : error_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const { return error_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  E& error() & {
    assert(!has_value());
    return *std::get_if<1>(&error_);
  }
  const E& error() const& {
    assert(!has_value());
    return *std::get_if<1>(&error_);
  }

 private:
  std::variant<std::monostate, E> error_;
};

}  // namespace twinmq
