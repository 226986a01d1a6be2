// Kubernetes label selectors, the full string grammar: `k=v`, `k==v`, `k!=v`,
// `k in (a,b)`, `k notin (a,b)`, `k`, `!k`, `k>5`, `k<5`, joined by commas (all
// must hold). As in Kubernetes `!=` and `notin` also match when the key is
// absent, a value may be empty (`k=`), and there is no quoting.
// Source: the "Labels and Selectors" concept page and
// k8s.io/apimachinery/pkg/labels/selector.go.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace linsey::conf {

using Labels = std::map<std::string, std::string>;

/// A value: parsed once, then matched without failing. A default one selects
/// everything.
class Selector {
 public:
  /// An empty text selects everything. Errors: kInvalidConfig, naming the
  /// position (from 1), what was found there and what was expected.
  static Result<Selector> parse(std::string_view text);

  bool matches(const Labels& labels) const;
  bool empty() const { return terms_.empty(); }
  /// The text it was parsed from.
  const std::string& text() const { return text_; }

  /// Same terms, whatever their order and spelling: "a=b,c" equals "c, a==b".
  bool operator==(const Selector& other) const {
    return terms_ == other.terms_;
  }

 private:
  enum class Op : std::uint8_t {
    kIn,
    kNotIn,
    kExists,
    kNotExists,
    kGreater,
    kLess
  };
  struct Term {
    std::string key;
    Op op = Op::kExists;
    std::set<std::string> values;
    auto operator<=>(const Term&) const = default;
    bool operator==(const Term&) const = default;
    bool holds(const Labels& labels) const;
  };
  friend class SelectorParser;

  std::string text_;
  std::vector<Term> terms_;  // sorted, without duplicates
};

/// "tier", "example.com/tier": an optional DNS subdomain of at most 253
/// characters and a name of at most 63. Errors: kInvalidConfig.
Result<void> check_label_key(std::string_view key);
/// At most 63 characters, letters or digits at both ends; may be empty.
/// Errors: kInvalidConfig.
Result<void> check_label_value(std::string_view value);

}  // namespace linsey::conf
