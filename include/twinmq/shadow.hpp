#pragma once
// Device shadows for the host program, without a socket: the same documents, rules and order of
// versions as for clients.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <twinmq/result.hpp>

namespace twinmq {

class HostSubscription;

/// Which shadow.
struct ShadowId {
  std::string thing;
  std::string name;  ///< empty: the classic shadow

  bool operator==(const ShadowId&) const = default;
};

/// What became of a request.
struct ShadowReply {
  int code = 503;  ///< 200, or one of AWS's: 400, 404, 409, 413, 415, 429, 500; 503: the broker is
                   ///< not running
  std::string message;       ///< the text of the error; empty with 200
  std::string document;      ///< JSON as in the `accepted` message
  std::int64_t version = 0;  ///< after the request; of the deleted document for erase()

  explicit operator bool() const { return code == 200; }
};

/// A new version of a shadow.
struct ShadowChange {
  ShadowId shadow;
  std::string documents;  ///< JSON as in the message `update/documents`: previous and current
};

/// Which shadows, over all things.
struct ShadowQuery {
  std::string condition;    ///< as in WHERE: "reported.battery < 20 AND connected = false"
  std::string after;        ///< `next` of the page before; empty: the first page
  std::size_t limit = 100;  ///< matches of a page, 1..1000
};

/// A shadow that the condition holds for.
struct ShadowMatch {
  ShadowId shadow;
  std::string state;  ///< JSON with `desired` and `reported`
  std::int64_t version = 0;
  std::int64_t changed = 0;  ///< when it came to this version, seconds since 1970
  bool connected = false;    ///< a client is connected whose identifier is the name of the thing
};

struct ShadowPage {
  std::vector<ShadowMatch> matches;
  std::string next;             ///< asks for the page behind this one; empty: this is the last
  std::uint64_t looked_at = 0;  ///< documents
  std::string index;  ///< the path whose index served; empty: all documents were looked at
};

/// Any thread. `done` runs once on a callback thread, when a change is as durable as the store
/// promises; it is dropped if the store fails before. Rights are not asked: the host may do
/// everything.
class Shadows {
 public:
  using Done = std::function<void(const ShadowReply&)>;
  using Names = std::function<void(Result<std::vector<std::string>> names, bool more)>;

  virtual void get(const ShadowId& shadow, Done done) = 0;
  /// `request` is JSON with `state`, and `version` and `clientToken` if wanted.
  virtual void update(const ShadowId& shadow, std::string request, Done done) = 0;
  virtual void erase(const ShadowId& shadow, Done done) = 0;
  /// Names of the thing's named shadows that follow `after` in byte order, at most `count`.
  virtual void list(std::string_view thing, std::string_view after, std::size_t count,
                    Names names) = 0;
  using Page = std::function<void(const Result<ShadowPage>&)>;
  /// InvalidArgument: the condition or `after` is not sound; NotFound: shadow.queries is off.
  virtual void query(ShadowQuery query, Page page) = 0;
  /// Every change of one shadow, until the subscription ends. A thing "+" stands for all.
  virtual Result<std::unique_ptr<HostSubscription>> watch(
      const ShadowId& shadow, std::function<void(const ShadowChange&)> changed) = 0;

 protected:
  ~Shadows() = default;
};

}  // namespace twinmq
