// libprotobuf knows the types; the messages are read here, so that what a hostile one may cost is
// the arena's budget and nothing else.

#include "sql/protobuf.hpp"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <charconv>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "json/write.hpp"
#include "sql/base64.hpp"
#include "sql/utf8.hpp"

namespace twinmq::sql {

namespace pb = google::protobuf;
using Field = pb::FieldDescriptor;
using json::Member;
using json::Value;

struct ProtobufTypes::Pool final : pb::DescriptorPool::ErrorCollector {
  void AddError(const std::string& file, const std::string& element, const pb::Message*,
                ErrorLocation, const std::string& message) override {
    if (fault.empty()) fault = file + ": " + element + ": " + message;
  }

  pb::DescriptorPool types;
  std::vector<const pb::FileDescriptor*> files;
  std::string fault;
};

namespace {

// Fields looked at in all messages of one: a short message may hold many of a type with many
// fields.
constexpr std::size_t kVisitsMax = 2'000'000;

enum Wire : std::uint32_t {
  kVarint = 0,
  kFixed64 = 1,
  kBytes = 2,
  kGroup = 3,
  kGroupEnd = 4,
  kFixed32 = 5
};

std::string_view view_of(const std::string& text) {
  return text;
}

std::string_view stem_of(std::string_view file) {
  file = file.substr(file.rfind('/') + 1);
  return file.substr(0, file.rfind('.'));
}

// Bytes of one message; reading goes on only while nothing is wrong.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : bytes_(bytes) {}

  bool at_end() const { return bytes_.empty() || wrong_; }
  bool wrong() const { return wrong_; }
  const char* place() const { return bytes_.data(); }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (bytes_.empty()) break;
      const auto byte = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      value |= std::uint64_t{byte & 127U} << shift;
      if (byte < 128) return value;
    }
    wrong_ = true;
    return 0;
  }

  std::uint64_t fixed(std::size_t size) {
    const std::string_view piece = take(size);
    std::uint64_t value = 0;
    for (std::size_t i = piece.size(); i-- > 0;)
      value = value << 8 | static_cast<unsigned char>(piece[i]);
    return value;
  }

  std::string_view piece() { return take(varint()); }

  std::uint64_t scalar(std::uint32_t wire) {
    return wire == kVarint ? varint() : fixed(wire == kFixed64 ? 8 : 4);
  }

  // What stands between a group's begin, which was read, and its end, which is taken too.
  std::string_view group(std::uint32_t number, int depth) {
    const char* const begin = bytes_.data();
    while (!at_end()) {
      const char* const end = bytes_.data();
      const std::uint64_t key = varint();
      if ((key & 7) == kGroupEnd) {
        if (key >> 3 != number) break;
        return {begin, static_cast<std::size_t>(end - begin)};
      }
      skip(key, depth);
    }
    wrong_ = true;
    return {};
  }

  void skip(std::uint64_t key, int depth) {
    switch (key & 7) {
      case kVarint: varint(); return;
      case kFixed64: take(8); return;
      case kBytes: piece(); return;
      case kFixed32: take(4); return;
      case kGroup:
        if (depth > 0) {
          group(static_cast<std::uint32_t>(key >> 3), depth - 1);
          return;
        }
        [[fallthrough]];
      default: wrong_ = true;
    }
  }

 private:
  std::string_view take(std::uint64_t size) {
    if (size > bytes_.size()) wrong_ = true;
    if (wrong_) return {};
    const std::string_view piece = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return piece;
  }

  std::string_view bytes_;
  bool wrong_ = false;
};

std::uint32_t wire_of(const Field& field) {
  switch (field.type()) {
    case Field::TYPE_DOUBLE:
    case Field::TYPE_FIXED64:
    case Field::TYPE_SFIXED64: return kFixed64;
    case Field::TYPE_FLOAT:
    case Field::TYPE_FIXED32:
    case Field::TYPE_SFIXED32: return kFixed32;
    case Field::TYPE_STRING:
    case Field::TYPE_BYTES:
    case Field::TYPE_MESSAGE: return kBytes;
    case Field::TYPE_GROUP: return kGroup;
    default: return kVarint;
  }
}

class MessageReader {
 public:
  explicit MessageReader(json::Arena& arena) : arena_(arena) {}

  std::optional<Value> message(const pb::Descriptor& type, std::string_view bytes, int depth) {
    visits_ += static_cast<std::size_t>(type.field_count());
    if (depth == 0 || visits_ > kVisitsMax) return std::nullopt;
    Occurrences found(static_cast<std::size_t>(type.field_count()));
    if (!gather(type, bytes, depth, found)) return std::nullopt;
    std::vector<Member> members;
    for (int i = 0; i < type.field_count(); ++i) {
      const Field& field = *type.field(i);
      const auto value = field_of(field, found[static_cast<std::size_t>(i)], depth);
      if (!value || arena_.exhausted()) return std::nullopt;
      if (!value->is_undefined()) members.push_back({view_of(field.name()), *value});
    }
    return Value::object(members, arena_);
  }

