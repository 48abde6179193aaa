#pragma once
// A rule, read once: its statement and the texts of its actions.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <twinmq/config.hpp>
#include <twinmq/message.hpp>
#include <twinmq/result.hpp>

#include "sql/outside.hpp"
#include "sql/template.hpp"

namespace twinmq::rules {

struct CompiledAction {
  RuleActionKind kind = RuleActionKind::Republish;
  QoS qos = QoS::AtMostOnce;
  bool retain = false;
  std::string sink;          ///< name of its queue: the rule's, and the action's place
  bool whole_result = true;  ///< no payload or message of its own
  sql::Template target;      ///< topic, or thing
  sql::Template shadow;
  sql::Template text;  ///< payload, or message
  sql::Template content_type;
  sql::Template response_topic;
  sql::Template correlation_data;
  sql::Template message_expiry;
  sql::Template payload_format;
  sql::Template url;  ///< empty: its sink's, the same for every message
  std::vector<std::pair<std::string, sql::Template>> user_properties;
  std::vector<std::pair<std::string, sql::Template>> headers;  ///< those that depend on the message

  template <typename Visit>
  void for_each_text(const Visit& visit) const {
    for (const sql::Template* each : {&target, &shadow, &text, &content_type, &response_topic,
                                      &correlation_data, &message_expiry, &payload_format, &url})
      visit(*each);
    for (const auto* pairs : {&user_properties, &headers})
      for (const auto& [name, value] : *pairs) visit(value);
  }
};

constexpr std::size_t kActionsMax = 10;
constexpr std::size_t kRuleNameMax = 128;

/// Whether the statement may ask what answers later. The fault names a function that is not there,
/// or may not be called where it stands.
Result<bool, sql::SyntaxFault> check_outside(const sql::Statement& statement,
                                             const sql::OutsideFunctions& outside);

/// Whether results go through a durable queue.
bool leaves_process(RuleActionKind kind);
/// What message_expiry means: nothing: it never expires. Nothing at all: it is no number of
/// seconds.
std::optional<std::optional<std::uint32_t>> seconds_of(std::string_view text);
/// What payload_format means; nothing: none that MQTT has.
std::optional<bool> is_text_of(std::string_view text);
/// Whether a header's text holds expressions over the message. One that names a secret does not: no
/// message may bring the name of a secret along.
bool depends_on_message(std::string_view header);
/// A header's name and value.
std::pair<std::string, std::string> header_parts(const std::string& header);
/// The queue of an action, as statistics and the log name it.
std::string sink_name(std::string_view rule, bool error_action, std::size_t place);

class CompiledRule {
 public:
  /// The error names the rule, the text, and the place in it, with a caret.
  /// Functions of plugins are checked against `outside`; without it any name may be one.
  static Result<CompiledRule> compile(const RuleConfig& config,
                                      const sql::OutsideFunctions* outside = nullptr);

  const std::string& name() const { return config_.name; }
  const RuleConfig& config() const { return config_; }
  const sql::Statement& statement() const { return *statement_; }
  const std::shared_ptr<const sql::Statement>& shared_statement() const { return statement_; }
  const std::vector<CompiledAction>& actions() const { return actions_; }
  const std::vector<CompiledAction>& error_actions() const { return error_actions_; }

  /// What surely is a mistake, though it runs.
  std::vector<std::string> warnings() const;

  /// Whether it remembers anything from message to message.
  bool remembers() const { return statement_->program().state_slots > 0 || windowed(); }
  /// Whether it may ask what answers later.
  bool asks() const { return asks_; }
  /// Whether its results come from windows that close.
  bool windowed() const { return statement_->program().group != nullptr; }

 private:
  RuleConfig config_;
  std::shared_ptr<const sql::Statement> statement_;
  std::vector<CompiledAction> actions_;
  std::vector<CompiledAction> error_actions_;
  bool asks_ = false;
};

}  // namespace twinmq::rules
