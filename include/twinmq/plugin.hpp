#pragma once
// Plugins in C++. One file makes one:
//
//   #include <twinmq/plugin.hpp>
//
//   TWINMQ_PLUGIN(host) {
//     using namespace twinmq::plugin;
//     host.function("fahrenheit", [](Arguments arguments) -> Value {
//       return arguments[0].number() * 9 / 5 + 32;
//     }, kFast);
//   }
//
// An exception anywhere in a plugin is caught here and becomes an error text in the broker's log.

#include <cstdint>
#include <exception>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <twinmq/plugin_abi.h>

namespace twinmq::plugin {

inline std::string_view view(twinmq_text text) {
  return {text.data, text.size};
}
inline twinmq_text text(std::string_view view) {
  return {view.data(), view.size()};
}

/// A value that the broker shows: valid during the call (options: as long as the plugin). What is
/// asked for as something it is not throws std::invalid_argument, and so ends the call as failed,
/// unless a fallback is given.
class View {
 public:
  View() = default;
  explicit View(const twinmq_value& value) : value_(value) {}

  twinmq_kind kind() const { return static_cast<twinmq_kind>(value_.kind); }
  bool is_undefined() const { return value_.kind == TWINMQ_UNDEFINED; }
  bool is_null() const { return value_.kind == TWINMQ_NULL; }
  bool is_boolean() const { return value_.kind == TWINMQ_BOOLEAN; }
  bool is_number() const { return value_.kind == TWINMQ_INTEGER || value_.kind == TWINMQ_NUMBER; }
  bool is_text() const { return value_.kind == TWINMQ_TEXT; }
  bool is_array() const { return value_.kind == TWINMQ_ARRAY; }
  bool is_object() const { return value_.kind == TWINMQ_OBJECT; }
  explicit operator bool() const { return !is_undefined(); }

  bool boolean() const { return need(is_boolean(), "true or false"), value_.as.integer != 0; }
  double number() const {
    need(is_number(), "a number");
    return value_.kind == TWINMQ_INTEGER ? static_cast<double>(value_.as.integer)
                                         : value_.as.number;
  }
  std::int64_t integer() const {
    return need(value_.kind == TWINMQ_INTEGER, "a whole number"), value_.as.integer;
  }
  std::string_view text() const {
    need(is_text(), "a text");
    return {value_.as.text, static_cast<std::size_t>(value_.size)};
  }

  bool boolean_or(bool fallback) const { return is_undefined() ? fallback : boolean(); }
  double number_or(double fallback) const { return is_undefined() ? fallback : number(); }
  std::int64_t integer_or(std::int64_t fallback) const {
    return is_undefined() ? fallback : integer();
  }
  std::string_view text_or(std::string_view fallback) const {
    return is_undefined() ? fallback : text();
  }

  /// Items of an array, members of an object; 0 for anything else.
  std::size_t size() const {
    return is_array() || is_object() ? static_cast<std::size_t>(value_.size) : 0;
  }
  /// The item; undefined beyond the last, and of what is no array.
  View operator[](std::size_t i) const {
    return is_array() && i < size() ? View(value_.as.items[i]) : View();
  }
  /// The member; undefined when there is none, and of what is no object.
  View operator[](std::string_view key) const {
    for (std::size_t i = 0; is_object() && i < size(); ++i)
      if (plugin::view(value_.as.members[i].key) == key) return View(value_.as.members[i].value);
    return {};
  }
  /// A member by its place in the document.
  std::pair<std::string_view, View> member(std::size_t i) const {
    need(is_object() && i < size(), "an object with that member");
    return {plugin::view(value_.as.members[i].key), View(value_.as.members[i].value)};
  }

  const twinmq_value& raw() const { return value_; }

 private:
  static void need(bool met, const char* what) {
    if (!met) throw std::invalid_argument(std::string("expected ") + what);
  }

  twinmq_value value_{};
};

/// What a function was called with; beyond the last argument everything is undefined.
class Arguments {
 public:
  Arguments(const twinmq_value* values, std::size_t count) : values_(values), count_(count) {}
  std::size_t size() const { return count_; }
  View operator[](std::size_t i) const { return i < count_ ? View(values_[i]) : View(); }

