// What the server itself does to an object between a request's body and the
// store: names, system fields, the two halves of a status subresource, patches.
// Pure: objects in, objects out.
#pragma once

#include <string>

#include "lab/api/resource_type.h"
#include "lab/api/types.h"

namespace linsey::lab::api {

/// A body's apiVersion, kind and metadata fit the type. Errors: kApiInvalid.
Result<void> check_identity(const ResourceType& type, const Json& object);

/// Completes a new object and `target.name` (generateName). Errors:
/// kApiInvalid.
Result<void> prepare_create(Target& target, Json& object);

/// Guards by resourceVersion and uid, restores what a client may not change,
/// and what the subresource does not reach. Errors: kApiConflict, kApiInvalid.
Result<void> prepare_update(const Target& target, const Json& before,
                            Json& after);

/// metadata.generation counts changes of what is wanted.
void count_generation(const ResourceType& type, const Json& before,
                      Json& after);

/// By content type. Errors: kApiInvalid (415 for an unknown one).
Result<Json> apply_patch(const ResourceType& type,
                         const std::string& content_type, const Json& before,
                         const Json& change);

}  // namespace linsey::lab::api
