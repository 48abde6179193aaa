#pragma once
// JSON Schema (draft 2020-12) on trees, and which shadows have to keep to which. Pure and immutable
// once compiled.

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <twinmq/config.hpp>
#include <twinmq/result.hpp>

#include "modules/shadow/document.hpp"
#include "modules/shadow/shadow_topics.hpp"
#include "sql/pattern.hpp"

namespace twinmq::shadow {

class Schema {
 public:
  /// The error names what is wrong: no JSON, a keyword that would assert and is not known, a $ref
  /// that leads nowhere or outside.
  static Result<std::unique_ptr<const Schema>> compile(std::string text);

  /// Where the value breaks the schema, and why: "/desired/dim: above the maximum of 100". Empty:
  /// it does not. The work is bounded; a value that takes more breaks the schema.
  std::string fault_of(const Node& value) const;

 private:
  friend class SchemaLoad;
  friend class SchemaCheck;

  std::string text_;
  Arena arena_;
  Node root_;
  std::map<std::string_view, sql::Pattern, std::less<>>
      patterns_;                                                  ///< of pattern, patternProperties
  std::map<std::string_view, const Node*, std::less<>> targets_;  ///< of $ref
};

/// What a configuration asks of documents.
class SchemaSet {
 public:
  /// The first schema that cannot be compiled is the error.
  static Result<std::shared_ptr<const SchemaSet>> compile(
      const std::vector<ShadowSchemaConfig>& schemas);

  /// Holds the document against every schema of that shadow; a sentence, empty when it keeps to
  /// all.
  std::string fault_of(const ShadowName& shadow, const Document& document, Arena& arena) const;

 private:
  struct Entry {
    std::string thing;
    std::string name;
    std::unique_ptr<const Schema> schema;
  };
  std::vector<Entry> entries_;
};

/// Whether the text has the form of the pattern, in which each * stands for any characters.
bool has_form(std::string_view text, std::string_view pattern);

}  // namespace twinmq::shadow