 private:
  const twinmq_value* values_;
  std::size_t count_;
};

/// A value that a plugin makes.
class Value {
 public:
  using Array = std::vector<Value>;
  using Object = std::vector<std::pair<std::string, Value>>;

  Value() = default;  ///< undefined
  Value(std::nullptr_t) : value_(nullptr) {}
  Value(bool value) : value_(value) {}
  template <typename T>
  requires(std::is_integral_v<T> && !std::is_same_v<T, bool>) Value(T value)
      : value_(static_cast<std::int64_t>(value)) {}
  Value(double value) : value_(value) {}
  Value(std::string value) : value_(std::move(value)) {}
  Value(std::string_view value) : value_(std::string(value)) {}
  Value(const char* value) : value_(std::string(value)) {}
  Value(Array value) : value_(std::move(value)) {}
  Value(Object value) : value_(std::move(value)) {}
  /// A copy of what the broker showed.
  explicit Value(View from);

  /// Calls `use` with the value as the broker reads it, valid during the call.
  template <typename Use>
  void show(Use use) const;

 private:
  struct Raw;
  twinmq_value raw(Raw& room) const;
  std::variant<std::monostate, std::nullptr_t, bool, std::int64_t, double, std::string, Array,
               Object>
      value_;
};

/// Declares a function fast: it takes microseconds and never waits.
enum Pace : std::uint32_t { kPooled = 0, kFast = TWINMQ_FAST };

/// An aggregate over one group of one window.
class Aggregate {
 public:
  virtual ~Aggregate() = default;
  virtual void add(View value) = 0;
  virtual Value finish() = 0;
};

/// One thing to deliver.
struct Entry {
  std::string_view id;  ///< the same at every attempt
  std::string_view topic;
  std::string_view content_type;
  std::string_view payload;
  std::int64_t at;  ///< milliseconds since 1970
};

enum class Delivery : std::uint32_t {
  Retry = TWINMQ_RETRY,          ///< later again, all of it; so does an exception
  Delivered = TWINMQ_DELIVERED,  ///< every entry is safe
  Refused = TWINMQ_REFUSED,      ///< the first entry will never be taken
};

/// Takes results of rules, in batches, on one thread at a time. At least once: recognise ids where
/// that matters.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual Delivery deliver(std::span<const Entry> batch) = 0;
  /// Any thread: deliver() shall return soon.
  virtual void cancel() {}
};

/// A message of a client, before it is routed.
struct Message {
  std::string_view topic;
  std::string_view payload;
  std::string_view client_id;
  std::string_view principal;
  std::uint8_t qos;
  bool retain;
};

/// What becomes of it.
class Transformed {
 public:
  static Transformed keep() { return {TWINMQ_KEEP, {}}; }
  static Transformed change(std::string payload) { return {TWINMQ_CHANGE, std::move(payload)}; }
  static Transformed drop() { return {TWINMQ_DROP, {}}; }

  twinmq_transform what;
  std::string payload;
};

struct Credentials {
  std::string_view client_id;
  std::optional<std::string_view> username;
  std::optional<std::string_view> password;
  std::string_view peer;
  std::string_view listener;
  std::string_view certificate_subject;
  bool anonymous_allowed;
};

/// An authenticator's answer.
class Admission {
 public:
  static Admission pass() { return {TWINMQ_PASS, {}}; }
  /// An empty principal is the user name.
  static Admission allow(std::string principal = {}) {
    return {TWINMQ_ALLOW, std::move(principal)};
  }
  static Admission deny(std::string reason = {}) { return {TWINMQ_DENY, std::move(reason)}; }

  twinmq_verdict verdict;
  std::string text;
};

struct Question {
  twinmq_access access;
  std::string_view topic;
  std::string_view principal;
  std::string_view client_id;
  std::string_view username;
  std::string_view peer;
  std::string_view listener;
  std::uint8_t qos;
  bool retain;
};

enum class Verdict : std::uint32_t { Pass = TWINMQ_PASS, Allow = TWINMQ_ALLOW, Deny = TWINMQ_DENY };

