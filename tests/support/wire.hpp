#pragma once
// The wire as a test sees it: builders that can also write what is illegal, and a strict reader of
// what a server sends. Shares no code with src/mqtt, so that a mistake there cannot hide behind
// itself.

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace twinmq::testing {

enum class Version : std::uint8_t { V31 = 3, V311 = 4, V5 = 5 };

/// MQTT 5 property identifiers, section 2.2.2.2.
enum class Prop : std::uint8_t {
  PayloadFormat = 0x01,
  MessageExpiry = 0x02,
  ContentType = 0x03,
  ResponseTopic = 0x08,
  CorrelationData = 0x09,
  SubscriptionId = 0x0B,
  SessionExpiry = 0x11,
  AssignedClientId = 0x12,
  ServerKeepAlive = 0x13,
  AuthMethod = 0x15,
  AuthData = 0x16,
  RequestProblem = 0x17,
  WillDelay = 0x18,
  RequestResponse = 0x19,
  ResponseInformation = 0x1A,
  ServerReference = 0x1C,
  Reason = 0x1F,
  ReceiveMaximum = 0x21,
  TopicAliasMaximum = 0x22,
  TopicAlias = 0x23,
  MaximumQos = 0x24,
  RetainAvailable = 0x25,
  User = 0x26,
  MaximumPacketSize = 0x27,
  WildcardAvailable = 0x28,
  SubscriptionIdAvailable = 0x29,
  SharedAvailable = 0x2A,
};

/// One property with a number, a text (or binary), or a pair of texts, as its identifier wants.
struct Property {
  Property(Prop which, std::uint32_t amount) : id(which), number(amount) {}
  Property(Prop which, std::string words) : id(which), text(std::move(words)) {}
  Property(Prop which, std::string key, std::string second)
      : id(which), text(std::move(key)), value(std::move(second)) {}

  Prop id;
  std::uint32_t number = 0;
  std::string text;
  std::string value;
};

class Properties {
 public:
  Properties() = default;
  Properties(std::initializer_list<Property> list) : list_(list) {}

  void add(Property property) { list_.push_back(std::move(property)); }
  bool empty() const { return list_.empty(); }
  std::size_t size() const { return list_.size(); }
  auto begin() const { return list_.begin(); }
  auto end() const { return list_.end(); }

  bool has(Prop id) const;
  std::optional<std::uint32_t> number(Prop id) const;
  std::optional<std::string> text(Prop id) const;
  std::vector<std::uint32_t> numbers(Prop id) const;
  std::vector<std::pair<std::string, std::string>> user() const;

 private:
  std::vector<Property> list_;
};

// --- Pieces

std::string u8(unsigned value);
std::string u16(unsigned value);
std::string u32(std::uint32_t value);
/// A Variable Byte Integer, in its shortest form.
std::string varint(std::uint32_t value);
/// Text or binary with its two bytes of length.
std::string field(std::string_view text);
/// The properties without their length in front.
std::string property_bytes(const Properties& properties);
/// The properties with their length in front.
std::string property_block(const Properties& properties);
/// A packet with any first byte and a correct Remaining Length.
std::string packet(unsigned first_byte, std::string_view body = {});

// --- What a client sends

struct WillOptions {
  std::string topic = {};
  std::string payload = {};
  unsigned qos = 0;
  bool retain = false;
  Properties properties = {};
};

struct ConnectOptions {
  std::optional<std::string> client_id = {};  ///< unset: the test client chooses one of its own
  bool clean = true;
  std::uint16_t keep_alive = 0;
  Properties properties = {};
  std::optional<WillOptions> will = {};
  std::optional<std::string> username = {};
  std::optional<std::string> password = {};
  // For what is illegal:
  std::optional<std::string> protocol_name = {};
  std::optional<unsigned> protocol_level = {};
  std::optional<unsigned> flags = {};
};
std::string connect_packet(const ConnectOptions& options, Version version);

struct PublishOptions {
  std::string topic = {};
  std::string payload = {};
  unsigned qos = 0;
  bool retain = false;
  bool dup = false;
  std::uint16_t id = 0;
  Properties properties = {};
};
std::string publish_packet(const PublishOptions& options, Version version);

/// Subscription options, section 3.8.3.1.
struct Filter {
  std::string filter;
  unsigned qos = 0;
  bool no_local = false;
  bool retain_as_published = false;
  unsigned retain_handling = 0;
};
std::string subscribe_packet(std::uint16_t id, const std::vector<Filter>& filters, Version version,
                             const Properties& properties = {});
std::string unsubscribe_packet(std::uint16_t id, const std::vector<std::string>& filters,
                               Version version, const Properties& properties = {});

enum class AckType : std::uint8_t { Puback = 4, Pubrec = 5, Pubrel = 6, Pubcomp = 7 };
std::string ack_packet(AckType type, std::uint16_t id, unsigned code = 0,
                       Version version = Version::V5, const Properties& properties = {});
std::string pingreq_packet();
std::string disconnect_packet(unsigned code = 0, Version version = Version::V5,
                              const Properties& properties = {});
std::string auth_packet(unsigned code, const Properties& properties);

// --- What a server sends

struct Connack {
  std::uint8_t flags = 0;
  bool session_present = false;
  std::uint8_t code = 0;
  Properties properties;
};

struct Publish {
  std::string topic;
  std::string payload;
  unsigned qos = 0;
  bool dup = false;
  bool retain = false;
  std::uint16_t id = 0;
  Properties properties;
  std::size_t size = 0;  ///< of the whole packet on the wire
};

struct Ack {
  std::uint16_t id = 0;
  std::uint8_t code = 0;
  Properties properties;
};
struct Puback : Ack {};
struct Pubrec : Ack {};
struct Pubrel : Ack {};
struct Pubcomp : Ack {};

struct Suback {
  std::uint16_t id = 0;
  std::vector<std::uint8_t> codes;
  Properties properties;
};

struct Unsuback {
  std::uint16_t id = 0;
  std::vector<std::uint8_t> codes;
  Properties properties;
};

struct Pingresp {};

struct Disconnect {
  std::uint8_t code = 0;
  Properties properties;
};

struct Auth {
  std::uint8_t code = 0;
  Properties properties;
};

using Packet = std::variant<Connack, Publish, Puback, Pubrec, Pubrel, Pubcomp, Suback, Unsuback,
                            Pingresp, Disconnect, Auth>;

/// What a server may never send.
struct WireError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Takes the first whole packet from `bytes`; empty when there is none yet. Throws WireError for
/// anything a client would have to refuse: wrong flags, wrong lengths, properties that do not
/// belong there, undefined reason codes, text that is not UTF-8.
std::optional<Packet> take_packet(std::string& bytes, Version version);

/// For failure messages: "PUBLISH topic=a qos=1 …".
std::string describe(const Packet& packet);

}  // namespace twinmq::testing
