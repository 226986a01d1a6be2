// Manifests: YAML files as `kubectl apply` reads them, turned into JSON.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "kube/client.h"
#include "lab/api/types.h"

namespace linsey::lab::api {

/// Every document of a file, or of all *.yaml files of a directory in the
/// order of their names. Errors: kIo, kDecode naming file and line.
Result<std::vector<Json>> read_manifests(const std::string& path);

/// The resource type that an object's apiVersion and kind belong to, for the
/// kinds that our manifests hold. Errors: kDecode naming the kind.
Result<kube::Resource> resource_of(const Json& object);

/// Creates the object, or replaces what is there. Errors: those of the client.
Result<Json> apply(kube::Client& client, const Json& object);

}  // namespace linsey::lab::api