/// The broker while the plugin is opened; copies of it may log as long as the plugin lives.
/// Callables are kept until the plugin is closed, and all but an aggregate's and a sink's are
/// called by several threads at once.
class Host {
 public:
  using Function = std::function<Value(Arguments)>;
  using MakeAggregate = std::function<std::unique_ptr<Aggregate>()>;
  using OpenSink = std::function<std::unique_ptr<Sink>(View options)>;
  using Transform = std::function<Transformed(const Message&)>;
  using Authenticate = std::function<Admission(const Credentials&)>;
  using Authorize = std::function<Verdict(const Question&)>;
  using Kept = std::vector<std::shared_ptr<void>>;

  Host(const twinmq_host* host, Kept* kept) : host_(host), kept_(kept) {}

  /// The plugin's name in the configuration.
  std::string_view name() const { return view(host_->name); }
  View options() const { return View(*host_->options); }
  void log(twinmq_level level, std::string_view line) const {
    host_->log(host_, level, text(line));
  }

  // Each throws when the name is taken or no name, which ends the opening.
  void function(std::string_view name, Function function, Pace pace = kPooled) const;
  void aggregate(std::string_view name, MakeAggregate make) const;
  void action(std::string_view name, OpenSink open) const;
  void transformation(std::string_view name, Transform transform) const;
  void authenticator(std::string_view name, Authenticate authenticate) const;
  void authorizer(std::string_view name, Authorize may, bool asks_receive = false) const;

 private:
  template <typename T>
  T* keep(T callable) const {
    auto kept = std::make_shared<T>(std::move(callable));
    kept_->push_back(kept);
    return kept.get();
  }
  static void need(int added, std::string_view name) {
    if (added == 0)
      throw std::invalid_argument("the name \"" + std::string(name) + "\" is taken, or no name");
  }

  const twinmq_host* host_;
  Kept* kept_;
};

// --- How it works

namespace detail {

/// Runs what may throw; an exception becomes a failure.
template <typename Result, typename Run>
Result contain(twinmq_answer* answer, Result otherwise, Run run) noexcept {
  try {
    return run();
  } catch (const std::exception& error) {
    if (answer != nullptr) answer->fail(answer, text(error.what()));
  } catch (...) {
    if (answer != nullptr) answer->fail(answer, text("an exception of unknown type"));
  }
  return otherwise;
}

template <typename Run>
void contain(twinmq_answer* answer, Run run) noexcept {
  contain(answer, 0, [&] { return run(), 0; });
}

inline void give_text(twinmq_answer* answer, std::string_view given) {
  twinmq_value value{};
  value.kind = TWINMQ_TEXT;
  value.size = given.size();
  value.as.text = given.data();
  answer->give(answer, &value);
}

/// Fills a description's head; the rest is the caller's.
template <typename Description>
Description describe(std::string_view name, void* context) {
  Description description{};
  description.size = sizeof(Description);
  description.name = text(name);
  description.context = context;
  return description;
}

/// An aggregate at work; the first exception fails it.
struct Group {
  std::unique_ptr<Aggregate> aggregate;
  std::string failure;
};

template <typename Fill>
void* open(const twinmq_host* host, twinmq_answer* answer, Fill fill) noexcept {
  return contain(answer, static_cast<void*>(nullptr), [&]() -> void* {
    auto kept = std::make_unique<Host::Kept>();
    fill(Host(host, kept.get()));
    return kept.release();
  });
}

}  // namespace detail

// Room for the arrays that a raw value points into; vectors that move keep their elements in place.
struct Value::Raw {
  std::vector<std::vector<twinmq_value>> items;
  std::vector<std::vector<twinmq_member>> members;
};

inline Value::Value(View from) {
  switch (from.kind()) {
    case TWINMQ_UNDEFINED: break;
    case TWINMQ_NULL: value_ = nullptr; break;
    case TWINMQ_BOOLEAN: value_ = from.boolean(); break;
    case TWINMQ_INTEGER: value_ = from.integer(); break;
    case TWINMQ_NUMBER: value_ = from.number(); break;
    case TWINMQ_TEXT: value_ = std::string(from.text()); break;
    case TWINMQ_ARRAY: {
      Array array;
      for (std::size_t i = 0; i < from.size(); ++i) array.emplace_back(from[i]);
      value_ = std::move(array);
      break;
    }
    case TWINMQ_OBJECT: {
      Object object;
      for (std::size_t i = 0; i < from.size(); ++i) {
        const auto [key, value] = from.member(i);
        object.emplace_back(std::string(key), Value(value));
      }
      value_ = std::move(object);
      break;
    }
  }
}

