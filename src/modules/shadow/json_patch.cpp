#include "modules/shadow/json_patch.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace twinmq::shadow {
namespace {

using Path = std::vector<std::string>;

enum class Change : std::uint8_t { Add, Remove, Replace };

// RFC 6901: "/a~1b/0" names "a/b" and then "0".
bool read_pointer(std::string_view text, Path& path) {
  if (text.empty()) return true;
  if (text.front() != '/') return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '/') {
      path.emplace_back();
    } else if (text[i] != '~') {
      path.back() += text[i];
    } else if (++i < text.size() && (text[i] == '0' || text[i] == '1')) {
      path.back() += text[i] == '0' ? '~' : '/';
    } else {
      return false;
    }
  }
  return true;
}

// The element a path names; `end` is one that may be added behind the last.
std::optional<std::size_t> read_index(std::string_view text, std::size_t size, bool end) {
  if (text == "-") return end ? std::optional(size) : std::nullopt;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  std::size_t index = 0;
  const auto [stop, fault] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (fault != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return index < size + (end ? 1 : 0) ? std::optional(index) : std::nullopt;
}

const Node* look_up(const Node& from, std::span<const std::string> path) {
  const Node* at = &from;
  for (const std::string& step : path) {
    if (at->is_object()) {
      at = find(*at, step);
    } else if (at->kind == Kind::Array) {
      const auto index = read_index(step, at->size, false);
      at = index ? &at->child[*index] : nullptr;
    } else {
      return nullptr;
    }
    if (at == nullptr) return nullptr;
  }
  return at;
}

class Patcher {
 public:
  Patcher(EpochSeconds now, Arena& arena) : now_(now), arena_(arena) {}

  // The container with one value below it added, removed or replaced; none: the path leads nowhere.
  std::optional<Node> edit(const Node& at, std::span<const std::string> path, Change change,
                           const Node& value) const {
    std::vector<Node> members(at.children().begin(), at.children().end());
    Node edited = at;
    if (at.is_object()) {
      if (!edit_object(members, path, change, value)) return std::nullopt;
    } else if (at.kind == Kind::Array) {
      if (!edit_array(members, path, change, value)) return std::nullopt;
      edited.written = now_;
    } else {
      return std::nullopt;
    }
    hold(edited, members, arena_);
    return edited;
  }

 private:
  bool edit_object(std::vector<Node>& members, std::span<const std::string> path, Change change,
                   const Node& value) const {
    const auto place = std::lower_bound(
        members.begin(), members.end(), path.front(),
        [](const Node& node, std::string_view wanted) { return node.name() < wanted; });
    const bool present = place != members.end() && place->name() == path.front();
    if (path.size() > 1) return present && descend(*place, path, change, value);
    if (!present && change != Change::Add) return false;
    if (change == Change::Remove) {
      members.erase(place);
      return true;
    }
    Node member = value;
    const std::string_view key = arena_.keep(path.front());
    member.key = key.data();
    member.key_size = static_cast<std::uint32_t>(key.size());
    if (present) {
      *place = member;
    } else {
      members.insert(place, member);
    }
    return true;
  }

  bool edit_array(std::vector<Node>& elements, std::span<const std::string> path, Change change,
                  const Node& value) const {
    const bool last = path.size() == 1;
    const auto index = read_index(path.front(), elements.size(), last && change == Change::Add);
    if (!index) return false;
    const auto place = elements.begin() + static_cast<std::ptrdiff_t>(*index);
    if (!last) return descend(*place, path, change, value);
    Node element = value;
    element.key = nullptr;
    element.key_size = 0;
    switch (change) {
      case Change::Add: elements.insert(place, element); break;
      case Change::Remove: elements.erase(place); break;
      case Change::Replace: *place = element; break;
    }
    return true;
  }

  bool descend(Node& child, std::span<const std::string> path, Change change,
               const Node& value) const {
    std::optional<Node> edited = edit(child, path.subspan(1), change, value);
    if (!edited) return false;
    edited->key = child.key;
    edited->key_size = child.key_size;
    child = *edited;
    return true;
  }

  EpochSeconds now_;
  Arena& arena_;
};

std::string_view text_of(const Node& operation, std::string_view key) {
  const Node* const member = find(operation, key);
  return member != nullptr && member->kind == Kind::String ? member->characters()
                                                           : std::string_view("\n");
}

// One operation; answers why it cannot be done, or nothing.
std::string_view apply_one(const Node& operation, const Patcher& patcher, Node& root) {
  if (!operation.is_object()) return "is no object";
  const std::string_view name = text_of(operation, "op");
  Path path;
  if (!read_pointer(text_of(operation, "path"), path) || path.empty())
    return "has no path below the document";
  const Node* value = find(operation, "value");
  const bool moves = name == "move";
  Node moved;
  if (moves || name == "copy") {
    Path from;
    if (!read_pointer(text_of(operation, "from"), from) || from.empty())
      return "has no from below the document";
    const Node* const source = look_up(root, from);
    if (source == nullptr) return "has a from that leads nowhere";
    if (moves && from.size() < path.size() && std::equal(from.begin(), from.end(), path.begin()))
      return "moves a value into itself";
    moved = *source;
    value = &moved;
    if (moves) root = *patcher.edit(root, from, Change::Remove, moved);
  } else if (name == "test") {
    const Node* const present = look_up(root, path);
    if (value == nullptr) return "has no value";
    return present != nullptr && same_value(*present, *value) ? std::string_view() : "fails";
  } else if (name != "add" && name != "replace" && name != "remove") {
    return "is unknown";
  }
  const Change change = name == "remove"    ? Change::Remove
                        : name == "replace" ? Change::Replace
                                            : Change::Add;
  if (value == nullptr && change != Change::Remove) return "has no value";
  const Node nothing{};
  const std::optional<Node> edited =
      patcher.edit(root, path, change, value != nullptr ? *value : nothing);
  if (!edited) return "has a path that leads nowhere";
  root = *edited;
  return {};
}

}  // namespace

bool apply_patch(const Node& patch, EpochSeconds now, Arena& arena, Node& root,
                 std::string& fault) {
  if (patch.kind != Kind::Array) {
    fault = "Patch must be an array";
    return false;
  }
  const Patcher patcher(now, arena);
  std::size_t number = 0;
  for (const Node& operation : patch.children()) {
    const std::string_view why = apply_one(operation, patcher, root);
    if (!why.empty()) {
      fault = "Patch operation " + std::to_string(number) + " " + std::string(why);
      return false;
    }
    ++number;
  }
  return true;
}

Node patch_root(const Document& document, Arena& arena) {
  std::vector<Node> members;
  const auto add = [&](std::string_view key, const std::optional<Node>& section) {
    Node member = section.value_or(Node());
    member.kind = Kind::Object;
    member.key = key.data();
    member.key_size = static_cast<std::uint32_t>(key.size());
    members.push_back(member);
  };
  add("desired", document.desired);
  add("reported", document.reported);
  Node root;
  root.kind = Kind::Object;
  hold(root, members, arena);
  return root;
}

}  // namespace twinmq::shadow
