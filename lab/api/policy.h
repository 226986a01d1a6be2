// Policies: ValidatingAdmissionPolicy objects that stand in the store and are
// bound decide about writes, by their own CEL expressions.
#pragma once

#include "lab/api/store.h"
#include "lab/api/verbs.h"

namespace linsey::lab::api {

/// Errors: kApiInvalid (422) in the real server's words.
Result<void> admitted(const Store& store, const Attempt& attempt);

/// Why a policy cannot be used; "" when it can.
std::string policy_fault(const Json& policy);

}  // namespace linsey::lab::api
