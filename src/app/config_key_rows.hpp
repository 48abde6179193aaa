#pragma once
// How the rows of the table of configuration keys are written, and the sections that make up the
// table.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <twinmq/config.hpp>

#include "app/config_keys.hpp"

namespace twinmq::app {

inline constexpr std::int64_t kU32Max = std::numeric_limits<std::uint32_t>::max();
inline constexpr std::int64_t kI64Max = std::numeric_limits<std::int64_t>::max();
inline constexpr std::int64_t kPacketBytesMax = 268'435'460;
inline constexpr std::int64_t kCacheBytesMin = 1'048'576;

/// The words of an enumeration, in its order.
template <typename Enum>
inline constexpr std::array<std::string_view, 0> kWords{};
template <>
inline constexpr std::array<std::string_view, 3> kWords<Durability>{"none", "os", "fsync"};
template <>
inline constexpr std::array<std::string_view, 2> kWords<StorageProfile>{"gateway", "server"};
template <>
inline constexpr std::array<std::string_view, 3> kWords<StorageCompression>{"none", "lz4", "zstd"};
template <>
inline constexpr std::array<std::string_view, 2> kWords<QueueFullV3>{"close", "accept"};
template <>
inline constexpr std::array<std::string_view, 3> kWords<TlsVerify>{"none", "optional", "required"};
template <>
inline constexpr std::array<std::string_view, 4> kWords<TlsIdentity>{"none", "cn", "san",
                                                                     "fingerprint"};
template <>
inline constexpr std::array<std::string_view, 2> kWords<TlsVersion>{"1.2", "1.3"};
template <>
inline constexpr std::array<std::string_view, 2> kWords<ShadowProfile>{"twinmq", "aws"};
template <>
inline constexpr std::array<std::string_view, 4> kWords<LogLevel>{"debug", "info", "warning",
                                                                  "error"};

template <typename T>
struct Plain {
  using Type = T;
  static constexpr bool kOptional = false;
};
template <typename T>
struct Plain<std::optional<T>> {
  using Type = T;
  static constexpr bool kOptional = true;
};

template <typename T>
ConfigValue to_value(const T& field) {
  if constexpr (Plain<T>::kOptional) {
    return field ? to_value(*field) : ConfigValue();
  } else if constexpr (std::is_enum_v<T>) {
    const auto index = static_cast<std::size_t>(field);
    return std::string(index < kWords<T>.size() ? kWords<T>[index] : "?");
  } else if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, std::string> ||
                       std::is_same_v<T, std::vector<std::string>>) {
    return field;
  } else {
    return static_cast<std::int64_t>(std::min<std::uint64_t>(field, kI64Max));
  }
}

template <typename T>
T from_value(const ConfigValue& value) {
  if constexpr (Plain<T>::kOptional) {
    if (std::holds_alternative<std::monostate>(value)) return std::nullopt;
    return from_value<typename Plain<T>::Type>(value);
  } else if constexpr (std::is_enum_v<T>) {
    const auto word = std::find(kWords<T>.begin(), kWords<T>.end(), std::get<std::string>(value));
    return static_cast<T>(word - kWords<T>.begin());
  } else if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, std::string> ||
                       std::is_same_v<T, std::vector<std::string>>) {
    return std::get<T>(value);
  } else {
    return static_cast<T>(std::get<std::int64_t>(value));
  }
}

/// The field that a path of member pointers leads to; a path into ListenerConfig starts at a
/// listener.
template <auto First, auto... Rest, typename ConfigType>
auto& field_of(ConfigType& config, std::size_t listener) {
  if constexpr (std::is_invocable_v<decltype(First), ListenerConfig&>) {
    return ((config.listeners[listener].*First).*....*Rest);
  } else {
    return ((config.*First).*....*Rest);
  }
}

template <auto... Path>
ConfigKey key_of(std::string_view name, std::string_view sentence) {
  using Field = std::remove_reference_t<decltype(field_of<Path...>(std::declval<Config&>(), 0))>;
  using Type = typename Plain<Field>::Type;
  ConfigKey key{.name = name, .sentence = sentence, .optional = Plain<Field>::kOptional};
  if constexpr (std::is_same_v<Type, bool>) key.kind = KeyKind::Boolean;
  if constexpr (std::is_same_v<Type, std::vector<std::string>>) key.kind = KeyKind::List;
  if constexpr (std::is_enum_v<Type>) {
    key.kind = KeyKind::Choice;
    key.choices = kWords<Type>;
  }
  key.get = [](const Config& config, std::size_t listener) {
    return to_value(field_of<Path...>(config, listener));
  };
  key.set = [](Config& config, std::size_t listener, const ConfigValue& value) {
    field_of<Path...>(config, listener) = from_value<Field>(value);
  };
  return key;
}

template <auto... Path>
ConfigKey number(std::string_view name, std::int64_t min, std::int64_t max,
                 std::string_view sentence) {
  ConfigKey key = key_of<Path...>(name, sentence);
  key.kind = KeyKind::Integer;
  key.min = min;
  key.max = max;
  return key;
}

inline ConfigKey with_example(ConfigKey key, std::string_view example) {
  key.example = example;
  return key;
}

/// The rows of each section, in the order of the documented file.
std::vector<ConfigKey> data_dir_keys();
std::vector<ConfigKey> node_keys();
std::vector<ConfigKey> storage_keys();
std::vector<ConfigKey> listener_keys();
std::vector<ConfigKey> modules_keys();
std::vector<ConfigKey> mqtt_keys();
std::vector<ConfigKey> limits_keys();
std::vector<ConfigKey> access_keys();
std::vector<ConfigKey> rules_keys();
std::vector<ConfigKey> shadow_keys();
std::vector<ConfigKey> http_keys();
std::vector<ConfigKey> sys_keys();
std::vector<ConfigKey> admin_keys();
std::vector<ConfigKey> log_keys();

}  // namespace twinmq::app
