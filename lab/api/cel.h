// Cel: the part of the Common Expression Language that our definitions and
// policies use, so that the simulated server refuses what the real one does
// by the shipped rules themselves and not by a copy of them in C++.
//
// Values are JSON. Known: literals, lists, maps, member, index, arithmetic on
// whole numbers, comparison, in, && || ! ?:, has(), size(), int(), string(),
// the macros all, exists, exists_one, filter and map, and the string functions
// named in cel_eval.cpp. An expression with anything else does not compile.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lab/api/types.h"

namespace linsey::lab::api {

/// A node of a compiled expression.
struct CelNode {
  enum class Kind : std::uint8_t {
    kLiteral,
    kName,
    kMember,  // args[0].text
    kIndex,   // args[0][args[1]]
    kCall,    // text(args…)
    kMethod,  // args[0].text(args[1]…)
    kList,
    kMap,     // key, value, key, value…
    kUnary,   // text: ! or -
    kBinary,  // text: the operator
    kTernary
  };
  Kind kind = Kind::kLiteral;
  std::string text;
  Json literal;
  std::vector<std::unique_ptr<CelNode>> args;
};

/// Names that an expression sees; the nearest binding counts.
struct CelScope {
  const CelScope* parent = nullptr;
  std::string name;
  const Json* value = nullptr;

  const Json* find(std::string_view wanted) const;
};

/// Errors: kDecode with the position.
Result<std::unique_ptr<CelNode>> parse_cel(std::string_view text);
/// Errors: kInvalidConfig in the real one's words ("no such key: x").
Result<Json> evaluate_cel(const CelNode& node, const CelScope& scope);

/// Both in one; what was parsed once is kept. Errors of both.
Result<Json> run_cel(const std::string& text, const CelScope& scope);

}  // namespace linsey::lab::api
