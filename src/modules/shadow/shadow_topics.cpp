#include "modules/shadow/shadow_topics.hpp"

#include <algorithm>

namespace twinmq::shadow {
namespace {

constexpr std::string_view kThings = "$aws/things/";
constexpr std::string_view kShadows = "$twinmq/shadows/";
constexpr std::string_view kOwnThings = "$twinmq/things/";

bool is_name_character(char character) {
  return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
         (character >= '0' && character <= '9') || character == ':' || character == '_' ||
         character == '-';
}

// The text up to the next slash, taken off together with that slash.
std::string_view take_level(std::string_view& topic) {
  const std::size_t slash = topic.find('/');
  const std::string_view level = topic.substr(0, slash);
  topic = slash == topic.npos ? std::string_view() : topic.substr(slash + 1);
  return level;
}

TopicKind kind_of(std::string_view rest, Operation& operation) {
  for (const Operation each : {Operation::Get, Operation::Update, Operation::Delete}) {
    const std::string_view verb = word(each);
    if (!rest.starts_with(verb)) continue;
    operation = each;
    rest.remove_prefix(verb.size());
    if (rest.empty()) return TopicKind::Request;
    if (rest == "/accepted" || rest == "/rejected") return TopicKind::Answer;
    if (each == Operation::Update && (rest == "/delta" || rest == "/documents"))
      return TopicKind::Answer;
    return TopicKind::Unknown;
  }
  return TopicKind::Unknown;
}

TopicKind cbor_kind_of(std::string_view rest, Operation& operation) {
  if (rest == "removed" || rest == "update/delta" || rest == "update/documents")
    return TopicKind::Answer;
  for (const Operation each :
       {Operation::Get, Operation::Update, Operation::Delete, Operation::Patch}) {
    const std::string_view verb = word(each);
    if (!rest.starts_with(verb)) continue;
    operation = each;
    rest.remove_prefix(verb.size());
    if (rest.empty()) return TopicKind::Request;
    if (rest == "/accepted" || rest == "/rejected") return TopicKind::Answer;
  }
  return TopicKind::Unknown;
}

TopicKind own_kind_of(std::string_view rest, Operation& operation) {
  if (rest == "removed") return TopicKind::Answer;
  for (const Operation each : {Operation::Update, Operation::Patch, Operation::History}) {
    const std::string_view verb = word(each);
    if (!rest.starts_with(verb)) continue;
    operation = each;
    rest.remove_prefix(verb.size());
    if (rest.empty()) return TopicKind::Request;
    if (rest == "/accepted" || rest == "/rejected") return TopicKind::Answer;
  }
  return TopicKind::Unknown;
}

}  // namespace

ShadowTopic read_topic(std::string_view topic) {
  ShadowTopic read;
  if (topic.starts_with(kShadows)) {
    read.extended = true;
    read.operation = Operation::Query;
    topic.remove_prefix(kShadows.size());
    read.kind = topic == "query"                                         ? TopicKind::Request
                : topic == "query/accepted" || topic == "query/rejected" ? TopicKind::Answer
                                                                         : TopicKind::Unknown;
    return read;
  }
  read.extended = topic.starts_with(kOwnThings);
  if (!read.extended && !topic.starts_with(kThings)) return read;
  topic.remove_prefix(read.extended ? kOwnThings.size() : kThings.size());
  read.shadow.thing = take_level(topic);
  if (topic == "shadow") {
    read.kind = TopicKind::Unknown;
    return read;
  }
  if (take_level(topic) != "shadow") return read;
  constexpr std::string_view kNamed = "name/";
  const bool named = topic.starts_with(kNamed);
  if (named) {
    topic.remove_prefix(kNamed.size());
    read.shadow.name = take_level(topic);
  }
  if (named && read.shadow.name.empty()) {
    read.kind = TopicKind::Unknown;
  } else if (constexpr std::string_view kCbor = "cbor/";
             read.extended && topic.starts_with(kCbor)) {
    read.cbor = true;
    read.kind = cbor_kind_of(topic.substr(kCbor.size()), read.operation);
  } else {
    read.kind = read.extended ? own_kind_of(topic, read.operation) : kind_of(topic, read.operation);
  }
  return read;
}

bool is_thing_name(std::string_view text) {
  return !text.empty() && text.size() <= 128 &&
         std::all_of(text.begin(), text.end(), is_name_character);
}

bool is_shadow_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 &&
         std::all_of(text.begin(), text.end(), [](char character) {
           return character == '$' || is_name_character(character);
         });
}

void write_prefix(const ShadowName& shadow, std::string& out, bool extended) {
  out += extended ? kOwnThings : kThings;
  out += shadow.thing;
  out += "/shadow";
  if (shadow.name.empty()) return;
  out += "/name/";
  out += shadow.name;
}

std::string_view word(Operation operation) {
  switch (operation) {
    case Operation::Get: return "get";
    case Operation::Update: return "update";
    case Operation::Delete: return "delete";
    case Operation::Patch: return "patch";
    case Operation::History: return "history";
    case Operation::Query: return "query";
    case Operation::Expire: return "expire";
  }
  return "";
}

}  // namespace twinmq::shadow
