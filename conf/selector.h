// Kubernetes label selectors, the full string grammar: `k=v`, `k==v`, `k!=v`,
// `k in (a,b)`, `k notin (a,b)`, `k`, `!k`, joined by commas (all must hold).
// Source: the "Labels and Selectors" concept page and
// k8s.io/apimachinery/pkg/labels/selector.go.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace linsey::conf {

using Labels = std::map<std::string, std::string>;

class Selector {
 public:
  /// An empty text selects everything. Errors: kInvalidConfig, naming the
  /// position and what was expected there.
  static Result<Selector> parse(std::string_view text);

  bool matches(const Labels& labels) const;
  bool empty() const { return terms_.empty(); }
  /// The text it was parsed from.
  const std::string& text() const { return text_; }

  bool operator==(const Selector&) const = default;

 private:
  enum class Op { kIn, kNotIn, kExists, kNotExists };
  struct Term {
    std::string key;
    Op op = Op::kExists;
    std::set<std::string> values;
    bool operator==(const Term&) const = default;
  };
  friend class SelectorParser;

  std::string text_;
  std::vector<Term> terms_;
};

}  // namespace linsey::conf