 private:
  // A field's value as it came: a number, or a piece of the message.
  struct Occurrence {
    std::uint64_t number = 0;
    std::string_view bytes;
  };
  using Occurrences = std::vector<std::vector<Occurrence>>;

  // What came has a price before it is a value.
  bool affordable(const std::vector<Occurrence>& all) const {
    return all.size() * sizeof(Occurrence) <= arena_.limit();
  }

  bool gather(const pb::Descriptor& type, std::string_view bytes, int depth, Occurrences& found) {
    WireReader in(bytes);
    while (!in.at_end()) {
      const std::uint64_t key = in.varint();
      const std::uint64_t number = key >> 3;
      const auto wire = static_cast<std::uint32_t>(key & 7);
      if (in.wrong() || number == 0 || number > pb::FieldDescriptor::kMaxNumber) return false;
      const Field* const field = type.FindFieldByNumber(static_cast<int>(number));
      const bool packed = field != nullptr && field->is_packable() && wire == kBytes;
      if (field == nullptr || (wire != wire_of(*field) && !packed)) {
        in.skip(key, depth);
        continue;
      }
      std::vector<Occurrence>& all = found[static_cast<std::size_t>(field->index())];
      if (const pb::OneofDescriptor* const choice = field->containing_oneof(); choice != nullptr)
        for (int i = 0; i < choice->field_count(); ++i)
          if (choice->field(i) != field)
            found[static_cast<std::size_t>(choice->field(i)->index())].clear();
      if (packed) {
        WireReader values(in.piece());
        while (!values.at_end() && affordable(all))
          all.push_back({values.scalar(wire_of(*field)), {}});
        if (values.wrong()) return false;
      } else if (wire == kBytes) {
        all.push_back({0, in.piece()});
      } else if (wire == kGroup) {
        all.push_back({0, in.group(static_cast<std::uint32_t>(number), depth)});
      } else {
        all.push_back({in.scalar(wire), {}});
      }
      if (!affordable(all)) return false;
    }
    return !in.wrong();
  }

  // Nothing: wrong. Undefined: absent.
  std::optional<Value> field_of(const Field& field, const std::vector<Occurrence>& found,
                                int depth) {
    if (field.is_map()) return map(field, found, depth);
    if (field.is_repeated()) {
      if (depth == 1) return std::nullopt;
      std::vector<Value> items;
      for (const Occurrence& each : found) {
        const auto value = single(field, each, depth - 1);
        if (!value) return std::nullopt;
        items.push_back(*value);
      }
      return Value::array(items, arena_);
    }
    if (found.empty()) return field.has_presence() ? Value() : absent(field);
    if (field.cpp_type() != Field::CPPTYPE_MESSAGE || found.size() == 1)
      return single(field, found.back(), depth);
    // Several messages of one field are one: their bytes joined.
    std::size_t size = 0;
    for (const Occurrence& each : found) size += each.bytes.size();
    char* to = arena_.text(size);
    if (to == nullptr) return std::nullopt;
    const std::string_view joined(to, size);
    for (const Occurrence& each : found) {
      if (!each.bytes.empty()) std::memcpy(to, each.bytes.data(), each.bytes.size());
      to += each.bytes.size();
    }
    return single(field, {0, joined}, depth);
  }

  std::optional<Value> map(const Field& field, const std::vector<Occurrence>& found, int depth) {
    if (depth == 1) return std::nullopt;
    const Field& key = *field.message_type()->map_key();
    const Field& value = *field.message_type()->map_value();
    std::vector<Member> members;
    for (const Occurrence& each : found) {
      Occurrences parts(2);
      if (!gather(*field.message_type(), each.bytes, depth - 1, parts)) return std::nullopt;
      const auto name =
          parts[0].empty() ? std::optional(absent(key)) : single(key, parts[0].back(), depth - 1);
      const auto held =
          parts[1].empty() ? empty_of(value, depth - 1) : field_of(value, parts[1], depth - 1);
      if (!name || !held) return std::nullopt;
      const std::string_view text =
          name->is(json::Kind::String) ? name->text() : arena_.copy(json::text_of(*name));
      // Of members with one key the last counts; a long list is not searched.
      std::size_t same = found.size() > 64 ? members.size() : 0;
      while (same < members.size() && members[same].key != text) ++same;
      if (same == members.size())
        members.push_back({text, *held});
      else
        members[same].value = *held;
      if (arena_.exhausted()) return std::nullopt;
    }
    return Value::object(members, arena_);
  }

  std::optional<Value> empty_of(const Field& field, int depth) {
    return field.cpp_type() == Field::CPPTYPE_MESSAGE
               ? message(*field.message_type(), {}, depth - 1)
               : std::optional(absent(field));
  }

  // A field's default.
  Value absent(const Field& field) {
    switch (field.cpp_type()) {
      case Field::CPPTYPE_BOOL: return Value::boolean(field.default_value_bool());
      case Field::CPPTYPE_STRING: return Value::string({});
      case Field::CPPTYPE_ENUM: return Value::string(view_of(field.default_value_enum()->name()));
      case Field::CPPTYPE_MESSAGE: return {};
      default: return Value::integer(0);
    }
  }