inline twinmq_value Value::raw(Raw& room) const {
  twinmq_value made{};
  const auto sized = [&](twinmq_kind kind, std::size_t size) {
    made.kind = kind;
    made.size = size;
  };
  if (std::holds_alternative<std::nullptr_t>(value_)) {
    made.kind = TWINMQ_NULL;
  } else if (const auto* boolean = std::get_if<bool>(&value_)) {
    made.kind = TWINMQ_BOOLEAN;
    made.as.integer = *boolean ? 1 : 0;
  } else if (const auto* integer = std::get_if<std::int64_t>(&value_)) {
    made.kind = TWINMQ_INTEGER;
    made.as.integer = *integer;
  } else if (const auto* number = std::get_if<double>(&value_)) {
    made.kind = TWINMQ_NUMBER;
    made.as.number = *number;
  } else if (const auto* string = std::get_if<std::string>(&value_)) {
    sized(TWINMQ_TEXT, string->size());
    made.as.text = string->data();
  } else if (const auto* array = std::get_if<Array>(&value_)) {
    std::vector<twinmq_value> items;
    for (const Value& each : *array) items.push_back(each.raw(room));
    sized(TWINMQ_ARRAY, items.size());
    made.as.items = items.data();
    room.items.push_back(std::move(items));
  } else if (const auto* object = std::get_if<Object>(&value_)) {
    std::vector<twinmq_member> members;
    for (const auto& [key, value] : *object)
      members.push_back({plugin::text(key), value.raw(room)});
    sized(TWINMQ_OBJECT, members.size());
    made.as.members = members.data();
    room.members.push_back(std::move(members));
  }
  return made;
}

template <typename Use>
void Value::show(Use use) const {
  Raw room;
  const twinmq_value value = raw(room);
  use(value);
}

inline void Host::function(std::string_view name, Function function, Pace pace) const {
  auto description = detail::describe<twinmq_function>(name, keep(std::move(function)));
  description.flags = pace;
  description.call = [](void* context, const twinmq_value* arguments, std::size_t count,
                        twinmq_answer* answer) {
    detail::contain(answer, [&] {
      const Value value = (*static_cast<Function*>(context))(Arguments(arguments, count));
      value.show([&](const twinmq_value& raw) { answer->give(answer, &raw); });
    });
  };
  need(host_->add_function(host_, &description), name);
}

inline void Host::aggregate(std::string_view name, MakeAggregate make) const {
  auto description = detail::describe<twinmq_aggregate>(name, keep(std::move(make)));
  description.begin = [](void* context) -> void* {
    return detail::contain(nullptr, static_cast<void*>(nullptr), [&]() -> void* {
      return new detail::Group{(*static_cast<MakeAggregate*>(context))(), {}};
    });
  };
  description.add = [](void* group, const twinmq_value* value) {
    auto& to = *static_cast<detail::Group*>(group);
    if (!to.failure.empty()) return;
    try {
      to.aggregate->add(View(*value));
    } catch (const std::exception& error) {
      to.failure = error.what();
    } catch (...) {
      to.failure = "an exception of unknown type";
    }
  };
  description.finish = [](void* group, twinmq_answer* answer) {
    detail::contain(answer, [&] {
      auto& from = *static_cast<detail::Group*>(group);
      if (!from.failure.empty()) throw std::runtime_error(from.failure);
      from.aggregate->finish().show([&](const twinmq_value& raw) { answer->give(answer, &raw); });
    });
  };
  description.end = [](void* group) { delete static_cast<detail::Group*>(group); };
  need(host_->add_aggregate(host_, &description), name);
}

inline void Host::action(std::string_view name, OpenSink open) const {
  auto description = detail::describe<twinmq_action>(name, keep(std::move(open)));
  description.open = [](void* context, const twinmq_value* options,
                        twinmq_answer* answer) -> void* {
    return detail::contain(answer, static_cast<void*>(nullptr), [&]() -> void* {
      return (*static_cast<OpenSink*>(context))(View(*options)).release();
    });
  };
  description.deliver = [](void* sink, const twinmq_entry* const* entries, std::size_t count,
                           twinmq_answer* answer) {
    return detail::contain(answer, std::uint32_t{TWINMQ_RETRY}, [&] {
      std::vector<Entry> batch;
      batch.reserve(count);
      for (const twinmq_entry* each : std::span(entries, count))
        batch.push_back({view(each->id), view(each->topic), view(each->content_type),
                         view(each->payload), each->at});
      return static_cast<std::uint32_t>(static_cast<Sink*>(sink)->deliver(batch));
    });
  };
  description.cancel = [](void* sink) {
    detail::contain(nullptr, [&] { static_cast<Sink*>(sink)->cancel(); });
  };
  description.close = [](void* sink) { delete static_cast<Sink*>(sink); };
  need(host_->add_action(host_, &description), name);
}

