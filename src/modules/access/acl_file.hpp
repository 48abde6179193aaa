#pragma once
// Who may publish and receive what: Mosquitto's acl_file, read as it is.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <twinmq/access.hpp>
#include <twinmq/result.hpp>

namespace twinmq::access {

/// The file's lines:
///
///     topic [read|write|readwrite|deny] FILTER     without an access word: readwrite
///     user NAME                                    the topic lines below are for this user
///     pattern [read|write|readwrite|deny] FILTER   for everybody; %c is the client id, %u the user
///     # comment
///
/// Topic lines before the first user line are for clients without user. A filter with a space needs
/// its access word. What no line allows is denied.
///
/// How it decides:
/// - The user is the identity's principal, the name that was authenticated, not the one merely
/// sent.
/// - Publish needs write, Receive needs read. Any deny line that matches wins, wherever it stands.
/// - Topics that start with $ are matched only by lines whose filter starts with $ as written:
///   neither "#" nor "%c/#" reaches $SYS.
/// - A value with '+', '#' or '/' is never put into a pattern: the pattern then allows nothing, and
///   if it is a deny line, it denies everything from that level on. A pattern whose value is empty
///   does not match.
/// - Subscribe is granted if some read line *overlaps* the filter (one name at least could be
///   received) and no deny line covers it whole; each delivery is then asked for as Receive, so
///   that subscribing to "#" brings only what may be read. Mosquitto grants every subscription;
///   refusing the pointless ones (0x87) tells a misconfigured client so.
///
/// Immutable; a reload is a new object with another epoch. Any thread.
class AclFile final : public Authorizer {
 public:
  /// Reads and checks the whole file. Blocks; not for shard threads. Errors: those of reading the
  /// file, or InvalidConfig with every mistake as "file:line:column: what".
  static Result<std::unique_ptr<AclFile>> load(const std::string& path, std::uint64_t epoch);

  /// The same from memory; `name` stands for the file in errors.
  static Result<std::unique_ptr<AclFile>> parse(std::string_view text, std::string_view name,
                                                std::uint64_t epoch);

  bool may(const Identity& identity, Action action, std::string_view topic, QoS qos,
           bool retain) override;
  std::uint64_t epoch() const override { return epoch_; }
  bool checks_receive() const override { return true; }

 private:
  using Access = std::uint8_t;  ///< bits of read, write and deny

  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  template <typename T>
  using TextMap = std::unordered_map<std::string, T, TextHash, std::equal_to<>>;

  struct Rule {
    std::string filter;
    Access access = 0;
  };

  /// The topic lines of one user.
  struct Rules {
    TextMap<Access> exact;
    std::vector<Rule> denied;   ///< with wildcards
    std::vector<Rule> allowed;  ///< with wildcards
  };

  struct Pattern {
    std::string filter;
    Access access = 0;
    bool has_user = false;
    bool has_client = false;
    bool opens_with_value = false;  ///< the first level holds %c or %u
  };

  class Reader;

  explicit AclFile(std::uint64_t epoch) : epoch_(epoch) {}

  static bool fill_in(const Pattern& pattern, const Identity& identity, std::string& filter);
  const Rules* rules_of(const Identity& identity) const;
  bool may_use(const Identity& identity, Access wanted, std::string_view name) const;
  bool may_subscribe(const Identity& identity, std::string_view filter) const;
  template <typename Hits>
  static bool any_pattern(const std::vector<Pattern>& patterns, Access wanted,
                          const Identity& identity, std::string_view topic, Hits hits);

  std::uint64_t epoch_;
  Rules anonymous_;
  TextMap<Rules> users_;
  std::vector<Pattern> denied_patterns_;
  std::vector<Pattern> allowed_patterns_;
};

}  // namespace twinmq::access
