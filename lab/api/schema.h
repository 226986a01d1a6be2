// Structural schemas of custom resources: unknown fields are dropped, defaults
// filled in, and what is left is checked, with the CEL rules last, as the real
// server does before it stores an object.
//
// It knows the keywords that our own definitions use and refuses definitions
// with others, so that no rule is silently without effect.
#pragma once

#include <string>
#include <vector>

#include "lab/api/types.h"

namespace linsey::lab::api {

/// Why a CustomResourceDefinition cannot be used; empty: it can. Every CEL
/// rule in it is compiled.
std::vector<std::string> definition_faults(const Json& crd);

/// Drops what the schema does not name and fills in defaults. metadata,
/// apiVersion and kind are left alone.
void prune_and_default(const Json& schema, Json& object);

/// "spec.blockSize: Invalid value: must be …"; empty: valid. `old` is null on
/// create; rules with oldSelf are skipped then.
std::vector<std::string> violations(const Json& schema, const Json& object,
                                    const Json* old);

}  // namespace linsey::lab::api
