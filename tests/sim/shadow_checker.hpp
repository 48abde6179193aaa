#pragma once
// Device shadows in the simulated world: what writers ask for, and the promises about it. Every
// message on the topics of answers reaches one client whose session never ends, so that whatever
// was accepted is known at the end.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/prng.hpp"
#include "sim/ledger.hpp"

namespace twinmq::sim {

using ShadowSection = std::map<std::string, std::int64_t>;  ///< empty: there is no such section

struct ShadowState {
  ShadowSection desired;
  ShadowSection reported;
  bool operator==(const ShadowState&) const = default;
};

/// What happens to one section: a key without a value goes.
struct ShadowSectionChange {
  bool cleared = false;
  std::map<std::string, std::optional<std::int64_t>> keys;
};

/// One request of a writer.
struct ShadowAsk {
  enum class Kind : std::uint8_t { Get, Update, Delete };
  Kind kind = Kind::Get;
  std::uint32_t shadow = 0;
  std::optional<std::int64_t> expected;  ///< the version it is made for
  ShadowSectionChange desired;
  ShadowSectionChange reported;

  /// Its payload; the token tells which message it was.
  std::string text(std::uint32_t number) const;
};

/// The topics of all shadows of the world.
class ShadowTopics {
 public:
  static constexpr std::uint32_t kShadows = 5;  ///< of three things

  static std::string prefix(std::uint32_t shadow);
  static std::string request(std::uint32_t shadow, ShadowAsk::Kind kind);
  /// Filters that match every answer.
  static std::vector<std::string> all_answers();
  static bool is_answer(std::string_view topic);
};

/// Versions ascend and each has one request that made it; what was accepted stays, through crashes
/// too; what was rejected changes nothing; of updates for one version one wins; whoever reads gets
/// the content that the accepted updates make, at least as new as what was known when it asked.
class ShadowChecker final : public Checker {
 public:
  using Checker::Checker;

  void on_sent(const Sent& message) override;
  void on_accepted(const Sent& message, ReasonCode code) override;
  void on_answer(const SimSession& session, std::string_view topic, std::string_view payload,
                 bool dup) override;
  void on_finish() override;

  /// A request for the shadow as somebody would make it who saw what everybody has seen.
  ShadowAsk draw(std::uint32_t shadow, base::Prng& random);
  /// After on_finish(): the answer to that get is the last version.
  void demand_last(const Sent& get);

 private:
  struct Fate {               // of a request
    std::int64_t newest = 0;  ///< version known when it was sent first
    bool rejected = false;
    bool failed = false;  ///< rejected because the store could not be read
    bool conflict = false;
    bool missing = false;
    Event rejected_at = kNotYet;
    bool acknowledged = false;
    std::set<std::int64_t> versions;  ///< that it made
    std::int64_t read = 0;            ///< version that a get was told
  };
  struct Version {
    std::uint32_t made_by = 0;  ///< message number
    Event known = kNotYet;
  };
  struct Shadow {
    std::map<std::int64_t, Version> versions;
    std::map<std::int64_t, ShadowState> states;    ///< as told by anybody
    std::map<std::int64_t, ShadowSection> deltas;  ///< the same
    std::set<std::int64_t> documents;
    std::int64_t newest = 0;  ///< known version
    ShadowState last;         ///< of the newest, at the end
    bool deleted = true;
  };

  void accepted(const SimSession& session, Shadow& shadow, const Sent& message,
                const nlohmann::json& answer, bool dup);
  void rejected(const Sent& message, const nlohmann::json& answer);
  void told_state(std::uint32_t shadow, std::int64_t version, const nlohmann::json& state);
  void told_documents(std::uint32_t shadow, const nlohmann::json& answer);
  const Sent* asked(std::uint32_t shadow, const nlohmann::json& answer);
  void replay(std::uint32_t number);
  void judge_step(std::uint32_t number, std::int64_t version, bool deleted, std::int64_t before,
                  const Sent& message);
  void judge_told(std::uint32_t number, std::int64_t version, const ShadowState& state);
  void judge_request(const Sent& message, const Fate& fate);
  void complain(const std::string& what) { ledger_.complain("shadow", what); }
  const ShadowAsk& ask_of(std::uint32_t number) const { return *ledger_.messages[number].ask; }

  std::map<std::uint32_t, Fate> fates_;  ///< by message number
  std::map<std::uint32_t, Shadow> shadows_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::int64_t> last_;  ///< by session and shadow
};

}  // namespace twinmq::sim