inline void Host::transformation(std::string_view name, Transform transform) const {
  auto description = detail::describe<twinmq_transformation>(name, keep(std::move(transform)));
  description.transform = [](void* context, const twinmq_message* from, twinmq_answer* answer) {
    return detail::contain(answer, std::uint32_t{TWINMQ_DROP}, [&] {
      const Message message{view(from->topic),     view(from->payload), view(from->client_id),
                            view(from->principal), from->qos,           from->retain != 0};
      const Transformed made = (*static_cast<Transform*>(context))(message);
      if (made.what == TWINMQ_CHANGE) detail::give_text(answer, made.payload);
      return static_cast<std::uint32_t>(made.what);
    });
  };
  need(host_->add_transformation(host_, &description), name);
}

inline void Host::authenticator(std::string_view name, Authenticate authenticate) const {
  auto description = detail::describe<twinmq_authenticator>(name, keep(std::move(authenticate)));
  description.authenticate = [](void* context, const twinmq_credentials* from,
                                twinmq_answer* answer) {
    return detail::contain(answer, std::uint32_t{TWINMQ_DENY}, [&] {
      Credentials credentials{view(from->client_id),
                              {},
                              {},
                              view(from->peer),
                              view(from->listener),
                              view(from->certificate_subject),
                              from->anonymous_allowed != 0};
      if (from->has_username != 0) credentials.username = view(from->username);
      if (from->has_password != 0) credentials.password = view(from->password);
      const Admission made = (*static_cast<Authenticate*>(context))(credentials);
      if (!made.text.empty()) detail::give_text(answer, made.text);
      return static_cast<std::uint32_t>(made.verdict);
    });
  };
  need(host_->add_authenticator(host_, &description), name);
}

inline void Host::authorizer(std::string_view name, Authorize may, bool asks_receive) const {
  auto description = detail::describe<twinmq_authorizer>(name, keep(std::move(may)));
  description.flags = asks_receive ? TWINMQ_ASK_RECEIVE : 0;
  description.may = [](void* context, const twinmq_question* from, twinmq_answer* answer) {
    return detail::contain(answer, std::uint32_t{TWINMQ_DENY}, [&] {
      const Question question{static_cast<twinmq_access>(from->access),
                              view(from->topic),
                              view(from->principal),
                              view(from->client_id),
                              view(from->username),
                              view(from->peer),
                              view(from->listener),
                              from->qos,
                              from->retain != 0};
      return static_cast<std::uint32_t>((*static_cast<Authorize*>(context))(question));
    });
  };
  need(host_->add_authorizer(host_, &description), name);
}

}  // namespace twinmq::plugin

/// Makes this file a plugin; the block that follows opens it and sees the host by the given name.
#define TWINMQ_PLUGIN(host)                                                         \
  static void twinmq_plugin_fill(const ::twinmq::plugin::Host& host);               \
  extern "C" TWINMQ_PLUGIN_EXPORT uint32_t twinmq_plugin_abi(void) {                \
    return TWINMQ_PLUGIN_ABI;                                                       \
  }                                                                                 \
  extern "C" TWINMQ_PLUGIN_EXPORT void* twinmq_plugin_open(const twinmq_host* from, \
                                                           twinmq_answer* answer) { \
    return ::twinmq::plugin::detail::open(from, answer, twinmq_plugin_fill);        \
  }                                                                                 \
  extern "C" TWINMQ_PLUGIN_EXPORT void twinmq_plugin_close(void* plugin) {          \
    delete static_cast<::twinmq::plugin::Host::Kept*>(plugin);                      \
  }                                                                                 \
  static void twinmq_plugin_fill([[maybe_unused]] const ::twinmq::plugin::Host& host)
