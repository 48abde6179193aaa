#pragma once
// The shadow service without its surroundings: a request and what is stored go in, answers and what
// to store come out. No clock, no store, no sockets.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "modules/shadow/document.hpp"
#include "modules/shadow/json_text.hpp"
#include "modules/shadow/schema.hpp"
#include "modules/shadow/shadow_request.hpp"
#include "modules/shadow/shadow_topics.hpp"

namespace twinmq::shadow {

struct ShadowRules {
  RequestLimits request;
  MergeRules merge;
  std::size_t document_bytes_max = 8192;     ///< of both sections as compact JSON, after the merge
  std::int64_t tombstone_seconds = 172'800;  ///< how long a deleted shadow's version counts on
  bool first_version_one =
      false;                    ///< a request with version 1 may create a shadow, as with version 0
  bool delta_metadata = false;  ///< a full document repeats the delta's metadata
  std::shared_ptr<const SchemaSet> schemas;  ///< what documents must keep to; null: nothing
  bool cbor_events = false;                  ///< delta, documents and removed are told in CBOR too
  bool missing_names_thing = false;          ///< "thing~shadow" in the 404 of a named shadow
};

struct ShadowRequest {
  Operation operation = Operation::Get;
  ShadowName shadow;
  std::string_view payload;
  EpochSeconds now = 0;
  bool extended = false;  ///< asked below $twinmq, and answered there
  bool answered_directly =
      false;          ///< HTTP, embedder: refusals and documents read are not published
  bool cbor = false;  ///< the payload is CBOR, and so is the answer
};

/// One message the service publishes.
struct ShadowMessage {
  std::string topic;
  std::string payload;
};

/// What a request leads to. Nothing may leave before `record` is stored.
struct Outcome {
  enum class Change : std::uint8_t { None, Put, Erase };

  int code = 200;
  std::string message;                  ///< text of the error, when code is not 200
  std::string body;                     ///< the accepted document, or the error document
  std::vector<ShadowMessage> messages;  ///< to publish, in this order
  Change change = Change::None;
  std::string record;        ///< Put: the value to store
  std::int64_t version = 0;  ///< after the request; of the deleted document for Delete
  /// The record that is replaced was what remained of a shadow deleted then.
  std::optional<EpochSeconds> revived;
  /// What was stored is what remains of a shadow deleted now.
  std::optional<EpochSeconds> buried;
  EpochSeconds expiry_before = 0;  ///< when the first key of the replaced record expires; 0: none
  EpochSeconds expiry_after = 0;   ///< and of the new one
};

class ShadowMachine {
 public:
  explicit ShadowMachine(const ShadowRules& rules) : rules_(rules) {}

  const ShadowRules& rules() const { return rules_; }
  void set_rules(const ShadowRules& rules) { rules_ = rules; }

  /// `stored`: the record under this name, if there is one. The outcome is valid until the next
  /// call.
  Outcome& handle(const ShadowRequest& request, std::optional<std::string_view> stored);

  /// The answer that a request gets which is refused before it is looked at (429, 500, …).
  Outcome& refuse(const ShadowRequest& request, int code, std::string_view message);

  /// Whether a record is a deleted shadow that no longer counts.
  bool is_forgotten(std::string_view record, EpochSeconds now);

 private:
  Document load(std::optional<std::string_view> stored, EpochSeconds now, bool& corrupt);
  void carry_out(const ShadowRequest& request, std::optional<std::string_view> stored);
  void answer_in_cbor(const ShadowRequest& request);
  void tell_in_cbor(const ShadowRequest& request);
  void get(const ShadowRequest& request, const Document& document);
  void update(const ShadowRequest& request, const Document& document);
  Refusal judge(const UpdateRequest& update, const Document& document) const;
  Refusal apply(const ShadowRequest& request, const UpdateRequest& update, const Document& before,
                Document& after);
  void tell_removed(const ShadowRequest& request, const Document& before,
                    const std::optional<Node>& desired, std::int64_t version,
                    std::optional<std::string_view> token);
  void tell_change(const ShadowRequest& request, const Document& before, const Document& after,
                   std::optional<std::string_view> token);
  void expire(const ShadowRequest& request, const Document& document);
  void put(const Document& before, const Document& after);
  void erase(const ShadowRequest& request, const Document& document);
  void accept(const ShadowRequest& request, const UpdateRequest& update, const Document& before,
              const Document& after);
  void reject(const ShadowRequest& request, const Refusal& refusal,
              std::optional<std::string_view> token);
  Refusal missing(const ShadowName& shadow) const;

  ShadowRules rules_;
  Arena arena_;
  JsonReader reader_;
  Outcome outcome_;
  std::optional<EpochSeconds> buried_;  ///< when the shadow of the loaded record was deleted
};

}  // namespace twinmq::shadow
