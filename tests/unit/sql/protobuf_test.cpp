#include "sql/protobuf.hpp"

#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/text_format.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "json/write.hpp"
#include "sql/base64.hpp"
#include "sql_world.hpp"

namespace twinmq::sql {
namespace {

namespace pb = google::protobuf;

using Field = pb::FieldDescriptorProto;

Field& add(pb::DescriptorProto& message, const char* name, int number, Field::Type type,
           const char* type_name = nullptr, bool repeated = false) {
  Field& field = *message.add_field();
  field.set_name(name);
  field.set_number(number);
  field.set_type(type);
  if (type_name != nullptr) field.set_type_name(type_name);
  field.set_label(repeated ? Field::LABEL_REPEATED : Field::LABEL_OPTIONAL);
  return field;
}

void add_map(pb::DescriptorProto& message, const char* name, const char* entry, int number,
             Field::Type key, Field::Type value, const char* value_name = nullptr) {
  pb::DescriptorProto& nested = *message.add_nested_type();
  nested.set_name(entry);
  nested.mutable_options()->set_map_entry(true);
  add(nested, "key", 1, key);
  add(nested, "value", 2, value, value_name);
  add(message, name, number, Field::TYPE_MESSAGE, (".plant.Reading." + std::string(entry)).c_str(),
      true);
}

// syntax = "proto3"; package plant; enum Mode { OFF = 0; ON = 1; } message Point { double x = 1;
// double y = 2; Point next = 3; } message Reading { a field of every kind }
pb::FileDescriptorProto reading_file() {
  pb::FileDescriptorProto file;
  file.set_name("lines/reading.proto");
  file.set_package("plant");
  file.set_syntax("proto3");
  pb::EnumDescriptorProto& mode = *file.add_enum_type();
  mode.set_name("Mode");
  for (const auto& [name, number] : {std::pair("OFF", 0), std::pair("ON", 1)}) {
    mode.add_value()->set_name(name);
    mode.mutable_value(number)->set_number(number);
  }
  pb::DescriptorProto& point = *file.add_message_type();
  point.set_name("Point");
  add(point, "x", 1, Field::TYPE_DOUBLE);
  add(point, "y", 2, Field::TYPE_DOUBLE);
  add(point, "next", 3, Field::TYPE_MESSAGE, ".plant.Point");
  pb::DescriptorProto& reading = *file.add_message_type();
  reading.set_name("Reading");
  int number = 0;
  for (const auto& [name, type] :
       {std::pair("i32", Field::TYPE_INT32), std::pair("s32", Field::TYPE_SINT32),
        std::pair("u32", Field::TYPE_UINT32), std::pair("f32", Field::TYPE_FIXED32),
        std::pair("sf32", Field::TYPE_SFIXED32), std::pair("i64", Field::TYPE_INT64),
        std::pair("s64", Field::TYPE_SINT64), std::pair("u64", Field::TYPE_UINT64),
        std::pair("f64", Field::TYPE_FIXED64), std::pair("sf64", Field::TYPE_SFIXED64),
        std::pair("single", Field::TYPE_FLOAT), std::pair("whole", Field::TYPE_DOUBLE),
        std::pair("flag", Field::TYPE_BOOL), std::pair("name", Field::TYPE_STRING),
        std::pair("raw", Field::TYPE_BYTES)})
    add(reading, name, ++number, type);
  add(reading, "mode", 16, Field::TYPE_ENUM, ".plant.Mode");
  add(reading, "at", 17, Field::TYPE_MESSAGE, ".plant.Point");
  add(reading, "list", 18, Field::TYPE_INT32, nullptr, true);
  add(reading, "path", 19, Field::TYPE_MESSAGE, ".plant.Point", true);
  add_map(reading, "counts", "CountsEntry", 20, Field::TYPE_STRING, Field::TYPE_INT32);
  add_map(reading, "places", "PlacesEntry", 21, Field::TYPE_INT32, Field::TYPE_MESSAGE,
          ".plant.Point");
  reading.add_oneof_decl()->set_name("choice");
  add(reading, "left", 22, Field::TYPE_INT32).set_oneof_index(0);
  add(reading, "right", 23, Field::TYPE_STRING).set_oneof_index(0);
  Field& maybe = add(reading, "maybe", 24, Field::TYPE_INT32);
  maybe.set_proto3_optional(true);
  maybe.set_oneof_index(1);
  reading.add_oneof_decl()->set_name("_maybe");
  return file;
}

std::string descriptor_set() {
  pb::FileDescriptorSet set;
  *set.add_file() = reading_file();
  return set.SerializeAsString();
}

// What libprotobuf makes of a message's text.
std::string encoded(std::string_view text, const std::string& type = "plant.Reading") {
  pb::DescriptorPool pool;
  REQUIRE(pool.BuildFile(reading_file()) != nullptr);
  pb::DynamicMessageFactory factory;
  const std::unique_ptr<pb::Message> message(
      factory.GetPrototype(pool.FindMessageTypeByName(type))->New());
  REQUIRE(pb::TextFormat::ParseFromString(std::string(text), message.get()));
  return message->SerializeAsString();
}

std::string decoded(std::string_view bytes, std::string_view type = "plant.Reading",
                    std::size_t room = 1 << 20) {
  static const auto types = std::move(*ProtobufTypes::read(descriptor_set()));
  const auto* const found = types->find(type);
  REQUIRE(found != nullptr);
  json::Arena arena(room);
  const auto value = ProtobufTypes::decode(*found, bytes, arena);
  return value ? json::text_of(*value) : "nothing";
}

std::string member(std::string_view key, std::string_view text) {
  json::Arena arena;
  return json::text_of(json::read(arena.copy(decoded(encoded(text))), arena).value.member(key));
}

}  // namespace

TEST_CASE("every type of a Protobuf message has its value", "[sql]") {
  CHECK(member("i32", "i32: -5") == "-5");
  CHECK(member("s32", "s32: -2147483648") == "-2147483648");
  CHECK(member("u32", "u32: 4294967295") == "4294967295");
  CHECK(member("f32", "f32: 4294967295") == "4294967295");
  CHECK(member("sf32", "sf32: -7") == "-7");
  CHECK(member("i64", "i64: -9223372036854775808") == "-9223372036854775808");
  CHECK(member("s64", "s64: -9223372036854775808") == "-9223372036854775808");
  CHECK(member("u64", "u64: 18446744073709551615") == "18446744073709551615");
  CHECK(member("f64", "f64: 18446744073709551615") == "18446744073709551615");
  CHECK(member("sf64", "sf64: -1") == "-1");
  CHECK(member("single", "single: 0.1") == "0.1");
  CHECK(member("single", "single: nan") == "null");
  CHECK(member("whole", "whole: -0.1") == "-0.1");
  CHECK(member("flag", "flag: true") == "true");
  CHECK(member("name", "name: 'a\\303\\244'") == "\"a\xc3\xa4\"");
  CHECK(member("raw", "raw: '\\000\\377'") == "\"AP8=\"");
  CHECK(member("mode", "mode: ON") == "\"ON\"");
  CHECK(member("mode", "mode: 9") == "9");
  CHECK(member("at", "at { y: 2 next { x: 1 } }") == R"({"x":0,"y":2,"next":{"x":1,"y":0}})");
  CHECK(member("list", "list: [1, -2, 3]") == "[1,-2,3]");
  CHECK(member("path", "path { x: 1 } path { y: 1 }") == R"([{"x":1,"y":0},{"x":0,"y":1}])");
  CHECK(member("counts", "counts { key: 'a' value: 1 } counts { value: 2 }").find("\"\":2") !=
        std::string::npos);
  CHECK(member("places", "places { key: -1 value { x: 1 } } ") == R"({"-1":{"x":1,"y":0}})");
  CHECK(member("right", "right: 'r'") == "\"r\"");
  CHECK(member("maybe", "maybe: 0") == "0");
}

TEST_CASE("what is absent from a Protobuf message has its default, where presence is not told",
          "[sql]") {
  CHECK(
      decoded("") ==
      R"({"i32":0,"s32":0,"u32":0,"f32":0,"sf32":0,"i64":0,"s64":0,"u64":0,"f64":0,"sf64":0,"single":0,"whole":0,)"
      R"("flag":false,"name":"","raw":"","mode":"OFF","list":[],"path":[],"counts":{},"places":{}})");
}

TEST_CASE("Protobuf messages that come in parts are put together", "[sql]") {
  CHECK(decoded(encoded("x: 1", "plant.Point") + encoded("y: 2", "plant.Point") +
                    encoded("x: 3", "plant.Point"),
                "plant.Point") == R"({"x":3,"y":2})");
  CHECK(decoded(encoded("next { x: 1 }", "plant.Point") + encoded("next { y: 2 }", "plant.Point"),
                "plant.Point") == R"({"x":0,"y":0,"next":{"x":1,"y":2}})");
  const std::string both = encoded("left: 1") + encoded("right: 'r'");
  CHECK(decoded(both).find("left") == std::string::npos);
  // Lists in the older form, one value after the other; fields nobody knows; a map's key twice.
  CHECK(decoded("\x90\x01\x05\x90\x01\x06").find("\"list\":[5,6]") != std::string::npos);
  CHECK(decoded("\xf8\x7f\x01\x0b\x0b\x0c\x0c", "plant.Point") == R"({"x":0,"y":0})");
  CHECK(decoded(encoded("counts { key: 'a' value: 1 }") + encoded("counts { key: 'a' value: 2 }"))
            .find(R"("counts":{"a":2})") != std::string::npos);
}

TEST_CASE("Protobuf messages that are none are refused within their budget", "[sql]") {
  const std::string whole =
      encoded("name: 'abc' at { x: 1 } list: [1, 2, 3] counts { key: 'a' value: 1 } f64: 1");
  for (std::size_t size = 1; size < whole.size(); ++size) {
    const std::string part = decoded(whole.substr(0, size));
    CHECK((part == "nothing" || part.front() == '{'));
  }
  CHECK(decoded("\x08") == "nothing");
  CHECK(decoded("\x0b") == "nothing");
  CHECK(decoded(std::string_view("\x00\x00", 2)) == "nothing");
  CHECK(decoded("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff") == "nothing");
  CHECK(decoded("\x72\x01\xff") == "nothing");  // a text that is no UTF-8
  std::string deep;
  for (int i = 0; i < 100; ++i) {
    std::string more(1, '\x1a');
    for (std::size_t size = deep.size();; size >>= 7) {
      more += static_cast<char>(size < 128 ? size : (size & 127) | 128);
      if (size < 128) break;
    }
    deep = more + deep;
  }
  CHECK(decoded(deep, "plant.Point") == "nothing");
  std::string groups(200'000, '\x0b');
  CHECK(decoded(groups, "plant.Point") == "nothing");
  std::string many;
  for (int i = 0; i < 100'000; ++i) many += std::string("\x9a\x01\x00", 3);
  CHECK(decoded(many) == "nothing");
  CHECK(decoded(std::string("\x92\x01\x80\x80\x04", 5) + std::string(65536, '\x01'),
                "plant.Reading", 1 << 16) == "nothing");
}

TEST_CASE("descriptors that are none are refused, and types are found by their names", "[sql]") {
  CHECK_FALSE(ProtobufTypes::read("no descriptor"));
  CHECK_FALSE(ProtobufTypes::read(""));
  pb::FileDescriptorSet set;
  *set.add_file() = reading_file();
  set.mutable_file(0)->add_dependency("gone.proto");
  const auto missing = ProtobufTypes::read(set.SerializeAsString());
  REQUIRE_FALSE(missing);
  CHECK_THAT(missing.error().detail, Catch::Contains("gone.proto"));
  const auto types = std::move(*ProtobufTypes::read(descriptor_set()));
  CHECK(types->find("plant.Point") != nullptr);
  CHECK(types->find("Point") == types->find("plant.Point"));
  CHECK(types->find("Point", "reading") == types->find("plant.Point"));
  CHECK(types->find("Point", "other") == nullptr);
  CHECK(types->find("Nothing") == nullptr);
}

TEST_CASE("decode reads Protobuf as AWS writes it, and in a shorter form", "[sql]") {
  struct Types : TestWorld {
    const ProtobufTypes* protobuf_types(std::string_view name) override {
      return name == "lines/reading.desc" ? types.get() : nullptr;
    }
    void note_undecodable() override { ++undecodable; }
    std::unique_ptr<ProtobufTypes> types = std::move(*ProtobufTypes::read(descriptor_set()));
    int undecodable = 0;
  };
  Types world;
  const auto run = [&](std::string_view expression, const std::string& payload) {
    const auto statement =
        Statement::compile("SELECT VALUE " + std::string(expression) + " FROM '#'");
    REQUIRE(statement);
    json::Arena document;
    Payload parsed(bytes_of(payload), document);
    State state;
    Scratch scratch;
    return json::text_of(statement->evaluate({}, parsed, &world, state, scratch).value);
  };
  const std::string bytes = encoded("x: 1.5 y: 2", "plant.Point");
  CHECK(run("decode(*, 'proto', 'lines/reading.desc', 'plant.Point')", bytes) ==
        R"({"x":1.5,"y":2})");
  CHECK(run("decode(*, 'proto', 'lines', 'reading.desc', 'reading', 'Point').x", bytes) == "1.5");
  CHECK(run("decode(b, 'proto', 'lines/reading.desc', 'Point').y",
            R"({"b":")" + to_base64(bytes) + "\"}") == "2");
  CHECK(world.undecodable == 0);
  CHECK(run("decode(*, 'proto', 'lines/reading.desc', 'Point')", "\x09") == "null");
  CHECK(run("decode(*, 'proto', 'lines/reading.desc', 'Nobody')", bytes) == "null");
  CHECK(run("decode(*, 'proto', 'nothing', 'Point')", bytes) == "null");
  CHECK(run("decode(b, 'proto', 'lines/reading.desc', 'Point')", R"({"b":"%"})") == "null");
  CHECK(world.undecodable == 4);
}

}  // namespace twinmq::sql