  std::optional<Value> single(const Field& field, const Occurrence& from, int depth) {
    const std::uint64_t bits = from.number;
    switch (field.type()) {
      case Field::TYPE_BOOL: return Value::boolean(bits != 0);
      case Field::TYPE_INT32:
      case Field::TYPE_SFIXED32: return Value::integer(static_cast<std::int32_t>(bits));
      case Field::TYPE_INT64:
      case Field::TYPE_SFIXED64: return Value::integer(static_cast<std::int64_t>(bits));
      case Field::TYPE_UINT32:
      case Field::TYPE_FIXED32: return Value::integer(static_cast<std::uint32_t>(bits));
      case Field::TYPE_UINT64:
      case Field::TYPE_FIXED64: return Value::number({static_cast<json::Int128>(bits), 0}, arena_);
      case Field::TYPE_SINT32:
        return Value::integer(static_cast<std::int32_t>(
            static_cast<std::uint32_t>(bits) >> 1 ^ (0 - static_cast<std::uint32_t>(bits & 1))));
      case Field::TYPE_SINT64:
        return Value::integer(static_cast<std::int64_t>(bits >> 1 ^ (0 - (bits & 1))));
      case Field::TYPE_FLOAT: return floating(single_of(static_cast<std::uint32_t>(bits)));
      case Field::TYPE_DOUBLE: return floating(double_of(bits));
      case Field::TYPE_ENUM: {
        const auto* const named =
            field.enum_type()->FindValueByNumber(static_cast<std::int32_t>(bits));
        return named != nullptr ? Value::string(view_of(named->name()))
                                : Value::integer(static_cast<std::int32_t>(bits));
      }
      case Field::TYPE_STRING:
        if (!is_utf8(from.bytes)) return std::nullopt;
        return Value::string(from.bytes);
      case Field::TYPE_BYTES: return Value::string(arena_.copy(to_base64(from.bytes)));
      case Field::TYPE_MESSAGE:
      case Field::TYPE_GROUP: return message(*field.message_type(), from.bytes, depth - 1);
    }
    return std::nullopt;
  }

  // As it is written with the fewest digits: 0.1 and not 0.100000001490116.
  static double single_of(std::uint32_t bits) {
    float narrow = 0;
    std::memcpy(&narrow, &bits, sizeof narrow);
    char text[32];
    const auto end = std::to_chars(text, text + sizeof text, narrow);
    double wide = static_cast<double>(narrow);
    if (std::isfinite(narrow)) std::from_chars(text, end.ptr, wide);
    return wide;
  }

  static double double_of(std::uint64_t bits) {
    double value = 0;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }

  Value floating(double value) {
    const auto decimal = json::decimal_of(value);
    return decimal ? Value::number(*decimal, arena_) : Value::null();
  }

  json::Arena& arena_;
  std::size_t visits_ = 0;
};

const pb::Descriptor* descriptor_of(const ProtobufTypes::Type* type) {
  return reinterpret_cast<const pb::Descriptor*>(type);
}

}  // namespace

ProtobufTypes::ProtobufTypes() : pool_(std::make_unique<Pool>()) {}

ProtobufTypes::~ProtobufTypes() = default;

Result<std::unique_ptr<ProtobufTypes>> ProtobufTypes::read(std::string_view descriptor_set) {
  pb::FileDescriptorSet set;
  if (descriptor_set.size() > INT32_MAX ||
      !set.ParseFromArray(descriptor_set.data(), static_cast<int>(descriptor_set.size())) ||
      set.file_size() == 0)
    return Error{ErrorCode::InvalidConfig, "this is no FileDescriptorSet"};
  std::unique_ptr<ProtobufTypes> made(new ProtobufTypes);
  Pool& pool = *made->pool_;
  for (const pb::FileDescriptorProto& each : set.file()) {
    const pb::FileDescriptor* const file = pool.types.BuildFileCollectingErrors(each, &pool);
    if (file == nullptr)
      return Error{ErrorCode::InvalidConfig,
                   pool.fault.empty() ? each.name() + ": it cannot be read" : pool.fault};
    pool.files.push_back(file);
  }
  return made;
}

const ProtobufTypes::Type* ProtobufTypes::find(std::string_view message,
                                               std::string_view file) const {
  for (const pb::FileDescriptor* each : pool_->files) {
    if (!file.empty() && file != stem_of(each->name())) continue;
    const pb::Descriptor* found = pool_->types.FindMessageTypeByName(std::string(message));
    if (found == nullptr && !each->package().empty())
      found = pool_->types.FindMessageTypeByName(each->package() + "." + std::string(message));
    if (found != nullptr && (file.empty() || found->file() == each))
      return reinterpret_cast<const Type*>(found);
  }
  return nullptr;
}

std::optional<Value> ProtobufTypes::decode(const Type& type, std::string_view bytes,
                                           json::Arena& arena) {
  const auto value = MessageReader(arena).message(*descriptor_of(&type), bytes, json::kDepthMax);
  if (arena.exhausted()) return std::nullopt;
  return value;
}

}  // namespace twinmq::sql
